import type { CloseInfo } from "../connection/close_info.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { CloseCode } from "../protocol/close_code.ts";
import type { ClosePayload } from "../protocol/close_code.ts";
import { applicationClose } from "../protocol/close_info_init.ts";
import type { ApplicationClose } from "../protocol/close_info_init.ts";
import { WebSocketError } from "../protocol/errors.ts";
import type { Message } from "../protocol/message.ts";
import { checkTimeout, withTimeout } from "../util/abort.ts";
import { checkOptions } from "../util/options.ts";
import { connectOptionChecks } from "./connect_options.ts";
import type { ConnectOptions } from "./connect_options.ts";
import { makeConnectPlan } from "./connect_plan.ts";
import type { ConnectPlan } from "./connect_plan.ts";
import { dial } from "./dial.ts";
import { WebSocketStreamSink } from "./websocket_stream_sink.ts";
import { WebSocketStreamSource } from "./websocket_stream_source.ts";
import type { StreamEnd } from "./websocket_stream_source.ts";

/** Options of {@linkcode WebSocketStream}: those of the standard, and those of {@linkcode connect}. */
export interface WebSocketStreamOptions
  extends Omit<ConnectOptions, "protocols" | "discardMessages"> {
  /**
   * The subprotocols to offer, in order of preference. If there are any, the connection is opened only
   * if the server chooses one of them.
   *
   * @default {[]} none
   */
  protocols?: Iterable<string>;
}

/** The value of {@linkcode WebSocketStream.opened}. */
export interface WebSocketOpenInfo {
  /** The received messages: text as a string, binary as bytes with an `ArrayBuffer` of their own. */
  readable: ReadableStream<Message>;
  /**
   * Sends messages: an `ArrayBuffer` or a view of one as a binary message, any other value as text,
   * converted to a string.
   */
  writable: WritableStream<unknown>;
  /** The extensions in use, as in `Sec-WebSocket-Extensions`; empty if there are none. */
  extensions: string;
  /** The subprotocol that the server chose; empty if there is none. */
  protocol: string;
}

/** The argument of {@linkcode WebSocketStream.close}. */
export interface WebSocketCloseInfo {
  /**
   * The close code: 1000, or 3000-4999.
   *
   * @default {undefined} 1000 if there is a reason, otherwise none is sent
   */
  closeCode?: number;
  /**
   * The reason, for people: at most 123 bytes of UTF-8.
   *
   * @default {""} none
   */
  reason?: string;
}

