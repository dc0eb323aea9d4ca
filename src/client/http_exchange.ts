import { ResponseBody } from "../http/response_body.ts";
import { ResponseHeadParser } from "../http/response_head_parser.ts";
import type { ResponseHead } from "../http/response_head_parser.ts";
import { concat, EMPTY } from "../protocol/bytes.ts";
import { CloseCode } from "../protocol/close_code.ts";
import { WebSocketError } from "../protocol/errors.ts";
import type { Limits } from "../protocol/limits.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";

/** One HTTP request, and what is to become of its answer. */
export interface ExchangeInit<Result> {
  /** The request, whole. */
  readonly request: Uint8Array<ArrayBuffer>;
  readonly limits: Readonly<Limits>;
  /** Gives the exchange up, and drops the connection. */
  readonly signal: AbortSignal;
  /** Who is asked, to be named in a message. */
  readonly peer: string;
  /** Whether this is the status that was asked for. */
  isWanted(status: number): boolean;
  /**
   * Takes the transport over, at once: sets its handler or pauses it. What this throws is what the
   * exchange rejects with.
   *
   * @param early What came after the head; the caller's own.
   */
  take(head: ResponseHead, early: Uint8Array): Result;
  /** Makes the error for an answer with another status. */
  refuse(head: ResponseHead, body: Uint8Array<ArrayBuffer>): Error;
}

/**
 * Sends one HTTP request over a connection, and reads the answer: its head, and where it's not what
 * was asked for, the beginning of its body.
 *
 * @returns what `take()` does.
 * @throws {HandshakeError} where the answer is no HTTP, or another one than was asked for.
 * @throws {WebSocketError} where the peer leaves before it has answered, with code
 * `ERR_HANDSHAKE_LEFT`.
 * @throws {unknown} the signal's reason where it aborts. Whatever it throws, the connection is closed.
 */
export function exchange<Result>(
  transport: Transport,
  init: ExchangeInit<Result>,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    new Exchange(transport, init, resolve, reject).start();
  });
}

class Exchange<Result> implements TransportHandler {
  readonly #transport: Transport;
  readonly #init: ExchangeInit<Result>;
  readonly #resolve: (result: Result) => void;
  readonly #reject: (error: unknown) => void;
  #parser: ResponseHeadParser;
  #head: ResponseHead | undefined;
  #early: Uint8Array = EMPTY;
  #body: ResponseBody | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isWriting = false;
  #isDone = false;

  constructor(
    transport: Transport,
    init: ExchangeInit<Result>,
    resolve: (result: Result) => void,
    reject: (error: unknown) => void,
  ) {
    this.#transport = transport;
    this.#init = init;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#parser = new ResponseHeadParser(init.limits);
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

  /** Transport: bytes. */
  data(chunk: Uint8Array): void {
    if (this.#isDone) return;
    if (this.#body !== undefined) return this.#readBody(this.#body, chunk);
    if (this.#head !== undefined) return this.#keep(chunk);
    try {
      const rest = this.#readHead(chunk);
      if (rest !== undefined) this.#keep(rest);
    } catch (error) {
      return this.#fail(error);
    }
    if (this.#head !== undefined) this.#answered();
  }

  /** Transport: the request has gone out. */
  drain(): void {
    this.#isWriting = false;
    if (this.#head !== undefined && this.#body === undefined && !this.#isDone) this.#answered();
  }

  /** Transport: the peer's FIN. */
  end(): void {
    if (!this.#isDone) this.#left(undefined);
  }

  /** Transport: gone. */
  close(error?: unknown): void {
    if (!this.#isDone) this.#left(error);
  }

  /** Reads up to the head of the final answer; gives back what follows it. */
  #readHead(chunk: Uint8Array): Uint8Array | undefined {
    let rest = chunk;
    while (rest.length > 0) {
      const used = this.#parser.push(rest);
      if (used === -1) return undefined;
      const head = this.#parser.head!;
      rest = rest.subarray(used);
      // RFC 9110 §15.2: "A client MUST be able to parse one or more 1xx responses received prior to a
      // final response". 101 is final, for HTTP.
      if (head.status >= 200 || head.status === 101) {
        this.#head = head;
        return rest;
      }
      this.#parser = new ResponseHeadParser(this.#init.limits);
    }
    return undefined;
  }

  /** Keeps what comes after the head; the chunk may be lent. */
  #keep(chunk: Uint8Array): void {
    this.#early = concat(this.#early, chunk);
  }

  #answered(): void {
    const head = this.#head!;
    if (!this.#init.isWanted(head.status)) {
      this.#body = new ResponseBody(head);
      // What it says is of use, but to wait for it is not: it may never end.
      this.#timer = setTimeout(() => this.#refuse(), this.#init.limits.closeTimeout);
      return this.#readBody(this.#body, this.#early);
    }
    // Whoever takes the transport over must be able to write at once.
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
    // It has been heard out: no reason for a reset.
    this.#transport.close();
  }

  #left(cause: unknown): void {
    // The end of a connection is a way to end a body: RFC 9112 §6.3.
    if (this.#body !== undefined) return this.#refuse();
    this.#fail(
      new WebSocketError(`${this.#init.peer} left before it answered`, {
        code: "ERR_HANDSHAKE_LEFT",
        closeCode: CloseCode.AbnormalClosure,
        cause,
      }),
    );
  }

  readonly #onAbort = (): void => this.#fail(this.#init.signal.reason);

  #fail(error: unknown): void {
    this.#finish();
    this.#reject(error);
    this.#transport.abort();
  }

  #finish(): void {
    this.#isDone = true;
    clearTimeout(this.#timer);
    this.#init.signal.removeEventListener("abort", this.#onAbort);
  }
}
