import { Opcode } from "../protocol/opcode.ts";
import type { FrameInit } from "../protocol/frame.ts";

/** A Ping that has no Pong yet. */
interface Pending {
  readonly id: number;
  readonly sentAt: number;
  /** Whoever asked for it; nobody for a heartbeat's. */
  readonly waiter: PromiseWithResolvers<number> | undefined;
}

/**
 * The pings under way. Each of ours carries a number of its own, so that a Pong tells which it answers.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2 RFC 6455 §5.5.2}
 */
export class Pings {
  /** The payload of the peer's last Ping, while its Pong waits until the peer reads again. */
  unanswered: Uint8Array | undefined;
  #pending: Pending[] = [];
  #nextId = 0;
  #roundTrip: number | undefined;

  /** The milliseconds that the last Ping to be answered took; `undefined` before there is one. */
  get roundTrip(): number | undefined {
    return this.#roundTrip;
  }

  /** Whether a heartbeat's Ping has no Pong yet. */
  get hasBeat(): boolean {
    return this.#pending.some(({ waiter }) => waiter === undefined);
  }

  /** Makes the frame of a new Ping, and the promise of its round trip in milliseconds. */
  make(): { frame: FrameInit; roundTrip: Promise<number> } {
    const waiter = Promise.withResolvers<number>();
    waiter.promise.catch(() => {}); // A ping may be sent for its effect alone.
    return { frame: this.#add(waiter), roundTrip: waiter.promise };
  }

  /** How many wait for their Pong. */
  get size(): number {
    return this.#pending.length;
  }

  /** Makes the frame of a heartbeat's Ping, in the place of the one before, answered or not. */
  beat(): FrameInit {
    this.#pending = this.#pending.filter(({ waiter }) => waiter !== undefined);
    return this.#add(undefined);
  }

  /** Takes the payload of a Pong: whether it answers a Ping; one that doesn't is ignored. */
  pong(payload: Uint8Array): boolean {
    if (payload.length !== 4 || this.#pending.length === 0) return false;
    const id = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
    const index = this.#pending.findIndex((ping) => ping.id === id);
    if (index === -1) return false;
    const now = performance.now();
    this.#roundTrip = now - this.#pending[index]!.sentAt;
    // RFC 6455 §5.5.3: "MAY elect to send a Pong frame for only the most recently processed Ping
    // frame": it answers those before as well.
    for (const ping of this.#pending.splice(0, index + 1)) ping.waiter?.resolve(now - ping.sentAt);
    return true;
  }

  /** No Pong will come any more. */
  close(error: unknown): void {
    for (const ping of this.#pending.splice(0)) ping.waiter?.reject(error);
  }

  #add(waiter: PromiseWithResolvers<number> | undefined): FrameInit {
    const id = this.#nextId++;
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, id);
    this.#pending.push({ id, sentAt: performance.now(), waiter });
    return { opcode: Opcode.Ping, payload };
  }
}
