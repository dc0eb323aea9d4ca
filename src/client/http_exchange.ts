import { HandshakeError } from "../http/errors.ts";
import { ResponseBody } from "../http/response_body.ts";
import { ResponseHeadParser } from "../http/response_head_parser.ts";
import type { ResponseHead } from "../http/response_head_parser.ts";
import { concat, EMPTY } from "../protocol/bytes.ts";
import { CloseCode } from "../protocol/close_code.ts";
import { WebSocketError } from "../protocol/errors.ts";
import type { Limits } from "../connection/limits.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";
import { CallbackTimer, timers as processTimers } from "../util/timers.ts";
import type { Timers } from "../util/timers.ts";

/** The longest time that the body of a refusal is read, in milliseconds: most come with the head. */
const BODY_TIMEOUT = 200;

/** Parameters of {@linkcode httpExchange}: a request, and the treatment of its response. */
export interface HttpExchangeInit<Result> {
  /** The whole request. */
  readonly request: Uint8Array<ArrayBuffer>;
  /** The limits of the response. */
  readonly limits: Readonly<Limits>;
  /** Limit the time for the body of a refusal; those of the process by default. */
  readonly timers?: Timers | undefined;
  /** Ends the exchange when it aborts, and drops the connection. */
  readonly signal: AbortSignal;
  /** The peer, for error messages. */
  readonly peer: string;
  /** Returns whether a status is a success. */
  isWanted(status: number): boolean;
  /**
   * Takes the transport over, synchronously: sets its handler or pauses it. If this throws, the
   * exchange rejects with the error.
   *
   * @param early The bytes received after the head: an array of its own.
   */
  take(head: ResponseHead, early: Uint8Array): Result;
  /** Creates the error for a response with another status. */
  refuse(head: ResponseHead, body: Uint8Array<ArrayBuffer>): Error;
}

/**
 * Sends one HTTP request over a transport, and reads the head of the response; if its status is not a
 * success, also the beginning of its body. The transport is closed if this rejects.
 *
 * @returns The result of `take()`.
 * @throws {HandshakeError} If the response is not HTTP, or has another status.
 * @throws {WebSocketError} If the peer disconnects before it has answered, with code
 * `ERR_HANDSHAKE_LEFT`.
 * @throws {unknown} The signal's reason if it aborts.
 */
export function httpExchange<Result>(
  transport: Transport,
  init: HttpExchangeInit<Result>,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    new HttpExchange(transport, init, resolve, reject).start();
  });
}

class HttpExchange<Result> implements TransportHandler {
  readonly #transport: Transport;
  readonly #init: HttpExchangeInit<Result>;
  readonly #resolve: (result: Result) => void;
  readonly #reject: (error: unknown) => void;
  #parser: ResponseHeadParser;
  /** The size in bytes of the 1xx responses received so far. */
  #headsSize = 0;
  #head: ResponseHead | undefined;
  #early: Uint8Array = EMPTY;
  #body: ResponseBody | undefined;
  #bodyTimer: CallbackTimer | undefined;
  #isWriting = false;
  #isDone = false;

  constructor(
    transport: Transport,
    init: HttpExchangeInit<Result>,
    resolve: (result: Result) => void,
    reject: (error: unknown) => void,
  ) {
    this.#transport = transport;
    this.#init = init;
    this.#resolve = resolve;
    this.#reject = reject;
    const { maxHeadSize, maxHeaders } = init.limits;
    this.#parser = new ResponseHeadParser({ maxHeadSize, maxHeaders });
  }

