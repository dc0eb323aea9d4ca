import type { Message } from "./protocol/message.ts";
import { notOpen } from "./endpoint.ts";
import type { CloseInfo } from "./endpoint.ts";
import type { Incoming } from "./incoming.ts";

/**
 * The messages of a connection as a stream. It asks for one at a time, so that what it has handed over
 * is what has been read.
 *
 * @param incoming Where the messages wait.
 * @param closed How the connection has ended, once it has.
 * @param cancel Closes the connection.
 */
export function makeReadable(
  incoming: Incoming,
  closed: () => Promise<CloseInfo>,
  cancel: () => Promise<void>,
): ReadableStream<Message> {
  return new ReadableStream<Message>({
    async pull(controller) {
      const { done, value } = await incoming.next();
      if (!done) return controller.enqueue(value);
      const { wasClean, closeCode, error } = await closed();
      if (wasClean) controller.close();
      else controller.error(error ?? notOpen(`The connection was lost (${closeCode})`));
    },
    cancel,
  }, { highWaterMark: 0 });
}
