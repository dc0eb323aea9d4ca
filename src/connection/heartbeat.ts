import { CloseCode } from "../protocol/close_code.ts";
import { WebSocketError } from "../protocol/errors.ts";
import type { Limits } from "../protocol/limits.ts";
import { Timer } from "../util/timers.ts";
import type { Timers, Wheel } from "../util/timers.ts";

/** What heartbeats have in common. */
export interface HeartbeatSettings {
  readonly limits: Readonly<Limits>;
  readonly timers: Timers;
}

/** In the place of a time: a Ping has been sent, and nothing been heard since. */
const SILENT = -1;

/**
 * Finds out whether a peer is still there. RFC 6455 §5.5.2: "A Ping frame may serve either as a
 * keepalive or as a means to verify that the remote endpoint is still responsive."
 *
 * A peer of which anything at all has been heard for `pingInterval` is not asked. Else it's sent a
 * Ping; where nothing at all is heard for `pongTimeout` after it, it's lost. To be heard is to send, or
 * to read of a queue that is full: a Ping at its end takes its time to arrive.
 *
 * It counts in ticks of a {@linkcode Wheel}, so that a chunk costs it one store and no look at a clock,
 * and in the time awake: a stalled event loop makes nobody silent.
 */
export abstract class Heartbeat extends Timer {
  readonly #wheel: Wheel;
  /** When the peer was last heard, in ticks. */
  #heardAt = 0;

  constructor(settings: HeartbeatSettings) {
    super();
    const { limits: { pingInterval }, timers } = settings;
    this.#wheel = timers.wheelFor(pingInterval === Infinity ? 0 : pingInterval);
  }

  /** What it was made with. */
  abstract get settings(): HeartbeatSettings;

  /** Whether reading has stopped for a reason that is not the peer's: what may have come can't be heard. */
  abstract get isHeldBack(): boolean;

  /** Sends a Ping, unless one waits to be sent. */
  abstract beat(): void;

  /** The peer is gone. */
  abstract lost(error: WebSocketError): void;

  /** Begins, or begins anew; `stopTimer()` ends it. */
  start(): void {
    this.heard();
    const { pingInterval } = this.settings.limits;
    if (pingInterval !== Infinity) this.#wheel.start(this, pingInterval);
  }

  /** The peer has given a sign of life. */
  heard(): void {
    this.#heardAt = this.#wheel.now;
  }

  /** Timers: it's time to look. */
  timeUp(): void {
    if (this.isHeldBack) this.heard();
    const { pingInterval, pongTimeout } = this.settings.limits;
    if (this.#heardAt === SILENT) {
      if (pongTimeout !== Infinity) return this.lost(silent(pongTimeout));
    } else {
      const left = pingInterval - (this.#wheel.now - this.#heardAt) * this.#wheel.tick;
      if (left > 0) return this.#wheel.start(this, left);
    }
    this.#heardAt = SILENT;
    if (pongTimeout === Infinity) this.#wheel.start(this, pingInterval);
    else this.settings.timers.start(this, pongTimeout);
    this.beat();
  }
}

function silent(pongTimeout: number): WebSocketError {
  return new WebSocketError(`The peer has been silent for ${pongTimeout} ms after a Ping`, {
    code: "ERR_PONG_TIMEOUT",
    closeCode: CloseCode.AbnormalClosure,
  });
}
