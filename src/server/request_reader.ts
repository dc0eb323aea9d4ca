import { HandshakeError } from "../http/errors.ts";
import { RequestHeadParser } from "../http/request_head_parser.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import type { Limits } from "../protocol/limits.ts";
import { Timer, timers } from "../util/timers.ts";
import type { Transport, TransportHandler } from "../transport/transport.ts";

const NO_BYTES = /* @__PURE__ */ new Uint8Array(0);

/** What becomes of an {@linkcode RequestReader}. */
export interface RequestReaderOwner {
  /**
   * Takes what comes before the head, if something does.
   *
   * @returns the rest of the chunk, once that is complete.
   * @throws {HandshakeError} where it's malformed.
   */
  preface?(chunk: Uint8Array): Uint8Array | undefined;
  /** The head of a request is there. The transport is paused until its handler is replaced. */
  head(head: RequestHead): void;
  /** There is no request: it's malformed, too large or too late, and wants an answer. */
  refuse(error: HandshakeError): void;
  /** The peer has left before it got an answer. */
  left(error: unknown): void;
}

/**
 * A connection from which a request is to come, or whose request is being decided: reads the head, and
 * holds what comes after it, within a time.
 */
export class RequestReader extends Timer implements TransportHandler {
  /** What came after the head: the first bytes of the first frames. */
  early: Uint8Array = NO_BYTES;
  readonly #transport: Transport;
  readonly #limits: Readonly<Limits>;
  readonly #owner: RequestReaderOwner;
  #parser: RequestHeadParser | undefined;
  #hasHead = false;
  #isDone = false;

  constructor(transport: Transport, limits: Readonly<Limits>, owner: RequestReaderOwner) {
    super();
    this.#transport = transport;
    this.#limits = limits;
    this.#owner = owner;
    this.#parser = new RequestHeadParser(limits);
    timers.start(this, limits.handshakeTimeout);
    transport.handler = this;
  }

  /** The head as it came, once it's there, and until `forget()`. */
  get headText(): string {
    return this.#parser!.text;
  }

  /** Whether it has been decided, or has ended. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** The request has been decided: the transport is the caller's, to set another handler at once. */
  done(): void {
    this.#isDone = true;
    this.stopTimer();
  }

  /** The request has been decided, and is no WebSocket: what came is held no longer. */
  forget(): void {
    this.#parser = undefined;
    this.early = NO_BYTES;
  }

  /** Transport: bytes. */
  data(chunk: Uint8Array): void {
    if (this.#isDone) return;
    if (this.#hasHead) {
      const early = new Uint8Array(this.early.length + chunk.length);
      early.set(this.early);
      early.set(chunk, this.early.length);
      this.early = early;
      return;
    }
    try {
      const rest = this.#owner.preface === undefined ? chunk : this.#owner.preface(chunk);
      if (rest === undefined) return;
      const used = this.#parser!.push(rest);
      if (used === -1) return;
      if (used < rest.length) this.early = rest.slice(used); // The chunk may be lent.
    } catch (error) {
      return this.#refuse(error as HandshakeError);
    }
    this.#hasHead = true;
    this.#owner.head(this.#parser!.head!);
    // Not decided at once: the frames that may follow can wait.
    if (!this.#isDone) this.#transport.pause();
  }

  /** Transport: nothing is written before the decision. */
  drain(): void {}

  /** Transport: the peer's FIN. */
  end(): void {
    if (!this.#isDone) this.#transport.close();
  }

  /** Transport: gone. */
  close(error?: unknown): void {
    if (this.#isDone) return;
    this.done();
    this.#owner.left(error);
  }

  /** Timers: it has taken too long. */
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
    this.done();
    this.#owner.refuse(error);
  }
}
