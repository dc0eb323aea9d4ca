import { CloseCode } from "../protocol/close_code.ts";
import { WebSocketError } from "../protocol/errors.ts";
import type { Frame, FrameInit } from "../protocol/frame.ts";
import type { Limits } from "./limits.ts";
import { Opcode } from "../protocol/opcode.ts";
import { Timer } from "../util/timers.ts";
import type { Timers, Wheel } from "../util/timers.ts";
import type { ConnectionCounters } from "./counters.ts";
import { ControlFrameLimiter } from "./control_frame_limiter.ts";
import { PART_OVERHEAD } from "./memory_usage.ts";

/** The members of a connection that its {@linkcode Keepalive} uses. */
export interface KeepaliveCore {
  readonly settings: {
    readonly limits: Readonly<Limits>;
    readonly timers: Timers;
    readonly counters: ConnectionCounters;
  };
  /** The send queue. */
  readonly sender: {
    readonly isFull: boolean;
    readonly queuedBytes: number;
    enqueue(frame: FrameInit): void;
    flush(): void;
  };
  /** Whether the peer's Close frame has been received. */
  readonly hasReceivedClose: boolean;
  /** Whether reading is paused for a reason of this end, so that received bytes may wait. */
  readonly isPausedLocally: boolean;
  /** Recounts the memory usage. */
  updateMemoryUsage(): void;
  /** Drops the connection: the peer does not respond. */
  peerLost(error: WebSocketError): void;
}

/** In place of a time: a Ping has been sent, and nothing has been received since. */
const SILENT = -1;

/**
 * The pings and pongs of one connection: answers and limits the peer's, sends those of `ping()`, and
 * finds out whether a silent peer is still there. RFC 6455 §5.5.2: "A Ping frame may serve either as a
 * keepalive or as a means to verify that the remote endpoint is still responsive."
 *
 * A peer that has been silent for `pingInterval` is sent a Ping. If it stays silent for `pongTimeout`
 * more, it is lost. Any received byte ends the silence. So does progress in writing a full send queue:
 * a Ping at its end takes time to arrive.
 *
 * The silence is counted in ticks of a {@linkcode Wheel}, so that a chunk costs one store and no call of
 * the clock. Ticks count time awake: a stalled event loop makes no peer silent.
 *
 * It is itself the {@linkcode Timer} that it waits with, and makes its other parts when they are first
 * needed: an idle connection has this one object.
 */
export class Keepalive extends Timer {
  readonly #core: KeepaliveCore;
  #wheel: Wheel;
  /** The tick of the peer's last activity, or {@linkcode SILENT}. */
  #activeAt = 0;
  /** Made with the first Ping of ours, or the first Pong that has to wait. */
  #pings: PendingPings | undefined;
  /** Made with the first control frame received. */
  #limiter: ControlFrameLimiter | undefined;

  /** @param core The connection. */
  constructor(core: KeepaliveCore) {
    super();
    this.#core = core;
    this.#wheel = wheelOf(core);
  }

  /** The timers of the settings have changed: waits with them, if it waits. */
  changeTimers(): void {
    this.#wheel = wheelOf(this.#core);
    if (this.wheel !== undefined) this.start();
  }

  /** The round trip of the last Ping that was answered, in milliseconds; `undefined` before that. */
  get roundTrip(): number | undefined {
    return this.#pings?.roundTrip;
  }

  /** Whether a Ping has no Pong yet. */
  get isAwaited(): boolean {
    return this.#pings !== undefined && this.#pings.size > 0;
  }

  /** The memory usage of the pings that have no Pong yet, in bytes. */
  get memoryUsage(): number {
    return this.#pings === undefined ? 0 : this.#pings.size * PART_OVERHEAD;
  }

  /** Starts to count the silence, from zero; `stopTimer()` ends it. */
  start(): void {
    this.onActivity();
    const { pingInterval } = this.#core.settings.limits;
    if (pingInterval !== Infinity) this.#wheel.start(this, pingInterval);
  }

  /** Records activity of the peer. */
  onActivity(): void {
    this.#activeAt = this.#wheel.now;
  }

  /** Sends a Ping; resolves to the milliseconds until its Pong. */
  ping(): Promise<number> {
    this.#core.settings.counters.pingsSent++;
    const { frame, roundTrip } = (this.#pings ??= new PendingPings()).add(this.#now);
    this.#core.sender.enqueue(frame);
    this.#core.updateMemoryUsage();
    return roundTrip;
  }

  /**
   * Handles a Ping or a Pong.
   *
   * @throws {PolicyViolationError} If the peer sends more than `maxControlFrames` a second.
   */
  take({ opcode, payload }: Pick<Frame, "opcode" | "payload">): void {
    // RFC 6455 §5.5.3: an unsolicited Pong is fine: "A response to an unsolicited Pong frame is not
    // expected." One that answers a Ping of ours is not counted.
    if (opcode === Opcode.Pong && this.#pings?.answer(payload, this.#now)) {
      this.#core.settings.counters.answered(this.#pings.roundTrip!);
      if (this.wheel !== undefined) this.start();
      return;
    }
    this.#limiter ??= new ControlFrameLimiter(
      this.#core.settings.limits.maxControlFrames,
      this.#core.settings.timers,
    );
    this.#limiter.count();
    if (opcode === Opcode.Ping) this.#takePing(payload);
  }

