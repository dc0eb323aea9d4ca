import { acceptOffers } from "../extensions/negotiation.ts";
import { HandshakeError, internalServerError } from "../http/errors.ts";
import { serializeExtensions } from "../handshake/extensions_header.ts";
import { computeAcceptKey } from "../handshake/accept_key.ts";
import { toRequest } from "../http/request.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import { writeUpgradeResponse } from "../handshake/upgrade_response_writer.ts";
import { writeErrorResponse } from "../http/response_writer.ts";
import { chooseProtocol, selectProtocol } from "../handshake/subprotocol.ts";
import {
  isUpgrade,
  parseUpgradeRequest,
  upgradeRequired,
  validateHttpRequest,
} from "../handshake/upgrade_request.ts";
import type { UpgradeRequest } from "../handshake/upgrade_request.ts";
import { toTransport } from "../transport/runtime.ts";
import type { Conn } from "../transport/runtime.ts";
import type { Addr, Transport } from "../transport/transport.ts";
import { resolveAcceptOptions } from "./accept_options.ts";
import type {
  AcceptOptions,
  AcceptSettings,
  RequestInfo,
  UpgradeResult,
} from "./accept_options.ts";
import { openConnection, startConnection } from "../connection/connection.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { ConnectionSettings } from "../connection/connection_settings.ts";
import { HttpResponder } from "./http_responder.ts";
import { RequestReader } from "./request_reader.ts";
import type { RequestReaderOwner } from "./request_reader.ts";
import { sendResponse } from "./fetch_handler.ts";
import { timers } from "../util/timers.ts";
import type { ProxiedClient } from "../proxy/trusted_proxies.ts";

export { resolveAcceptOptions } from "./accept_options.ts";
export type {
  AcceptOptions,
  AcceptSettings,
  RequestInfo,
  UpgradeInfo,
  UpgradeOptions,
  UpgradeResult,
} from "./accept_options.ts";

/** What becomes of a {@linkcode ServerHandshake}. */
export interface HandshakeOutcome<Data> {
  /** It's a WebSocket: to be started with the answer to send and the bytes that came early. */
  open(
    socket: WebSocketConnection<Data>,
    answer: Uint8Array<ArrayBuffer>,
    early: Uint8Array,
    handshake: ServerHandshake<Data>,
  ): void;
  /** It's plain HTTP; without this, that is refused. The head has been validated. */
  plain?(head: RequestHead, farewell: HttpResponder, info: RequestInfo): void;
  /**
   * The request is there, and whose it is is known, where a proxy had to tell: gives the refusal of
   * that client, if any.
   */
  identified?(clientAddr: Addr): HandshakeError | undefined;
  /** Asked of every WebSocket, before and after `upgrade()`: gives the refusal of all, if any. */
  check?(): HandshakeError | undefined;
  /** It has been refused, and is being answered. */
  refused(error: HandshakeError): void;
  /** The TCP connection is gone, and it was no WebSocket. */
  gone(error: unknown, handshake: ServerHandshake<Data>): void;
  /** What it shares with others that are made by the same server. */
  readonly connections: ConnectionSettings<WebSocketConnection<Data>>;
}

/**
 * The server's half of the opening handshake on one connection.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2 RFC 6455 §4.2}
 */
export class ServerHandshake<Data> implements RequestReaderOwner {
  /** For its server's `DenseSet`. */
  place = -1;
  readonly #transport: Transport;
  readonly #settings: AcceptSettings<Data>;
  readonly #outcome: HandshakeOutcome<Data>;
  readonly #opening: RequestReader;
  /** Made where a proxy is to tell whose connection it is. */
  readonly #client: ProxiedClient | undefined;
  /** Who that is, once it's known. */
  #clientAddr: Addr | undefined;
  #head: RequestHead | undefined;

  constructor(
    transport: Transport,
    settings: AcceptSettings<Data>,
    outcome: HandshakeOutcome<Data>,
  ) {
    this.#transport = transport;
    this.#settings = settings;
    this.#outcome = outcome;
    this.#client = settings.proxies?.clientBehind(transport.remoteAddr);
    this.#opening = new RequestReader(transport, settings.limits, this);
  }

  /** The client; `undefined` while a proxy has not told, or where it has been refused for that. */
  get clientAddr(): Addr | undefined {
    return this.#client === undefined ? this.#transport.remoteAddr : this.#clientAddr;
  }

  /** Drops the connection, if it's not a WebSocket yet. */
  abort(): void {
    this.#transport.abort();
  }

  /** RequestReader: what comes before the request. */
  preface(chunk: Uint8Array): Uint8Array | undefined {
    return this.#client === undefined ? chunk : this.#client.preface(chunk);
  }

