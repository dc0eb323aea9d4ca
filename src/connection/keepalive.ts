import type { WebSocketError } from "../protocol/errors.ts";
import type { Frame } from "../protocol/frame.ts";
import { Opcode } from "../protocol/opcode.ts";
import type { EndpointSettings } from "./connection_settings.ts";
import { ControlFrameLimiter } from "./control_frame_limiter.ts";
import { PART_OVERHEAD } from "./memory_usage.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Sender } from "./sender.ts";
import { Pings } from "./pings.ts";

/** The connection whose pings and pongs these are. */
export interface KeepaliveOwner {
  readonly settings: EndpointSettings;
  readonly outgoing: Sender;
  /** Whether the peer's Close has come. */
  readonly hasReceivedClose: boolean;
  /** Whether reading has stopped, and not because the peer does not read. */
  readonly isHeldBack: boolean;
  /** More is held than before. */
  queued(): void;
  /** The peer is gone. */
  lost(error: WebSocketError): void;
}

/**
 * The pings and pongs of a connection, both ways: the peer's are answered and bounded, ours are sent
 * when somebody asks, or when the peer has been silent.
 */
export class Keepalive extends Heartbeat {
  readonly #owner: KeepaliveOwner;
  /** Made when the first is sent, or waits for its Pong. */
  #pings: Pings | undefined;
  /** Made when the first frame comes. */
  #rate: ControlFrameLimiter | undefined;

  constructor(owner: KeepaliveOwner) {
    super(owner.settings);
    this.#owner = owner;
  }

  /** The milliseconds that the last Ping to be answered took; `undefined` before there is one. */
  get roundTrip(): number | undefined {
    return this.#pings?.roundTrip;
  }

  /** Whether a Ping has no Pong yet. */
  get isAwaited(): boolean {
    return this.#pings !== undefined && this.#pings.size > 0;
  }

  /** Sends a Ping; resolves to the milliseconds until its Pong. */
  ping(): Promise<number> {
    const { frame, roundTrip } = (this.#pings ??= new Pings()).make();
    this.#owner.outgoing.send(frame);
    this.#owner.queued();
    return roundTrip;
  }

  /**
   * Takes a Ping or a Pong.
   *
   * @throws {PolicyViolationError} where it's one too many.
   */
  take({ opcode, payload }: Frame): void {
    // RFC 6455 §5.5.3: an unsolicited Pong is fine: "A response to an unsolicited Pong frame is not
    // expected." One that answers has been asked for, and does not count.
    if (opcode === Opcode.Pong && this.#pings?.pong(payload)) {
      if (this.wheel !== undefined) this.start();
      return;
    }
    (this.#rate ??= this.#makeRate()).count();
    if (opcode === Opcode.Ping) this.#takePing(payload);
  }

  /** How many bytes of memory are held for Pings that wait for their Pong. */
  get heldBytes(): number {
    return this.#pings === undefined ? 0 : this.#pings.size * PART_OVERHEAD;
  }

  /** What was written has gone out. */
  drained(): void {
    const pings = this.#pings;
    if (pings?.unanswered === undefined || this.#owner.outgoing.isFull) return;
    const payload = pings.unanswered;
    pings.unanswered = undefined;
    this.#sendPong(payload);
  }

  /** The connection is not read for now. */
  paused(): void {
    this.#rate?.paused();
  }

  /** The connection is read again. */
  resumed(): void {
    this.heard();
    this.#rate?.resumed();
  }

  /** The connection is gone. */
  close(error: unknown): void {
    this.stopTimer();
    this.#pings?.close(error);
  }

  /** Heartbeat: what connections have in common. */
  override get settings(): EndpointSettings {
    return this.#owner.settings;
  }

  /** Heartbeat: whether the peer may be there, and can't be heard. */
  override get isHeldBack(): boolean {
    return this.#owner.isHeldBack;
  }

  /** Heartbeat: the peer is to show that it's there. */
  override beat(): void {
    const { outgoing } = this.#owner;
    const pings = this.#pings ??= new Pings();
    // One at most waits to go out: a peer that doesn't read can't answer a second either.
    if (pings.hasBeat && outgoing.bufferedAmount > 0) return;
    outgoing.hold();
    outgoing.send(pings.beat());
    outgoing.release();
  }

  /** Heartbeat: the peer is gone. */
  override lost(error: WebSocketError): void {
    this.#owner.lost(error);
  }

  #makeRate(): ControlFrameLimiter {
    const { limits, timers } = this.#owner.settings;
    return new ControlFrameLimiter(limits.maxControlFrames, timers);
  }

  #takePing(payload: Uint8Array): void {
    // RFC 6455 §5.5.3: "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in
    // response to previous Ping frame(s), the endpoint MAY elect to send a Pong frame for only the
    // most recently processed Ping frame." So a flood of pings by a peer that reads nothing costs no
    // more than the queue's mark.
    if (!this.#owner.outgoing.isFull) this.#sendPong(payload);
    else (this.#pings ??= new Pings()).unanswered = payload.slice();
  }

  #sendPong(payload: Uint8Array): void {
    // RFC 6455 §5.5.2: "an endpoint MUST send a Pong frame in response, unless it already received a
    // Close frame."
    if (this.#owner.hasReceivedClose) return;
    // RFC 6455 §5.5.3: "identical "Application data" as found in the message body of the Ping frame".
    this.#owner.outgoing.send({ opcode: Opcode.Pong, payload });
  }
}
