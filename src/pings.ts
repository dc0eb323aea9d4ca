import { Opcode } from "./protocol/opcode.ts";
import type { FrameInit } from "./protocol/frame.ts";

/** A Ping that has no Pong yet. */
interface Pending {
  readonly id: number;
  readonly sentAt: number;
  readonly waiter: PromiseWithResolvers<number>;
}

/**
 * The pings under way. Each carries a number of its own, so that a Pong tells which it answers.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2 RFC 6455 §5.5.2}
 */
export class Pings {
  #pending: Pending[] = [];
  #nextId = 0;

  /** Makes the frame of a new Ping, and the promise of its round trip in milliseconds. */
  make(): { frame: FrameInit; roundTrip: Promise<number> } {
    const id = this.#nextId++;
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, id);
    const waiter = Promise.withResolvers<number>();
    waiter.promise.catch(() => {}); // A ping may be sent for its effect alone.
    this.#pending.push({ id, sentAt: performance.now(), waiter });
    return { frame: { opcode: Opcode.Ping, payload }, roundTrip: waiter.promise };
  }

  /** How many wait for their Pong. */
  get size(): number {
    return this.#pending.length;
  }

  /** Takes the payload of a Pong; one that answers nothing is ignored. */
  pong(payload: Uint8Array): void {
    if (payload.length !== 4) return;
    const id = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
    const index = this.#pending.findIndex((ping) => ping.id === id);
    const now = performance.now();
    // RFC 6455 §5.5.3: "MAY elect to send a Pong frame for only the most recently processed Ping
    // frame": it answers those before as well.
    for (const ping of this.#pending.splice(0, index + 1)) ping.waiter.resolve(now - ping.sentAt);
  }

  /** No Pong will come any more. */
  close(error: unknown): void {
    for (const ping of this.#pending.splice(0)) ping.waiter.reject(error);
  }
}
