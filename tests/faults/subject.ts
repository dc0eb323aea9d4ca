/** A connection under test, from its handshake to its end, and what it leaves behind. */

import { accept } from "../../src/server/accept.ts";
import { resolveAcceptOptions } from "../../src/server/accept_options.ts";
import { HttpConnection } from "../../src/server/http_connection.ts";
import { connectionSettings } from "../../src/server/http_connection_handler.ts";
import { connectOver } from "../../src/client/connect.ts";
import { CallbackConsumer } from "../../src/connection/callback_consumer.ts";
import { coreOf } from "../../src/connection/connection.ts";
import type { CloseInfo } from "../../src/connection/close_info.ts";
import type { WebSocketConnection } from "../../src/connection/connection.ts";
import type { Role } from "../../src/protocol/frame.ts";
import type { Limits } from "../../src/connection/limits.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { App, callbacks, DRIVES } from "./drives.ts";

/** How the connection is made and used; `serve` is the handshake of `serve()`. */
export type Use =
  | "serve with callbacks"
  | "serve with a function"
  | "for await"
  | "readable and writable"
  | "messageStreams";

/** Options of a subject. */
export interface SubjectOptions {
  readonly role: Role;
  readonly use: Use;
  readonly isCompressed: boolean;
  readonly limits: Partial<Limits>;
  readonly signal?: AbortSignal | undefined;
}

/** A connection under test. */
export class Subject {
  readonly app: App = new App();
  /** The connections that `serve()` would count. */
  readonly counted: Set<unknown> = new Set();
  socket: WebSocketConnection | undefined;
  /** The error of the handshake. */
  handshakeError: unknown;
  readonly #over: PromiseWithResolvers<CloseInfo> = Promise.withResolvers();

  /** Resolves when it is closed; to a code of 0 if it never opened. */
  get over(): Promise<CloseInfo> {
    return this.#over.promise;
  }

  open(socket: WebSocketConnection): void {
    this.socket = socket;
    this.app.promises.watch("closed", socket.closed).then(this.#over.resolve);
  }

  failed(error: unknown): void {
    this.handshakeError = error;
    this.#over.resolve({ closeCode: 0, reason: "", wasClean: false });
  }
}

/** Starts a connection over a transport. */
export function startSubject(transport: Transport, options: SubjectOptions): Subject {
  const { role, use, isCompressed, limits, signal } = options;
  const subject = new Subject();
  const compression = isCompressed ? { threshold: 0 } : false;
  if (use === "serve with callbacks" || use === "serve with a function") {
    serveOne(transport, subject, options);
    return subject;
  }
  const opening = role === "server"
    ? accept(transport, { compression, limits })
    : connectOver(transport, "ws://example.com/", {
      compression,
      limits,
      timeout: limits.handshakeTimeout ?? 20_000,
      ...(signal === undefined ? {} : { signal }),
    });
  const { app } = subject;
  app.promises.watch("the handshake", opening).then((socket) => {
    subject.open(socket);
    app.promises.watch("the application", DRIVES[use]!(socket, app));
  }, (error) => subject.failed(error));
  return subject;
}

/** Does what `serve()` does with one connection. */
function serveOne(transport: Transport, subject: Subject, options: SubjectOptions): void {
  const { use, isCompressed, limits } = options;
  const { app, counted } = subject;
  const compression = isCompressed ? { threshold: 0 } : false;
  const settings = resolveAcceptOptions<unknown>({ compression, limits });
  const connection = new HttpConnection<unknown>(
    transport,
    settings,
    {
      open(socket, response, early, connection) {
        counted.delete(connection);
        counted.add(socket);
        subject.open(socket);
        if (use === "serve with callbacks") {
          return coreOf(socket).start({
            answer: response,
            early,
            consumer: new CallbackConsumer(callbacks(app)),
          });
        }
        const run = async () => {
          try {
            await DRIVES["for await"](socket, app);
            coreOf(socket).finish();
          } catch (error) {
            coreOf(socket).handlerFailed(error);
          }
        };
        const opened = () => void app.promises.watch("the handler", run());
        coreOf(socket).start({ answer: response, early, opened });
      },
      refused() {},
      closed(error, connection) {
        counted.delete(connection);
        subject.failed(error);
      },
      connectionSettings: connectionSettings(settings, {
        budget: undefined,
        onError() {},
        onClosed: (socket) => void counted.delete(socket),
      }),
    },
  );
  if (subject.handshakeError === undefined) counted.add(connection);
  connection.start();
}