  /** RequestReader: the request is there. */
  head(head: RequestHead): void {
    this.#head = head;
    try {
      this.#identify(head);
      if (!isUpgrade(head)) return this.#plain(head);
      const request = parseUpgradeRequest(head);
      this.#settings.checkOrigin(request.origin, request.host);
      this.#check();
      const { upgrade, scheme } = this.#settings;
      if (upgrade === undefined) return this.#decide(request, undefined);
      const result = upgrade(toRequest(head, { scheme }), {
        ...this.#info,
        protocols: request.protocols,
      });
      if (!(result instanceof Promise)) return this.#decide(request, result);
      result.then((result) => this.#decide(request, result)).catch((error) => this.#failed(error));
    } catch (error) {
      this.#failed(error);
    }
  }

  /** RequestReader: there is no request. */
  refuse(error: HandshakeError): void {
    const omitBody = this.#head?.method === "HEAD";
    const farewell = this.#farewell();
    if (error.code === "ERR_HANDSHAKE_PROXY") {
      this.#outcome.refused(error);
      return farewell.abort(); // To answer would be to speak HTTP before the client has.
    }
    farewell.write(writeErrorResponse(error, { date: new Date(), omitBody }));
    farewell.finish();
    this.#outcome.refused(error);
  }

  /** RequestReader: the peer has left. */
  left(error: unknown): void {
    this.#outcome.gone(error, this);
  }

  #plain(head: RequestHead): void {
    validateHttpRequest(head);
    const { plain } = this.#outcome;
    if (plain === undefined) throw upgradeRequired();
    this.#opening.done();
    plain.call(this.#outcome, head, this.#farewell(), this.#info);
  }

  get #info(): RequestInfo {
    return { remoteAddr: this.#transport.remoteAddr, clientAddr: this.clientAddr! };
  }

  #identify({ headers }: RequestHead): void {
    if (this.#client === undefined) return;
    const addr = this.#client.find(headers);
    const refusal = this.#outcome.identified?.(addr);
    if (refusal !== undefined) throw refusal;
    this.#clientAddr = addr;
  }

  #check(): void {
    const refusal = this.#outcome.check?.();
    if (refusal !== undefined) throw refusal;
  }

  #decide(request: UpgradeRequest, result: UpgradeResult<Data>): void {
    if (this.#opening.isDone) { // Too late: the client is gone, or has been told to go.
      if (result instanceof Response) result.body?.cancel().catch(() => {});
      return;
    }
    if (result instanceof Response) return this.#refuseWith(result);
    if (this.#settings.upgrade !== undefined) this.#check(); // It may have taken its time.
    const { key, protocols: offered } = request;
    const protocol = selectProtocol(
      offered,
      result?.protocol ?? chooseProtocol(offered, this.#settings.protocols),
    );
    const agreements = acceptOffers(this.#settings.extensions, request.extensions);
    const extensions = agreements.length === 0
      ? ""
      : serializeExtensions(agreements.map(({ response }) => response));
    const answer = writeUpgradeResponse({
      acceptKey: computeAcceptKey(key),
      extensions: extensions || undefined,
      protocol,
      headers: result?.headers,
    });
    this.#opening.done();
    const socket = openConnection<Data>({
      settings: this.#outcome.connections,
      transport: this.#transport,
      clientAddr: this.#clientAddr,
      protocol: protocol ?? "",
      extensions,
      agreements,
      data: result?.data as Data,
      headText: this.#opening.headText,
    });
    this.#outcome.open(socket, answer, this.#opening.early, this);
  }

  #refuseWith(response: Response): void {
    this.#opening.done();
    const error = new HandshakeError(`upgrade() refused with status ${response.status}`, {
      code: "ERR_HANDSHAKE_REFUSED",
      status: response.status,
    });
    this.#outcome.refused(error);
    const farewell = this.#farewell();
    sendResponse(farewell, response, false).catch((error) => {
      farewell.abort();
      this.#outcome.refused(internalServerError(error));
    });
  }

  #failed(error: unknown): void {
    if (this.#opening.isDone) return;
    this.#opening.done();
    this.refuse(error instanceof HandshakeError ? error : internalServerError(error));
  }

  #farewell(): HttpResponder {
    // Whoever is answered may stay for a while: not with a request of 16 KiB in memory.
    this.#opening.forget();
    this.#head = undefined;
    const { closeTimeout } = this.#settings.limits;
    return new HttpResponder(
      this.#transport,
      closeTimeout,
      () => this.#outcome.gone(undefined, this),
    );
  }
}

/** What the connections that are made by these settings share. */
export function connectionSettings<Data>(
  { limits, overflow, makeRequest }: AcceptSettings<Data>,
  of: Pick<ConnectionSettings<WebSocketConnection<Data>>, "budget" | "onError" | "onClosed">,
): ConnectionSettings<WebSocketConnection<Data>> {
  const { budget, onError, onClosed } = of;
  return { role: "server", limits, timers, budget, overflow, makeRequest, onError, onClosed };
}

/**
 * Makes a WebSocket of a TCP connection of your own, from your own listener: does the opening
 * handshake on it as a server.
 *
 * @param conn A `Deno.Conn`, or a {@linkcode Transport}: on Bun, listen with `bunSocketHandler()`.
 * @param options What `serve()` takes for one connection.
 * @returns the connection, once it's open.
 * @throws {HandshakeError} where the request was refused; the client has been answered.
 * @throws {WebSocketError} where the peer left before that, with code `ERR_HANDSHAKE_LEFT`.
 *
 * @example
 * ```ts ignore
 * import { accept } from "@sluice/websocket";
 *
 * for await (const conn of Deno.listen({ port: 8080 })) {
 *   accept(conn).then((socket) => socket.send("hello"), console.error);
 * }
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2 RFC 6455 §4.2}
 */
export function accept<Data = unknown>(
  conn: Conn,
  options: AcceptOptions<Data> = {},
): Promise<WebSocketConnection<Data>> {
  const settings = resolveAcceptOptions(options);
  return new Promise((resolve, reject) => {
    new ServerHandshake<Data>(toTransport(conn), settings, {
      open(socket, answer, early) {
        startConnection(socket, { answer, early });
        resolve(socket);
      },
      refused: reject,
      gone(cause) {
        reject(
          new HandshakeError("The peer left before the opening handshake was done", {
            code: "ERR_HANDSHAKE_LEFT",
            cause,
          }),
        );
      },
      connections: connectionSettings(settings, {
        budget: undefined,
        onError() {}, // It's in `closed`, for who wants to know.
        onClosed: undefined,
      }),
    });
  });
}
