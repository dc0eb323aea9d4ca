/** The replies of the limit: `limit_RUNTIME.ts MODE LOAD`. */

import process from "node:process";
import { LOADS } from "../loads.ts";
import { plainFrames } from "../load/traffic.ts";

const load = LOADS.find(({ name }) => name === process.argv[3])!;
const { received, replies } = plainFrames(load);
const receivedSize = received.length / load.inFlight;
const replySize = replies.length / load.inFlight;

/** As many replies as a chunk may need, from any of them on. */
const ready = new Uint8Array(replies.length * 2);
ready.set(replies);
ready.set(replies, replies.length);

/** The replies to one connection. */
export class Replies {
  #bytes = 0;
  #next = 0;

  /** Returns the replies to the messages that end within the next `count` bytes. */
  to(count: number): Uint8Array {
    this.#bytes += count;
    const messages = Math.floor(this.#bytes / receivedSize);
    this.#bytes -= messages * receivedSize;
    const start = this.#next * replySize;
    this.#next = (this.#next + messages) % load.inFlight;
    return ready.subarray(start, start + messages * replySize);
  }
}
