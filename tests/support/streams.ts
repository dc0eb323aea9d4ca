/** Does what `ReadableStream.from()` does, which TypeScript's types lack. */
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

/** A stream that the test feeds, with chunks of any type, and its state. */
export function manual() {
  let controller!: ReadableStreamDefaultController<unknown>;
  const state = { pulls: 0, cancelled: undefined as unknown };
  // deno-lint-ignore no-explicit-any
  const stream = new ReadableStream<any>({
    start: (own) => void (controller = own),
    pull: () => void state.pulls++,
    cancel: (reason) => void (state.cancelled = reason ?? "no reason"),
  }, { highWaterMark: 0 });
  return { stream, controller, state };
}