/**
 * A client's WebSocket as a pair of streams: the platform's `WebSocketStream`, for Deno and Bun.
 * {@linkcode connect} has more functions, such as `ping()` and callbacks, and is faster.
 *
 * Backpressure applies to both streams: nothing is read from the socket while `readable` is not read,
 * and a write waits while the server does not read. Ignoring a promise is safe: its rejection is never
 * reported as unhandled.
 *
 * It follows the standard's text, with these differences: it takes all options of {@linkcode connect},
 * and an unknown option is a `TypeError`; the URL must be absolute, and `url` has no user information; {@linkcode WebSocketError} is an `Error`
 * with a string as its `code`, not a `DOMException`, and has a `cause`, such as the
 * {@linkcode HandshakeError} of a refusal; a write after `close()` rejects, and is not dropped in
 * silence.
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
  /** The URL, with the scheme `ws:` or `wss:` and without user information. */
  readonly url: string;
  readonly #stop = new AbortController();
  readonly #opened: PromiseWithResolvers<WebSocketOpenInfo> = handled();
  readonly #closed: PromiseWithResolvers<ClosePayload> = handled();
  #connection: WebSocketConnection | undefined;
  #source: WebSocketStreamSource | undefined;

  /**
   * Starts to connect.
   *
   * @param url The URL: `ws:` or `wss:`, or `http:` or `https:`, which mean the same.
   * @param options Those of the standard, `protocols` and `signal`, and those of {@linkcode connect}.
   * @throws {DOMException} A `SyntaxError` if the URL or a subprotocol is malformed.
   * @throws {TypeError} If an argument can't be converted, or a header is malformed.
   * @throws {RangeError} If a limit is out of range.
   */
  constructor(url: string | URL, options: WebSocketStreamOptions = {}) {
    // Web IDL: "constructor(USVString url, optional WebSocketStreamOptions options = {})".
    if (url === undefined) throw new TypeError("Cannot create a WebSocketStream: expected a URL");
    const { protocols, signal, ...rest } = toOptions(options);
    checkOptions("WebSocketStream", { ...rest, protocols }, streamOptionChecks);
    checkTimeout(rest.timeout);
    // "Let urlRecord be the result of getting a URL record given url and baseURL." "If any of the values
    // in protocols occur more than once or otherwise fail to match the requirements [...], then throw a
    // "SyntaxError" DOMException."
    const plan = makeConnectPlan(`${url}`.toWellFormed(), {
      ...rest,
      protocols,
      // "If type indicates that the data is Binary, let chunk be a new Uint8Array object, created in the
      // relevant realm [...], whose contents are data": it shares its buffer with no other.
      payload: "owned",
    });
    // "Set this's url to urlRecord."
    this.url = plan.url.href;
    // "If signal is aborted, then reject this's opened promise and closed promise with signal's abort
    // reason and return."
    if (signal?.aborted) this.#fail(signal.reason);
    // "Establish a WebSocket connection given urlRecord, protocols, and client." Fetch: it fails if
    // protocols is not empty and the server has chosen none of them.
    else void this.#open({ ...plan, requiresProtocol: true }, signal, rest.timeout);
  }

  /** Resolves when the connection is open; rejects if it can't be opened. */
  get opened(): Promise<WebSocketOpenInfo> {
    return this.#opened.promise;
  }

  /**
   * Resolves when the connection has closed cleanly, to the code and the reason of the received Close
   * frame: 1005 if it had no code. Otherwise it rejects with a {@linkcode WebSocketError} that has both:
   * 1006 if no Close was received. The streams fail with the same error. If the connection never opened,
   * it rejects with the error of `opened`.
   */
  get closed(): Promise<ClosePayload> {
    return this.#closed.promise;
  }

  /**
   * Starts the closing handshake, or ends the attempt to connect. Messages that have not been read are
   * dropped. It has no effect if the connection is closing already.
   *
   * @param closeInfo The code and the reason to send; none if it is omitted.
   * @throws {DOMException} An `InvalidAccessError` if the code is neither 1000 nor 3000-4999: the others
   * are for the implementation ({@linkcode connect} can send them); a `SyntaxError` if the reason is
   * too long.
   * @throws {TypeError} If a value can't be converted.
   */
  close(closeInfo: WebSocketCloseInfo = {}): void {
    this.#close(applicationClose(closeInfo));
  }

  /** "To close the WebSocket". */
  #close({ closeCode, reason }: ApplicationClose): void {
    if (this.#connection !== undefined) {
      // "Start the WebSocket closing handshake". "If code is null and reason is the empty string, the
      // WebSocket Close frame must not have a body."
      void this.#connection.close(closeCode ?? undefined, closeCode === null ? undefined : reason);
      void this.#source!.discard();
      return;
    }
    // "If the WebSocket connection is not yet established: Fail the WebSocket connection".
    this.#stop.abort(
      new WebSocketError("The WebSocket was closed before it was open", {
        code: "ERR_CLOSED_WHILE_CONNECTING",
        closeCode: CloseCode.AbnormalClosure,
      }),
    );
  }

  async #open(
    plan: ConnectPlan,
    signal: AbortSignal | undefined,
    timeout: number | undefined,
  ): Promise<void> {
    // "Add the following abort steps to signal: If the WebSocket connection is not yet established: Fail
    // the WebSocket connection. [...] Reject this's opened promise and closed promise with signal's abort
    // reason."
    const onAbort = () => this.#stop.abort(signal!.reason);
    signal?.addEventListener("abort", onAbort);
    const limits = { signal: this.#stop.signal, ...(timeout === undefined ? {} : { timeout }) };
    try {
      const connection = await withTimeout(limits, (signal) => dial(plan, signal));
      if (this.#stop.signal.aborted) {
        connection.abort();
        throw this.#stop.signal.reason;
      }
      this.#connection = connection;
      this.#opened.resolve(this.#makeStreams(connection));
    } catch (error) {
      this.#fail(this.#stop.signal.aborted ? error : notOpened(error));
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #fail(error: unknown): void {
    this.#opened.reject(error);
    this.#closed.reject(error);
  }

  /** "When the WebSocket connection is established for a WebSocketStream stream". */
  #makeStreams(connection: WebSocketConnection): WebSocketOpenInfo {
    const ended: Promise<StreamEnd> = connection.closed.then((info) => endOf(info, sink.isWriting));
    const closeUsing = (reason: unknown) => this.#closeUsing(reason);
    const closeAndWait = async (reason: unknown) => {
      closeUsing(reason);
      const { error } = await ended;
      if (error !== undefined) throw error;
    };
    const source = new WebSocketStreamSource(connection, ended, closeAndWait);
    const sink = new WebSocketStreamSink(connection, ended, closeAndWait, closeUsing);
    this.#source = source;
    // A mark of 0 keeps unread messages in the connection's queue, whose limit is in bytes.
    // "Set up writable with writeAlgorithm, closeAlgorithm, and abortAlgorithm": its mark is 1 by
    // default, so that one write waits for another.
    const readable = new ReadableStream<Message>(source, { highWaterMark: 0 });
    const writable = new WritableStream<unknown>(sink, { highWaterMark: 1 });
    // "When the WebSocket connection is closed for a WebSocketStream stream, possibly cleanly".
    void ended.then((end) => {
      source.end(end);
      sink.end(end);
      const { error, closeCode, reason } = end;
      if (error !== undefined) this.#closed.reject(error);
      else this.#closed.resolve({ closeCode, reason });
    });
    const { protocol, extensions } = connection;
    return { readable, writable, extensions, protocol };
  }

  /** "To close using reason a WebSocketStream stream given reason". */
  #closeUsing(reason: unknown): void {
    // "If reason implements WebSocketError, Set code to reason's closeCode. Set reasonString to reason's
    // reason. Close the WebSocket with stream, code, and reasonString. If this throws an exception,
    // discard code and reasonString and close the WebSocket with stream."
    let info: ApplicationClose = { closeCode: null, reason: "" };
    try {
      if (reason instanceof WebSocketError) {
        info = applicationClose({
          closeCode: reason.closeCode ?? undefined,
          reason: reason.reason,
        });
      }
    } catch {
      // A code that only the implementation may send, such as that of `closed`.
    }
    this.#close(info);
  }
}

