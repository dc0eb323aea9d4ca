import { EMPTY } from "../protocol/bytes.ts";
import { CloseCode, encodeClosePayload } from "../protocol/close_code.ts";
import type { ClosePayload } from "../protocol/close_code.ts";
import { WebSocketError } from "../protocol/errors.ts";
import type { FrameInit } from "../protocol/frame.ts";
import { Opcode } from "../protocol/opcode.ts";
import type { Transport } from "../transport/transport.ts";
import { Timer } from "../util/timers.ts";
import type { CloseInfo } from "./close_info.ts";
import type { ConnectionSettings } from "./connection_settings.ts";

/**
 * The part of `closeTimeout` for which a consumer may reply before our Close frame. A peer that waits for
 * that frame, for the same time, must receive it before its own wait ends.
 */
const REPLY_TIME = 0.8;

/**
 * The waits of the closing handshake. Each takes at most `closeTimeout`; the first takes at most 80 % of it.
 *
 * | phase             | begins when                           | ends when                 | then               | timeout |
 * | ----------------- | ------------------------------------- | ------------------------- | ------------------ | ------- |
 * | awaiting-consumer | the peer's Close, or a broken rule,   | the consumer is done at   | we send our Close  | the     |
 * |                   | is received while the consumer        | the end of a turn         |                    | same    |
 * |                   | processes a message                   |                           |                    |         |
 * | flushing          | our Close is queued                   | the send queue is written | see below          | aborts  |
 * | awaiting-close    | our Close is written, the peer's has  | the peer's is received    | see below          | aborts  |
 * |                   | not been received                     |                           |                    |         |
 * | awaiting-eof      | both Close frames are through, or we  | the peer ends TCP         | we close TCP       | aborts  |
 * |                   | have failed the connection            |                           |                    |         |
 *
 * A phase is left out when its end has been reached before. The wait of "flushing" begins anew with each
 * progress of the transport; no other wait is extended. At the begin of "awaiting-eof" the server, and
 * either end that has failed the connection, ends its direction of TCP.
 */
export type ClosePhase = "awaiting-consumer" | "flushing" | "awaiting-close" | "awaiting-eof";

/** The missing action of the peer when a phase takes too long, for the error. */
const MISSING = {
  "flushing": "read our Close frame",
  "awaiting-close": "answered our Close frame",
  "awaiting-eof": "ended the TCP connection after its Close frame",
};

/** The members of a connection that its {@linkcode CloseHandshake} uses. */
export interface CloseHandshakeCore {
  readonly settings: Pick<ConnectionSettings<unknown>, "role" | "limits" | "timers">;
  readonly transport: Pick<Transport, "shutdown" | "close" | "abort">;
  readonly sender: { readonly queuedBytes: number; enqueue(frame: FrameInit): void };
  /** Whether the consumer has processed all messages. */
  readonly isIdle: boolean;
  /** Whether the consumer processes a message, and may still reply to it. */
  readonly mayReply: boolean;
  /** Whether the connection has failed, so that it does not wait for the peer's Close. */
  readonly hasFailed: boolean;
  /** Whether the peer has ended its direction of TCP. */
  readonly hasEnded: boolean;
  /** Whether the transport is closed. */
  readonly isClosed: boolean;
  /** Queues our Close frame, flushes, and calls `advance()`. */
  sendClose(payload: Uint8Array): void;
}

/**
 * The closing handshake of a connection (RFC 6455 §7): from the first Close frame, sent or received, to
 * the end of TCP. Made with that frame. It is the {@linkcode Timer} of its own waits.
 */
export class CloseHandshake extends Timer {
  readonly #core: CloseHandshakeCore;
  #phase: ClosePhase = "awaiting-consumer";
  #received: ClosePayload | undefined;
  /** The payload of our Close frame, while it waits for the consumer. */
  #reply: Uint8Array = EMPTY;
  #timeout: WebSocketError | undefined;
  #isSent = false;
  #isShutdown = false;
  /** Whether the peer has ended TCP without a Close frame. */
  #isCut = false;
  /** Runs at the end of an event-loop turn in which the consumer has become idle. */
  #endOfTurn: ReturnType<typeof setTimeout> | undefined;

  constructor(core: CloseHandshakeCore) {
    super();
    this.#core = core;
  }

  /** The current wait, if there is one. */
  get phase(): ClosePhase | undefined {
    return this.wheel === undefined ? undefined : this.#phase;
  }

  /** Whether our Close frame is queued. */
  get isSent(): boolean {
    return this.#isSent;
  }

  /** The peer's Close frame; `undefined` before it is received. */
  get received(): ClosePayload | undefined {
    return this.#received;
  }

  /** The error of a wait that has taken `closeTimeout`. */
  get timeout(): WebSocketError | undefined {
    return this.#timeout;
  }

