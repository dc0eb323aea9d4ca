/** The members of a stream, or of its reader, that {@linkcode cancelLater} needs. */
interface Cancelable {
  cancel(reason?: unknown): Promise<void>;
}

const { setImmediate } = globalThis as { setImmediate?: (run: () => void) => void };
const nextTurn: (run: () => void) => void = setImmediate ??
  ((run) => void setTimeout(run, 0));

/**
 * Cancels a stream of the application's in a later turn of the event loop. The stream's own failure to
 * cancel is ignored.
 *
 * Not at once: a read that is pending may have resumed a `node:stream` under the stream, on Deno as
 * made by `Readable.toWeb()`. It then delivers its buffered data within this turn, which throws an
 * uncaught exception if the stream has been cancelled before.
 */
export function cancelLater(stream: Cancelable, reason?: unknown): void {
  nextTurn(() => {
    try {
      // A stream that is no platform object may return something else than a promise.
      Promise.resolve(stream.cancel(reason)).catch(() => {});
    } catch {
      // As above.
    }
  });
}
