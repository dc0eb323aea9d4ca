import { encodeClosePayload } from "../protocol/close_code.ts";
import type { ClosePayload } from "../protocol/close_code.ts";
import { WebSocketError } from "../protocol/errors.ts";
import type { Message } from "../protocol/message.ts";
import { connect } from "./connect.ts";
import type { ConnectOptions } from "./connect_options.ts";
import { makeConnectPlan } from "./connect_plan.ts";
import { ReadyState } from "../connection/ready_state.ts";
import { MessageSource } from "./websocket_stream_source.ts";
import type { End } from "./websocket_stream_source.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { Sendable } from "../connection/sendable.ts";

/** What {@linkcode WebSocketStream.opened} resolves to. */
export interface WebSocketOpenInfo {
  /** The messages that come: text as a string, binary as bytes. */
  readable: ReadableStream<Message>;
  /** Where messages are sent. */
  writable: WritableStream<Sendable>;
  /** The extensions in use, as in `Sec-WebSocket-Extensions`; empty where there is none. */
  extensions: string;
  /** The subprotocol that the server chose; empty where there is none. */
  protocol: string;
}

/** What {@linkcode WebSocketStream.close} takes. */
export interface WebSocketCloseInfo {
  /**
   * Why: 1000, or 3000-4999.
   *
   * @default {undefined} 1000 where there is a reason, else none is sent
   */
  closeCode?: number;
  /**
   * More of it, for people: at most 123 bytes of UTF-8.
   *
   * @default {""} none
   */
  reason?: string;
}

/**
 * A client's WebSocket as a pair of streams, in the shape of the platform's `WebSocketStream`: what
 * is written for that runs here, on Deno and on Bun. {@linkcode connect} gives more, such as `ping()`
 * and callbacks, and costs less a message.
 *
 * A promise that nobody looks at is no unhandled rejection, and backpressure runs through both streams:
 * what isn't read from `readable` is not read from the socket, and a write waits where the server
 * does not read.
 *
 * It goes past the platform's in that it takes all options of {@linkcode connect}. `opened` rejects
 * with what `connect()` does, a {@linkcode HandshakeError} for one, and that a chunk of another type
 * than `Sendable` is refused with a `TypeError` in place of being made a string.
 *
 * @example
 * ```ts
 * import { serve, WebSocketStream } from "@sluice/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = serve({ hostname: "127.0.0.1", port: 0 }, async (socket) => {
 *   for await (const message of socket) await socket.send(message);
 * });
 * const { port } = server.addr as { port: number };
 *
 * const stream = new WebSocketStream(`ws://127.0.0.1:${port}/`);
 * const { readable, writable } = await stream.opened;
 * const writer = writable.getWriter();
 * const reader = readable.getReader();
 * await writer.write("Hello");
 * assertEquals(await reader.read(), { done: false, value: "Hello" });
 * stream.close({ closeCode: 1000 });
 * assertEquals((await stream.closed).closeCode, 1000);
 * ```
 *
 * @see {@link https://websockets.spec.whatwg.org/ WHATWG WebSockets}
 */
export class WebSocketStream {
  /** Where to: `ws:` or `wss:`, as it was understood; without user information. */
  readonly url: string;
  readonly #stop = new AbortController();
  readonly #opened: PromiseWithResolvers<WebSocketOpenInfo> = handled();
  readonly #closed: PromiseWithResolvers<ClosePayload> = handled();
  #connection: WebSocketConnection | undefined;

  /**
   * Starts to connect.
   *
   * @param url Where to: `ws:` or `wss:`, or `http:` or `https:`, which stand for them.
   * @param options What {@linkcode connect} takes.
   * @throws {DOMException} a `SyntaxError` where the URL or a subprotocol is malformed.
   * @throws {TypeError} where a header is malformed.
   * @throws {RangeError} where a limit is.
   */
  constructor(url: string | URL, options: ConnectOptions = {}) {
    this.url = makeConnectPlan(url, options).url.href;
    void this.#open(url, options);
  }

  /** Resolves once it's open; rejects where it could not be opened. */
  get opened(): Promise<WebSocketOpenInfo> {
    return this.#opened.promise;
  }

  /**
   * Resolves when the connection has ended cleanly, to the code and the reason of the Close frame that
   * came: 1005 where it had no code. Rejects with a {@linkcode WebSocketError} with both where that was
   * not clean: 1006 where none came, and its `cause` is what went wrong. `readable` and `writable` fail
   * with the same error. Where it never opened, it rejects with what `opened` does.
   */
  get closed(): Promise<ClosePayload> {
    return this.#closed.promise;
  }