  /** Queues our Close frame: no data may follow it. */
  send(payload: Uint8Array): void {
    this.#isSent = true;
    clearTimeout(this.#endOfTurn);
    this.#core.sender.enqueue({ opcode: Opcode.Close, payload });
  }

  /** The peer's Close frame has been received. */
  receive(received: ClosePayload): void {
    const core = this.#core;
    this.#received = received;
    if (this.#isSent || core.isClosed) return this.advance();
    // RFC 6455 §5.5.1: "If an endpoint receives a Close frame and did not previously send a Close frame,
    // the endpoint MUST send a Close frame in response." It "typically echos the status code it
    // received".
    const { closeCode } = received;
    this.reply(closeCode === CloseCode.NoStatusReceived ? EMPTY : encodeClosePayload(closeCode));
  }

  /**
   * Sends our Close frame after the replies to the messages that were received before the peer's. It does not
   * wait for unread messages that no caller has taken: they stay readable.
   */
  reply(payload: Uint8Array): void {
    this.#reply = payload;
    if (this.#core.isIdle) this.answer();
    else if (this.#core.mayReply) this.#wait("awaiting-consumer");
    else this.onIdle();
  }

  /** Sends the Close frame of `reply()` now. */
  answer(): void {
    this.#core.sendClose(this.#reply);
  }

  /** The consumer is done with its message; it may still reply to it within this event-loop turn. */
  onIdle(): void {
    if (this.#isCut) return;
    this.stopTimer();
    clearTimeout(this.#endOfTurn);
    this.#endOfTurn = setTimeout(() => {
      if (this.#core.mayReply) this.#wait("awaiting-consumer");
      else this.answer();
    }, 0);
  }

  /**
   * The peer has ended TCP without a Close frame, and may still read. A loop gets its turn for the messages
   * before that, as callbacks do: a runtime may report the end in the same event-loop turn as the messages.
   */
  peerEnded(): void {
    this.#isCut = true;
    this.#endOfTurn = setTimeout(() => this.#core.transport.close(), 0);
  }

  /** Begins the phase for the current state of both Close frames and TCP. No effect before ours is sent. */
  advance(): void {
    const core = this.#core;
    if (!this.#isSent || core.isClosed) return;
    if (core.sender.queuedBytes > 0) return this.#enter("flushing");
    if (this.#received === undefined && !core.hasFailed) return this.#enter("awaiting-close");
    // RFC 6455 §7.1.1: "the underlying TCP connection, in most normal cases, SHOULD be closed first by
    // the server". A half-close, then read until the peer's end: to close at once with something
    // unread would reset the connection, and could destroy our Close frame in flight.
    if ((core.settings.role === "server" || core.hasFailed) && !this.#isShutdown) {
      this.#isShutdown = true;
      core.transport.shutdown();
    }
    if (core.hasEnded) core.transport.close();
    else this.#enter("awaiting-eof");
  }

  /** The transport has written bytes: a peer that reads may take its time for a long send queue. */
  onProgress(): void {
    if (this.phase === "flushing") this.#wait("flushing");
  }

  /** The transport is closed. */
  close(): void {
    this.stopTimer();
    clearTimeout(this.#endOfTurn);
  }

  /** Timer: the wait has taken `closeTimeout`. */
  override timeUp(): void {
    if (this.#phase === "awaiting-consumer") return this.answer();
    this.#timeout = new WebSocketError(
      `The peer has not ${
        MISSING[this.#phase]
      } within ${this.#core.settings.limits.closeTimeout} ms`,
      { code: "ERR_CLOSE_TIMEOUT", closeCode: CloseCode.AbnormalClosure },
    );
    this.#core.transport.abort();
  }

  /** Begins a phase. The current phase is not restarted, so more bytes of the peer gain no time. */
  #enter(phase: ClosePhase): void {
    const current = this.phase;
    // A Pong after our Close frame does not restart the wait either.
    const isPong = phase === "flushing" && current === "awaiting-close";
    if (current !== phase && !isPong) this.#wait(phase);
  }

  /** Begins the wait of a phase, in place of the wait before it. */
  #wait(phase: ClosePhase): void {
    clearTimeout(this.#endOfTurn);
    this.#phase = phase;
    const { timers, limits } = this.#core.settings;
    const part = phase === "awaiting-consumer" ? REPLY_TIME : 1;
    timers.start(this, part * limits.closeTimeout);
  }
}

/**
 * Returns how a connection has ended.
 *
 * @param handshake Its closing handshake, if it has begun.
 * @param unwritten How many bytes had not been written: our Close may be among them.
 * @param failure Why the connection has failed, if it has.
 * @param error The error of the transport, if there is one.
 */
export function closeInfo(
  handshake: CloseHandshake | undefined,
  unwritten: number,
  failure: unknown,
  error: unknown,
): CloseInfo {
  const received = handshake?.received;
  const info: CloseInfo = {
    closeCode: received?.closeCode ?? CloseCode.AbnormalClosure,
    reason: received?.reason ?? "",
    wasClean: received !== undefined && handshake?.isSent === true && failure === undefined &&
      unwritten === 0,
  };
  const cause = failure ?? (info.wasClean ? undefined : handshake?.timeout ?? error);
  if (cause !== undefined) info.error = cause;
  return info;
}

/** Makes the error of a peer that ends TCP without a Close frame. RFC 6455 §7.1.5: the code is 1006. */
export function noCloseFrame(): WebSocketError {
  return new WebSocketError("The peer ended the connection without a Close frame", {
    code: "ERR_NO_CLOSE_FRAME",
    closeCode: CloseCode.AbnormalClosure,
  });
}
