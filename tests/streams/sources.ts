/** Helpers for the tests of the streams. */

import { delay } from "../harness.ts";

/** Returns a stream that creates its chunks when they are pulled, and counts them. */
export function countedSource<T>(chunk: (n: number) => T, end = Infinity) {
  const source = {
    /** The number of chunks that have been pulled. */
    pulled: 0,
    /** The reason of its cancellation; `undefined` if it was not cancelled. */
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

/** Resolves with `count` when it has not changed for several turns of the event loop. */
export async function settled(count: () => number): Promise<number> {
  for (let before = -1, same = 0; same < 5; before = count()) {
    await delay(1);
    same = count() === before ? same + 1 : 0;
  }
  return count();
}
