import type { Message } from "../protocol/message.ts";
import { notOpen } from "./ready_state.ts";
import type { CloseInfo } from "./close_info.ts";
import type { MessageQueue } from "./message_queue.ts";

/**
 * The messages of a connection as a stream. It asks for one at a time, so that what it has handed over
 * is what has been read.
 *
 * @param incoming Where the messages wait.
 * @param closed How the connection has ended, once it has.
 * @param cancel Closes the connection.
 */
export function makeReadable(
  incoming: MessageQueue,
  closed: () => Promise<CloseInfo>,
  cancel: () => Promise<void>,
): ReadableStream<Message> {
  async function wait(controller: ReadableStreamDefaultController<Message>): Promise<void> {
    const { done, value } = await incoming.wait();
    if (!done) return controller.enqueue(value);
    const { wasClean, closeCode, error } = await closed();
    if (wasClean) controller.close();
    else controller.error(error ?? notOpen(`The connection was lost (${closeCode})`));
  }

  return new ReadableStream<Message>({
    pull(controller) {
      // A promise for each message costs the stream two turns.
      const message = incoming.poll();
      return message === undefined ? wait(controller) : controller.enqueue(message);
    },
    cancel,
  }, { highWaterMark: 0 });
}
