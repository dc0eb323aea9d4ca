/** What `ReadableStream.from()` does, which TypeScript's own types lack. */
export function streamOf<T>(items: Iterable<T> | AsyncIterable<T>): ReadableStream<T> {
  const iterator = Symbol.asyncIterator in items
    ? items[Symbol.asyncIterator]()
    : items[Symbol.iterator]();
  return new ReadableStream<T>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}