  /**
   * Starts the closing handshake, or gives up what is not open yet. Without effect where it has been
   * started.
   *
   * @param closeInfo The code and the reason to send; none where left out.
   * @throws {DOMException} an `InvalidAccessError` where the code is neither 1000 nor 3000-4999: the
   * others are for the implementation (use {@linkcode connect} to send one all the same); a
   * `SyntaxError` where the reason is too long.
   */
  close(closeInfo: WebSocketCloseInfo = {}): void {
    const { closeCode, reason } = checked(closeInfo);
    if (this.#connection !== undefined) {
      void this.#connection.close(closeCode, reason);
      return;
    }
    this.#stop.abort(
      new WebSocketError("The WebSocket was closed before it was open", {
        code: "ERR_CLOSED_WHILE_CONNECTING",
        closeCode: 1006,
      }),
    );
  }

  async #open(url: string | URL, { signal, ...options }: ConnectOptions): Promise<void> {
    const onAbort = () => this.#stop.abort(signal!.reason);
    try {
      if (signal?.aborted) onAbort();
      else signal?.addEventListener("abort", onAbort);
      const connection = await connect(url, { ...options, signal: this.#stop.signal });
      if (this.#stop.signal.aborted) {
        connection.abort();
        throw this.#stop.signal.reason;
      }
      this.#connection = connection;
      this.#opened.resolve(this.#pipes(connection));
    } catch (error) {
      this.#opened.reject(error);
      this.#closed.reject(error);
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Makes the two streams, and ties them to each other's end. */
  #pipes(connection: WebSocketConnection): WebSocketOpenInfo {
    /** Whether a write waits: one that waits at the end is lost. */
    let isWriting = false;
    const ended = connection.closed.then((info) => endOf(info, isWriting));
    const closeWith = (reason: unknown) => this.#closeWith(reason);
    const closeFor = async (reason: unknown) => {
      closeWith(reason);
      const { error } = await ended;
      if (error !== undefined) throw error;
    };

    const source = new MessageSource(connection, ended, closeFor);
    // The platform's marks: 0 keeps what nobody reads in the connection's own queue, which is bounded
    // in bytes; with 1, one write waits for another.
    const readable = new ReadableStream<Message>(source, { highWaterMark: 0 });
    let controller!: WritableStreamDefaultController;
    let isClosing = false;
    const writable = new WritableStream<Sendable>({
      start(own) {
        controller = own;
        // abort() itself comes only after a write that waits, perhaps for good.
        own.signal.addEventListener("abort", () => closeWith(own.signal.reason));
      },
      async write(chunk) {
        const { readyState } = connection;
        const sent = connection.send(chunk);
        isWriting = readyState === ReadyState.Open;
        try {
          await sent;
          isWriting = false;
        } catch (error) {
          throw isWriting ? (await ended).error : error;
        }
      },
      close() {
        isClosing = true;
        return closeFor(undefined);
      },
      abort: closeFor,
    }, { highWaterMark: 1 });

    void ended.then((end) => {
      source.end(end);
      if (!isClosing) {
        controller.error(
          end.error ??
            new DOMException("Cannot write: the WebSocket is closed", "InvalidStateError"),
        );
      }
      const { error, closeCode, reason } = end;
      if (error !== undefined) this.#closed.reject(error);
      else this.#closed.resolve({ closeCode, reason });
    });
    const { protocol, extensions } = connection;
    return { readable, writable, extensions, protocol };
  }

  /** Closes with what the reason of a cancelled or an aborted stream tells, where it may be sent. */
  #closeWith(cause: unknown): void {
    if (!(cause instanceof WebSocketError)) return this.close();
    const { closeCode, reason } = cause;
    try {
      this.close({ closeCode, reason });
    } catch {
      this.close();
    }
  }
}

/** What a connection's end is to a stream. */
function endOf({ closeCode, reason, wasClean, error: cause }: CloseInfo, isWriting: boolean): End {
  if (wasClean && !isWriting) return { closeCode, reason, error: undefined };
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  const error = new WebSocketError(`The WebSocket was not closed cleanly (${closeCode})${why}`, {
    code: cause instanceof WebSocketError ? cause.code : "ERR_UNCLEAN_CLOSE",
    closeCode,
    reason,
    cause,
  });
  return { closeCode, reason, error };
}

/** The arguments for a connection's own `close()`, by the platform's rules. */
function checked({ closeCode, reason = "" }: WebSocketCloseInfo): WebSocketCloseInfo {
  if (closeCode === undefined) {
    if (reason === "") return {};
    closeCode = 1000;
  } else if (closeCode !== 1000 && !(closeCode >= 3000 && closeCode <= 4999)) {
    throw new DOMException(
      `Cannot close with code ${closeCode}: expected 1000 or 3000-4999`,
      "InvalidAccessError",
    );
  }
  encodeClosePayload(closeCode, reason);
  return { closeCode, reason };
}

/** A promise that nobody has to look at. */
function handled<Value>(): PromiseWithResolvers<Value> {
  const deferred = Promise.withResolvers<Value>();
  deferred.promise.catch(() => {});
  return deferred;
}
