import { payloadSize } from "../protocol/decoded_frame.ts";
import { PolicyViolationError } from "../protocol/errors.ts";
import type { FrameSink } from "../protocol/frame_sink.ts";
import { isControl } from "../protocol/opcode.ts";
import { Timer } from "../util/timers.ts";
import type { Timers } from "../util/timers.ts";
import type { OverRate } from "./connection_options.ts";
import type { Limits } from "./limits.ts";

const SECOND = 1000;

/** The settings of a connection that its {@linkcode RateLimiter} uses. */
export interface RateLimiterSettings {
  readonly limits: Pick<Limits, "messageRate" | "burst" | "byteRate">;
  readonly timers: Timers;
  /** The treatment of a peer that exceeds a rate. */
  readonly overRate?: OverRate | undefined;
}

/**
 * Limits the messages and the bytes a second of a peer, by two token buckets. The bucket of messages has
 * room for `burst`, and that of bytes for those of a second. It is the {@linkcode Timer} of the wait for
 * more.
 */
export class RateLimiter extends Timer {
  readonly #settings: RateLimiterSettings;
  /** Whether a peer that exceeds a rate is closed, not held back. */
  readonly #closes: boolean;
  /** The contents of the buckets. A chunk may take more bytes than there are. */
  #messages: number;
  #bytes: number;
  #refilledAt: number;
  #onTime: (() => void) | undefined;

  constructor(settings: RateLimiterSettings) {
    super();
    this.#settings = settings;
    this.#closes = settings.overRate === "close";
    this.#messages = Math.max(1, settings.limits.burst);
    this.#bytes = settings.limits.byteRate;
    this.#refilledAt = settings.timers.now();
  }

  /** Returns the limiter of a connection; `undefined` if it has no limit. */
  static for(settings: RateLimiterSettings): RateLimiter | undefined {
    const { messageRate, byteRate } = settings.limits;
    return messageRate === Infinity && byteRate === Infinity
      ? undefined
      : new RateLimiter(settings);
  }

  /**
   * Returns a sink that counts the messages of a decoder, and passes their frames on to another one.
   *
   * @param onExceeded Called when no further message may follow at once.
   */
  limit(sink: FrameSink, onExceeded: () => void): FrameSink {
    const count = () => {
      if (!this.takeMessage()) onExceeded();
    };
    return {
      get copies() {
        return sink.copies === true;
      },
      get copiesParts() {
        return sink.copiesParts === true;
      },
      enqueue(frame) {
        const isEnd = frame.payloadOffset + payloadSize(frame) === frame.payloadLength;
        if (isEnd && frame.fin && !isControl(frame.opcode)) count();
        sink.enqueue(frame);
      },
      ...(sink.enqueueWhole !== undefined && {
        enqueueWhole(first, bytes, start, end) {
          count();
          sink.enqueueWhole!(first, bytes, start, end);
        },
      }),
    };
  }

  /**
   * Counts a message.
   *
   * @returns Whether the next one may follow at once.
   * @throws {PolicyViolationError} If the peer is to be closed.
   */
  takeMessage(): boolean {
    const { messageRate } = this.#settings.limits;
    if (messageRate === Infinity) return true;
    // Rounding may leave slightly less than one message.
    if (this.#closes && this.#messages < 0.5) throw overRate(messageRate, "messages");
    this.#messages -= 1;
    return this.#closes || this.#messages >= 1;
  }

  /**
   * Counts the bytes of a chunk.
   *
   * @returns Whether the next chunk may follow at once.
   * @throws {PolicyViolationError} If the peer is to be closed.
   */
  takeBytes(count: number): boolean {
    const { byteRate } = this.#settings.limits;
    if (byteRate === Infinity) return true;
    this.#bytes -= count;
    if (this.#closes && this.#bytes < 0) throw overRate(byteRate, "bytes");
    return this.#bytes > 0;
  }

  /** Refills the buckets for the time since the last call; called before each chunk. */
  refill(): void {
    const { limits, timers } = this.#settings;
    const now = timers.now();
    // What waits while the event loop is stalled arrives at once afterwards.
    const stall = this.#closes ? Math.max(timers.stall(now), 0) : 0;
    this.#fill(now, Math.max(1, limits.burst), stall);
  }

  /**
   * Reading is resumed. If a peer is closed over its rate, the buckets are refilled beyond their sizes:
   * what it has sent meanwhile arrives at once, and the pause was ours.
   */
  resumed(): void {
    if (this.#closes) this.#fill(this.#settings.timers.now(), Infinity, Infinity);
    else this.refill();
  }

  /** Calls back when the next message and the next byte may be taken; returns what cancels it. */
  wait(run: () => void): () => void {
    const { limits: { messageRate, byteRate }, timers } = this.#settings;
    const forMessages = messageRate === Infinity ? 0 : (1 - this.#messages) / messageRate;
    const forBytes = byteRate === Infinity ? 0 : -this.#bytes / byteRate;
    this.#onTime = run;
    timers.start(this, Math.max(forMessages, forBytes, 0) * SECOND);
    return () => this.stopTimer();
  }

  override timeUp(): void {
    this.refill();
    this.#onTime?.();
  }

  /** @param stall The time for which the buckets may be refilled beyond their sizes, in milliseconds. */
  #fill(now: number, burst: number, stall: number): void {
    const { messageRate, byteRate } = this.#settings.limits;
    const seconds = (now - this.#refilledAt) / SECOND;
    this.#refilledAt = now;
    const fill = (content: number, rate: number, size: number) =>
      rate === Infinity || content > size
        ? content
        : Math.min(content + seconds * rate, size + stall / SECOND * rate);
    this.#messages = fill(this.#messages, messageRate, burst);
    this.#bytes = fill(this.#bytes, byteRate, byteRate);
  }
}

function overRate(rate: number, what: string): PolicyViolationError {
  return new PolicyViolationError(
    `Cannot take more ${what}: more than ${rate} a second have come`,
    "ERR_RATE_LIMIT",
  );
}
