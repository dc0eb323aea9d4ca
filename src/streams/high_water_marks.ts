/**
 * The high-water marks of the streams. With a stream's own default, 0 on the readable side, each
 * chunk waits for a pull from the next stage, which costs some 20 times as much as the chunk.
 */

/** Chunks of bytes: one is being worked on, one waits. */
export const BYTES_MARK: QueuingStrategy<Uint8Array> = { highWaterMark: 2 };

/** Frames and messages. */
export const FRAMES_MARK: QueuingStrategy = { highWaterMark: 64 };