  /** Sends the Pong that waits for the send queue to shrink, if there is one. */
  onDrain(): void {
    const pings = this.#pings;
    if (pings?.owedPong === undefined || this.#core.sender.isFull) return;
    const payload = pings.owedPong;
    pings.owedPong = undefined;
    this.#sendPong(payload);
  }

  /** Reading is paused. */
  paused(): void {
    this.#limiter?.paused();
  }

  /** Reading is resumed. */
  resumed(): void {
    this.onActivity();
    this.#limiter?.resumed();
  }

  /** The connection is closed: rejects the promises of `ping()`. */
  close(error: unknown): void {
    this.stopTimer();
    this.#pings?.close(error);
  }

  /** Sends a Ping if the peer has been silent for `pingInterval`, or gives up after `pongTimeout` more. */
  override timeUp(): void {
    if (this.#core.isPausedLocally) this.onActivity();
    const { limits: { pingInterval, pongTimeout }, timers } = this.#core.settings;
    if (this.#activeAt === SILENT) {
      if (pongTimeout !== Infinity) return this.#core.peerLost(silent(pongTimeout));
    } else {
      const left = pingInterval - (this.#wheel.now - this.#activeAt) * this.#wheel.tick;
      if (left > 0) return this.#wheel.start(this, left);
    }
    this.#activeAt = SILENT;
    if (pongTimeout === Infinity) this.#wheel.start(this, pingInterval);
    else timers.start(this, pongTimeout);
    this.#pingSilentPeer();
  }

  #pingSilentPeer(): void {
    const { sender } = this.#core;
    const pings = this.#pings ??= new PendingPings();
    // At most one such Ping is in the send queue: a peer that does not read can't answer a second.
    if (pings.hasKeepalive && sender.queuedBytes > 0) return;
    this.#core.settings.counters.pingsSent++;
    sender.enqueue(pings.addKeepalive(this.#now));
    sender.flush();
  }

  get #now(): number {
    return this.#core.settings.timers.now();
  }

  #takePing(payload: Uint8Array): void {
    this.#core.settings.counters.pingsReceived++;
    // RFC 6455 §5.5.3: "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in
    // response to previous Ping frame(s), the endpoint MAY elect to send a Pong frame for only the
    // most recently processed Ping frame." So the pongs to a peer that sends pings and does not read
    // take no more of the send queue than its high-water mark.
    if (!this.#core.sender.isFull) this.#sendPong(payload);
    else (this.#pings ??= new PendingPings()).owedPong = payload.slice();
  }

  #sendPong(payload: Uint8Array): void {
    // RFC 6455 §5.5.2: "an endpoint MUST send a Pong frame in response, unless it already received a
    // Close frame."
    if (this.#core.hasReceivedClose) return;
    // RFC 6455 §5.5.3: "identical "Application data" as found in the message body of the Ping frame".
    this.#core.sender.enqueue({ opcode: Opcode.Pong, payload });
  }
}

function silent(pongTimeout: number): WebSocketError {
  return new WebSocketError(`The peer has been silent for ${pongTimeout} ms after a Ping`, {
    code: "ERR_PONG_TIMEOUT",
    closeCode: CloseCode.AbnormalClosure,
  });
}

/** A Ping that has no Pong yet. */
interface PendingPing {
  readonly id: number;
  readonly sentAt: number;
  /** The promise of `ping()`; `undefined` for a Ping to a silent peer. */
  readonly waiter: PromiseWithResolvers<number> | undefined;
}

/** The pings of one connection that have no Pong yet. Each carries a number, by which its Pong is known. */
class PendingPings {
  /** The payload of the peer's last Ping, while its Pong waits for the send queue to shrink. */
  owedPong: Uint8Array | undefined;
  /** The round trip of the last Ping that was answered, in milliseconds. */
  roundTrip: number | undefined;
  #pending: PendingPing[] = [];
  #nextId = 0;

  get size(): number {
    return this.#pending.length;
  }

  /** Whether a Ping to a silent peer is among them. */
  get hasKeepalive(): boolean {
    return this.#pending.some(({ waiter }) => waiter === undefined);
  }

  /** Adds a Ping of `ping()`. */
  add(now: number): { frame: FrameInit; roundTrip: Promise<number> } {
    const waiter = Promise.withResolvers<number>();
    waiter.promise.catch(() => {}); // A caller may ignore the promise.
    return { frame: this.#add(waiter, now), roundTrip: waiter.promise };
  }

  /** Adds a Ping to a silent peer, in place of the one before, answered or not. */
  addKeepalive(now: number): FrameInit {
    this.#pending = this.#pending.filter(({ waiter }) => waiter !== undefined);
    return this.#add(undefined, now);
  }

  /** Removes the Ping that a Pong answers; returns whether there is one. */
  answer(payload: Uint8Array, now: number): boolean {
    if (payload.length !== 4 || this.#pending.length === 0) return false;
    const id = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
    const index = this.#pending.findIndex((ping) => ping.id === id);
    if (index === -1) return false;
    this.roundTrip = now - this.#pending[index]!.sentAt;
    // RFC 6455 §5.5.3: "MAY elect to send a Pong frame for only the most recently processed Ping
    // frame": a Pong answers the pings before its own as well.
    for (const ping of this.#pending.splice(0, index + 1)) ping.waiter?.resolve(now - ping.sentAt);
    return true;
  }

  close(error: unknown): void {
    for (const ping of this.#pending.splice(0)) ping.waiter?.reject(error);
  }

  #add(waiter: PromiseWithResolvers<number> | undefined, now: number): FrameInit {
    const id = this.#nextId++;
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, id);
    this.#pending.push({ id, sentAt: now, waiter });
    return { opcode: Opcode.Ping, payload };
  }
}

/** Returns the wheel for the waits of a connection. */
function wheelOf({ settings: { limits: { pingInterval }, timers } }: KeepaliveCore): Wheel {
  return timers.wheelFor(pingInterval === Infinity ? 0 : pingInterval);
}
