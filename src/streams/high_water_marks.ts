/**
 * The high-water marks of the streams. With the default of a stream, 0 on the readable side, each chunk
 * waits for a pull from the next stage, which takes about 20 times as long as transforming it.
 */

/** For chunks of bytes: one is being transformed, one is queued. */
export const BYTES_MARK: QueuingStrategy<Uint8Array> = { highWaterMark: 2 };

/** For frames and messages. */
export const FRAMES_MARK: QueuingStrategy = { highWaterMark: 64 };
