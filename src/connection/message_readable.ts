import type { Message } from "../protocol/message.ts";
import { notOpen } from "./ready_state.ts";
import type { CloseInfo } from "./close_info.ts";
import type { MessageQueue } from "./message_queue.ts";

/** The members of a connection's core that its streams use. */
export interface StreamCore {
  /** Resolves when the connection is closed. */
  readonly whenClosed: Promise<CloseInfo>;
  /** Closes the connection, cleanly. */
  finish(): void;
}

/**
 * Creates the stream `WebSocketConnection.readable`. It has no queue of its own: it takes a message from the
 * queue only when one is read.
 *
 * @param queue The unread messages.
 */
export function makeReadable(queue: MessageQueue, core: StreamCore): ReadableStream<Message> {
  async function wait(controller: ReadableStreamDefaultController<Message>): Promise<void> {
    const { done, value } = await queue.wait();
    if (!done) return controller.enqueue(value);
    const { wasClean, closeCode, error } = await core.whenClosed;
    if (wasClean) controller.close();
    else controller.error(error ?? notOpen(`The connection was lost (${closeCode})`));
  }

  return new ReadableStream<Message>({
    pull(controller) {
      // A promise for each message costs the stream two microtask turns.
      const message = queue.poll();
      return message === undefined ? wait(controller) : controller.enqueue(message);
    },
    async cancel() {
      core.finish();
      await core.whenClosed;
    },
  }, { highWaterMark: 0 });
}
