import type { SharedMessage } from "./shared_message.ts";
import { SharedRun } from "./shared_run.ts";

/**
 * The sending of messages to the same receivers again and again. While the last messages are at the end of the
 * send queues of most of them, the next one is added to all these queues at once.
 */
export class Fanout<Receiver> {
  #run: SharedRun | undefined;
  /** The receivers to which the caller sends a message on its own, if `extend()` has added it. */
  others: readonly Receiver[] = [];
  /** The number of messages that `extend()` has added. */
  extensions = 0;

  /** A receiver has come, has gone, or must not get the next message like the last one. */
  reset(): void {
    this.#run = undefined;
    this.others = [];
  }

  /** Adds a message to the send queues of the members. @returns Their number; 0 if it was not added. */
  extend(message: SharedMessage): number {
    const run = this.#run;
    if (run === undefined || !run.extend(message)) return 0;
    this.extensions++;
    return run.members;
  }

  /**
   * Sends a message to each receiver. Those that join its run are the members from here on.
   *
   * @param send Sends it to one receiver, whose connection may join the run.
   */
  sendToEach(
    receivers: Iterable<Receiver>,
    message: SharedMessage,
    send: (receiver: Receiver, run: SharedRun) => void,
  ): void {
    const run = new SharedRun(message, () => {
      if (this.#run === run) this.reset();
    });
    const others: Receiver[] = [];
    this.#run = run;
    this.others = others;
    for (const receiver of receivers) {
      const { members } = run;
      send(receiver, run);
      if (run.members === members) others.push(receiver);
    }
    if (others.length > run.members) this.reset();
  }
}