const { discardMessages: _, payload: __, overwriteBorrowed: ___, ...streamOptionChecks } =
  connectOptionChecks;

/** Web IDL: converts the options. */
function toOptions(options: unknown): ConnectOptions & { protocols: string[] } {
  if (options === null || options === undefined) return { protocols: [] };
  // "dictionary WebSocketStreamOptions { sequence<USVString> protocols; AbortSignal signal; };"
  if (typeof options !== "object" && typeof options !== "function") {
    throw new TypeError(`Cannot use options: expected an object, got ${typeof options}`);
  }
  // Web IDL: each member is read once, in the order of their names.
  const { protocols = [], signal, ...rest } = options as {
    protocols?: unknown;
    signal?: unknown;
  };
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError("Cannot use signal: expected an AbortSignal");
  }
  if (typeof protocols !== "object" || protocols === null || !(Symbol.iterator in protocols)) {
    throw new TypeError("Cannot use protocols: expected a list of strings");
  }
  const list = [...protocols as Iterable<unknown>];
  return {
    ...rest,
    ...(signal === undefined ? {} : { signal }),
    protocols: list.map((protocol) => `${protocol}`.toWellFormed()),
  };
}

/** The error of `opened`: "reject stream's opened promise with a new WebSocketError". */
function notOpened(cause: unknown): WebSocketError {
  if (cause instanceof WebSocketError && cause.constructor === WebSocketError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new WebSocketError(message, {
    code: cause instanceof WebSocketError ? cause.code : "ERR_CONNECT",
    closeCode: CloseCode.AbnormalClosure,
    cause,
  });
}

/** Returns the end of the streams for that of the connection. */
function endOf(
  { closeCode, reason, wasClean, error: cause }: CloseInfo,
  isWriting: boolean,
): StreamEnd {
  if (wasClean && !isWriting) return { closeCode, reason, error: undefined };
  // "Let error be a new WebSocketError whose closeCode is code and reason is reason."
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  const error = new WebSocketError(`The WebSocket was not closed cleanly (${closeCode})${why}`, {
    code: cause instanceof WebSocketError ? cause.code : "ERR_UNCLEAN_CLOSE",
    closeCode,
    reason,
    cause,
  });
  return { closeCode, reason, error };
}

/** Returns a promise whose rejection may be ignored. */
function handled<Value>(): PromiseWithResolvers<Value> {
  const deferred = Promise.withResolvers<Value>();
  deferred.promise.catch(() => {});
  return deferred;
}
