import { HandshakeError } from "../http/errors.ts";
import { RequestHeadParser } from "../http/request_head_parser.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import type { Limits } from "../connection/limits.ts";
import { concat, EMPTY } from "../protocol/bytes.ts";
import { Timer, timers } from "../util/timers.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";

/** Receives what a {@linkcode RequestReader} reads. */
export interface RequestHandler {
  /**
   * Takes the data in front of the request head: a PROXY protocol header.
   *
   * @returns The rest of the chunk, once that header is complete.
   * @throws {HandshakeError} If the header is malformed.
   */
  preface?(chunk: Uint8Array): Uint8Array | undefined;
  /** The request head is complete. The transport is paused until its handler is replaced. */
  head(head: RequestHead): void;
  /** The request is malformed, too large or too late, and is to be answered with this error. */
  refuse(error: HandshakeError): void;
  /** The connection has been closed before the request was decided. */
  closed(error: unknown): void;
}

/**
 * Reads one HTTP request head from a connection, within `handshakeTimeout`, and keeps the data that
 * arrives after it until the request has been decided.
 */
export class RequestReader extends Timer implements TransportHandler {
  /** The data received after the head: the first bytes of the first frames. */
  early: Uint8Array = EMPTY;
  readonly #transport: Transport;
  readonly #limits: Readonly<Limits>;
  readonly #handler: RequestHandler;
  #parser: RequestHeadParser | undefined;
  #hasHead = false;
  #isDone = false;

  /** Starts reading from a transport, whose handler this object becomes. */
  constructor(transport: Transport, limits: Readonly<Limits>, handler: RequestHandler) {
    super();
    this.#transport = transport;
    this.#limits = limits;
    this.#handler = handler;
    this.#parser = new RequestHeadParser(limits);
    timers.start(this, limits.handshakeTimeout);
    transport.handler = this;
  }

  /** The head as it was received. Available between `head()` and `release()`. */
  get headText(): string {
    return this.#parser!.text;
  }

  /** Whether the request has been decided, or the connection is closed. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Ends this reader: the caller sets another handler of the transport at once. */
  finish(): void {
    this.#isDone = true;
    this.stopTimer();
  }

  /** Frees the head and the early data, when the request does not become a WebSocket. */
  release(): void {
    this.#parser = undefined;
    this.early = EMPTY;
  }

  /** Transport: received data. */
  data(chunk: Uint8Array): void {
    if (this.#isDone) return;
    if (this.#hasHead) {
      this.early = concat(this.early, chunk);
      return;
    }
    try {
      const rest = this.#handler.preface === undefined ? chunk : this.#handler.preface(chunk);
      if (rest === undefined) return;
      const used = this.#parser!.push(rest);
      if (used === -1) return;
      // A copy, since the transport may reuse the chunk.
      if (used < rest.length) this.early = rest.slice(used);
    } catch (error) {
      return this.#refuse(error as HandshakeError);
    }
    this.#hasHead = true;
    this.#handler.head(this.#parser!.head!);
    // The decision takes time: frames that follow the head are not read meanwhile.
    if (!this.#isDone) this.#transport.pause();
  }

  /** Transport: never needed, since this object writes nothing. */
  drain(): void {}

  /** Transport: the peer's FIN. */
  end(): void {
    if (!this.#isDone) this.#transport.close();
  }

  /** Transport: the connection is closed. */
  close(error?: unknown): void {
    if (this.#isDone) return;
    this.finish();
    this.#handler.closed(error);
  }

  /** Timer: the request, or the decision, has taken too long. */
  timeUp(): void {
    const { handshakeTimeout } = this.#limits;
    this.#refuse(
      this.#hasHead
        ? new HandshakeError(`Cannot answer the request within ${handshakeTimeout} ms`, {
          code: "ERR_HANDSHAKE_UPGRADE_TIMEOUT",
          status: 503,
        })
        : new HandshakeError(`Cannot wait for the request for more than ${handshakeTimeout} ms`, {
          code: "ERR_HANDSHAKE_TIMEOUT",
          status: 408,
        }),
    );
  }

  #refuse(error: HandshakeError): void {
    this.finish();
    this.#handler.refuse(error);
  }
}
