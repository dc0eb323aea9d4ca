import type { ConnectionCounters } from "./counters.ts";
import type { SharedMessage } from "./shared_message.ts";
import { EMPTY } from "../protocol/bytes.ts";
import { noteSend } from "./write_scheduler.ts";

/**
 * Successive shared frames at the end of the send queues of many connections, the members. While no member
 * has sent, written or closed, a further message is added to all of their queues at once, without a look at
 * any of them. They have no extensions, which could change it.
 */
export class SharedRun {
  /** The bytes of the frames lie between `start` and `end`, which grows while the run is open. */
  block: Uint8Array<ArrayBuffer> = EMPTY;
  start = 0;
  end = 0;
  /** The number of members. */
  members = 0;
  readonly #first: SharedMessage;
  readonly #onEnd: () => void;
  #isOpen = true;
  /** The bytes for which each member has room. */
  #room = Infinity;
  /** The counters of all members. */
  #counters: ConnectionCounters | undefined;

  /**
   * @param first The first message, which each member adds to its queue with the run.
   * @param onEnd Called once, when the run is no longer at the end of the queue of each member.
   */
  constructor(first: SharedMessage, onEnd: () => void) {
    this.#first = first;
    this.#onEnd = onEnd;
  }

  /** The number of bytes. */
  get length(): number {
    return this.end - this.start;
  }

  /**
   * Adds a member.
   *
   * @param room The bytes for which its send queue has room.
   * @returns Whether it was added: only connections of one server are.
   */
  join(counters: ConnectionCounters, room: number): boolean {
    if (this.#counters === undefined) {
      this.#counters = counters;
      const { block, start, end } = this.#first.frame;
      this.block = block;
      this.start = start;
      this.end = end;
    }
    if (counters !== this.#counters || !this.#isOpen) return false;
    this.members++;
    if (room < this.#room) this.#room = room;
    return true;
  }

  /** Adds a message to the send queues of all members. @returns Whether it was added, to all or to none. */
  extend(message: SharedMessage): boolean {
    if (!this.#isOpen || this.members === 0) return false;
    const { block, start, end } = message.frame;
    const size = end - start;
    if (block !== this.block || start !== this.end || size > this.#room) return false;
    this.end = end;
    this.#room -= size;
    this.#counters!.messagesSent += this.members;
    noteSend();
    return true;
  }

  /** A member sends, writes or closes: no message is added any more. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#onEnd();
  }
}
