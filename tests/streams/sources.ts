/** What the streams' tests share. */

import { delay } from "../harness.ts";

/** A stream that makes its chunks as they are pulled, and counts them. */
export function countedSource<T>(chunk: (n: number) => T, end = Infinity) {
  const source = {
    /** How many chunks have been pulled. */
    pulled: 0,
    /** What the stream was cancelled with; `undefined` where it was not. */
    cancelled: undefined as unknown,
    readable: new ReadableStream<T>({
      pull(controller) {
        if (source.pulled === end) controller.close();
        else controller.enqueue(chunk(source.pulled++));
      },
      cancel(reason) {
        source.cancelled = reason ?? "no reason";
      },
    }, { highWaterMark: 0 }),
  };
  return source;
}

/** Resolves once `count` has stayed the same over several turns of the event loop; gives it back. */
export async function settled(count: () => number): Promise<number> {
  for (let before = -1, same = 0; same < 5; before = count()) {
    await delay(1);
    same = count() === before ? same + 1 : 0;
  }
  return count();
}
