import { CloseCode, encodeClosePayload } from "../protocol/close_code.ts";
import type { ClosePayload } from "../protocol/close_code.ts";
import { Opcode } from "../protocol/opcode.ts";
import type { EndpointSettings } from "./connection_settings.ts";
import type { CloseInfo } from "./close_info.ts";
import type { Sender } from "./sender.ts";
import { Timer } from "../util/timers.ts";
import type { Transport } from "../transport/transport.ts";

/** What the closing handshake waits for: first for the owner, then for the peer. */
type Wait = "answer" | "flush" | "close" | "end";

/** The connection that is being closed. */
export interface CloseHandshakeOwner {
  readonly settings: EndpointSettings;
  readonly transport: Transport;
  readonly outgoing: Sender;
  /** Whether its user is done with every message so far, so that a Close may be answered. */
  readonly isSettled: boolean;
  /** Whether it has failed: no Close of the peer's is waited for. */
  readonly hasFailed: boolean;
  /** Whether the peer has ended its direction of TCP. */
  readonly hasEnded: boolean;
  /** Whether TCP has ended. */
  readonly isClosed: boolean;
  /** Sends a Close frame, and takes the next steps. */
  sendClose(payload: Uint8Array): void;
}

/**
 * The closing handshake of a connection, from its first Close frame on, sent or received, to the end
 * of TCP (RFC 6455 §7): a chain of steps, each with a wait that is bounded.
 */
export class CloseHandshake extends Timer {
  /** The peer's Close, once it has come. */
  received: ClosePayload | undefined;
  readonly #owner: CloseHandshakeOwner;
  #isSent = false;
  #isShutdown = false;
  #waitsFor: Wait = "answer";
  /** Runs until the end of the turn. */
  #turn: ReturnType<typeof setTimeout> | undefined;

  constructor(owner: CloseHandshakeOwner) {
    super();
    this.#owner = owner;
  }

  /** Whether our Close frame has been sent. */
  get isSent(): boolean {
    return this.#isSent;
  }

  /** Sends our Close frame: no data may follow it. */
  send(payload: Uint8Array): void {
    this.#owner.outgoing.send({ opcode: Opcode.Close, payload });
    this.#isSent = true;
    clearTimeout(this.#turn);
  }

  /**
   * RFC 6455 §5.5.1: "If an endpoint receives a Close frame and did not previously send a Close frame,
   * the endpoint MUST send a Close frame in response." It "typically echos the status code it
   * received".
   */
  answer(): void {
    const { closeCode } = this.received!;
    this.#owner.sendClose(
      closeCode === CloseCode.NoStatusReceived ? new Uint8Array(0) : encodeClosePayload(closeCode),
    );
  }

  /** The peer's Close has come. */
  begun(): void {
    const owner = this.#owner;
    if (this.#isSent || owner.isClosed) this.advance();
    else if (owner.isSettled) this.answer();
    // The messages before the Close are delivered first, and may be answered.
    else this.#wait("answer");
  }

  /** The owner is done with the last message; it may yet answer it, within this turn. */
  settled(): void {
    this.stopTimer();
    clearTimeout(this.#turn);
    this.#turn = setTimeout(() => this.#turned(), 0);
  }

  /** Takes the next step, once our Close frame is on its way. */
  advance(): void {
    const owner = this.#owner;
    if (!this.#isSent || owner.isClosed) return;
    if (owner.outgoing.bufferedAmount > 0) return this.#goOnWaiting("flush");
    if (this.received === undefined && !owner.hasFailed) return this.#goOnWaiting("close");
    // RFC 6455 §7.1.1: "the underlying TCP connection, in most normal cases, SHOULD be closed first by
    // the server". A half-close, then read until the peer's end: to close at once with something
    // unread would reset the connection, and could destroy our Close frame on its way.
    if ((owner.settings.role === "server" || owner.hasFailed) && !this.#isShutdown) {
      this.#isShutdown = true;
      owner.transport.shutdown();
    }
    if (owner.hasEnded) owner.transport.close();
    else this.#goOnWaiting("end");
  }

  /** A peer that reads is alive: a long queue, with our Close at its end, may take its time to go out. */
  progressed(): void {
    if (this.wheel !== undefined && this.#waitsFor === "flush") this.#wait("flush");
  }

  /** The connection is gone. */
  end(): void {
    this.stopTimer();
    clearTimeout(this.#turn);
  }

  /** Timers: the wait has been long enough. */
  timeUp(): void {
    if (this.#waitsFor === "answer") this.answer();
    else this.#owner.transport.abort();
  }

  /** Waits for the next step, unless it's waited for already: more of the peer's bytes win no time. */
  #goOnWaiting(wait: Wait): void {
    const waitsFor = this.wheel === undefined ? undefined : this.#waitsFor;
    // A Pong that is on its way out, after our Close, is no reason to begin again either.
    if (waitsFor !== wait && !(wait === "flush" && waitsFor === "close")) this.#wait(wait);
  }

  /** Bounds the wait for the next step; a wait that begins ends the one before. */
  #wait(wait: Wait): void {
    clearTimeout(this.#turn);
    this.#waitsFor = wait;
    const { timers, limits } = this.#owner.settings;
    timers.start(this, limits.closeTimeout);
  }

  #turned(): void {
    if (this.#owner.isSettled) this.answer();
    else this.#wait("answer");
  }
}

/**
 * How a connection has ended.
 *
 * @param closing Its closing handshake, if there was any.
 * @param owner The connection.
 * @param failure Why it has failed, if it has.
 * @param error What the transport has met, if it has met something.
 */
export function closeInfo(
  closing: CloseHandshake | undefined,
  { outgoing }: CloseHandshakeOwner,
  failure: unknown,
  error: unknown,
): CloseInfo {
  const received = closing?.received;
  const info: CloseInfo = {
    closeCode: received?.closeCode ?? CloseCode.AbnormalClosure,
    reason: received?.reason ?? "",
    // Our Close may be written and not be sent: the peer has stopped reading.
    wasClean: received !== undefined && closing?.isSent === true && failure === undefined &&
      outgoing.bufferedAmount === 0,
  };
  const cause = failure ?? (info.wasClean ? undefined : error);
  if (cause !== undefined) info.error = cause;
  return info;
}