  start(): void {
    const { signal, request } = this.#init;
    if (signal.aborted) return this.#fail(signal.reason);
    signal.addEventListener("abort", this.#onAbort);
    this.#isWriting = true;
    this.#transport.handler = this;
    if (this.#transport.write(request)) this.#isWriting = false;
    this.#transport.resume();
  }

  /** Transport: received bytes. */
  data(chunk: Uint8Array): void {
    if (this.#isDone) return;
    if (this.#body !== undefined) return this.#readBody(this.#body, chunk);
    if (this.#head !== undefined) return this.#keepEarly(chunk);
    try {
      const rest = this.#readHead(chunk);
      if (rest !== undefined) this.#keepEarly(rest);
    } catch (error) {
      return this.#fail(error);
    }
    if (this.#head !== undefined) this.#onHead();
  }

  /** Transport: the request has been written. */
  drain(): void {
    this.#isWriting = false;
    if (this.#head !== undefined && this.#body === undefined && !this.#isDone) this.#onHead();
  }

  /** Transport: the peer has sent its FIN. */
  end(): void {
    if (!this.#isDone) this.#lost(undefined);
  }

  /** Transport: the connection has closed. */
  close(error?: unknown): void {
    if (!this.#isDone) this.#lost(error);
  }

  /** Reads up to the end of the final response's head; returns the bytes that follow it. */
  #readHead(chunk: Uint8Array): Uint8Array | undefined {
    let rest = chunk;
    while (rest.length > 0) {
      const used = this.#pushHead(rest);
      if (used === -1) return undefined;
      const head = this.#parser.head!;
      rest = rest.subarray(used);
      // RFC 9110 §15.2: "A client MUST be able to parse one or more 1xx responses received prior to a
      // final response". A 101 is a final response to this request.
      if (head.status >= 200 || head.status === 101) {
        this.#head = head;
        return rest;
      }
      // All heads of a response count against one limit: a server could send 1xx without end.
      this.#headsSize += this.#parser.text.length;
      const maxHeadSize = this.#init.limits.maxHeadSize - this.#headsSize;
      if (maxHeadSize <= 0) throw this.#headsTooLarge();
      const { maxHeaders } = this.#init.limits;
      this.#parser = new ResponseHeadParser({ maxHeadSize, maxHeaders });
    }
    return undefined;
  }

  #pushHead(bytes: Uint8Array): number {
    try {
      return this.#parser.push(bytes);
    } catch (error) {
      const isTooLarge = (error as HandshakeError).code === "ERR_HANDSHAKE_HEAD_TOO_LARGE";
      throw isTooLarge && this.#headsSize > 0 ? this.#headsTooLarge() : error;
    }
  }

  #headsTooLarge(): HandshakeError {
    const { maxHeadSize } = this.#init.limits;
    return new HandshakeError(
      `Cannot open WebSocket: the heads of the response are together longer than ${maxHeadSize} ` +
        `bytes, the limit`,
      { code: "ERR_HANDSHAKE_HEAD_TOO_LARGE", status: 0 },
    );
  }

  /** Copies bytes that follow the head: the transport may reuse the chunk. */
  #keepEarly(chunk: Uint8Array): void {
    this.#early = concat(this.#early, chunk);
  }

  #onHead(): void {
    const head = this.#head!;
    if (!this.#init.isWanted(head.status)) {
      this.#body = new ResponseBody(head);
      // The body explains the status, but it may never end.
      const timeout = Math.min(BODY_TIMEOUT, this.#init.limits.closeTimeout);
      this.#bodyTimer = new CallbackTimer(() => this.#refuse());
      (this.#init.timers ?? processTimers).start(this.#bodyTimer, timeout);
      return this.#readBody(this.#body, this.#early);
    }
    // The new owner of the transport must be able to write at once.
    if (this.#isWriting) return this.#transport.pause();
    this.#finish();
    try {
      this.#resolve(this.#init.take(head, this.#early));
    } catch (error) {
      this.#reject(error);
      this.#transport.abort();
    }
  }

  #readBody(body: ResponseBody, chunk: Uint8Array): void {
    body.push(chunk);
    if (body.isDone) this.#refuse();
  }

  #refuse(): void {
    this.#finish();
    this.#reject(this.#init.refuse(this.#head!, this.#body!.bytes));
    // Not abort(): the response has been read, so there is no reason for a reset.
    this.#transport.close();
  }

  #lost(cause: unknown): void {
    // RFC 9112 §6.3: the end of the connection may be the end of the body.
    if (this.#body !== undefined) return this.#refuse();
    this.#fail(
      new WebSocketError(`${this.#init.peer} left before it answered`, {
        code: "ERR_HANDSHAKE_LEFT",
        closeCode: CloseCode.AbnormalClosure,
        cause,
      }),
    );
  }

  readonly #onAbort = (): void => {
    const { reason } = this.#init.signal;
    // A timeout while the body is read: the status says more.
    if (this.#body !== undefined && isTimeout(reason)) this.#refuse();
    else this.#fail(reason);
  };

  #fail(error: unknown): void {
    this.#finish();
    this.#reject(error);
    this.#transport.abort();
  }

  #finish(): void {
    this.#isDone = true;
    this.#bodyTimer?.stopTimer();
    this.#init.signal.removeEventListener("abort", this.#onAbort);
  }
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === "TimeoutError";
}
