import type { KernelMemory } from "./kernel_memory.ts";

/** Masks and validates long ranges of bytes faster than TypeScript does: see {@linkcode SimdKernel}. */
export interface Kernel {
  /** Its memory, in which it masks without a copy. */
  readonly memory: KernelMemory;
  /** Copies a range of bytes to a position of `target`, and masks the copy, which may be the range itself. */
  mask(
    bytes: Uint8Array,
    start: number,
    end: number,
    key: number,
    target: Uint8Array,
    at: number,
  ): void;
  /**
   * Validates UTF-8 from `start`, where a character begins, as long as there are at least `least` bytes.
   * Returns the position after the last complete character, or -1 if there is an invalid byte.
   */
  validate(bytes: Uint8Array, start: number, least: number): number;
}

/** Validates UTF-8 in pieces. */
export interface TextValidator {
  /** Whether the input so far ends at the end of a character. It is asked for once, at the end. */
  readonly isComplete: boolean;
  /** Validates the next bytes. Returns `false` if there is an invalid byte, and is not called after that. */
  push(bytes: Uint8Array): boolean;
}

/** The longest text, in characters, for which the encoder allocates 3 bytes a character at once. */
export const LONG_TEXT = 16 * 1024;

/** Converts text. Each method returns `undefined` if `TextDecoder`, or `TextEncoder`, is as fast. */
export interface FastText {
  /** Decodes a range of bytes if they are ASCII, and few. */
  decodeAscii(bytes: Uint8Array, start: number, end: number): string | undefined;
  /** Decodes a range of bytes as UTF-8. Keeps a leading U+FEFF, and replaces invalid bytes by U+FFFD. */
  decode(bytes: Uint8Array, start: number, end: number): string | undefined;
  /**
   * Encodes text as UTF-8 at a position of `target`, and replaces lone surrogates by U+FFFD. A text of up to
   * {@linkcode LONG_TEXT} must have room for 3 bytes a character. Returns the number of bytes.
   */
  encode(text: string, target: Uint8Array, at: number): number | undefined;
}

/** Keeps buffers that are used again. */
export interface BufferPool {
  /**
   * Borrows a buffer of at least `size` bytes, with arbitrary content.
   *
   * @param max The largest buffer of the pool that will do, in bytes; without one, the buffer is new.
   */
  acquire(size: number, max?: number): Uint8Array<ArrayBuffer>;
  /** Returns a borrowed buffer. @returns Whether the pool keeps it. */
  release(buffer: Uint8Array<ArrayBuffer>): boolean;
}

/** What makes the codec faster than the platform's own means, and is too large for a page. */
export interface FastPaths {
  /** Loads the kernel. */
  loadKernel(): Kernel | undefined;
  /** Makes a validator that is faster than the platform's decoder. */
  createValidator(): TextValidator;
  /** Converts text faster than the platform's decoder and encoder do. */
  readonly text: FastText;
  /** The pool of all codecs. */
  readonly pool: BufferPool;
}

/** As {@linkcode FastPaths.text}. A variable, since each message needs it. */
export let fastText: FastText | undefined;

let paths: FastPaths | undefined;
let kernel: Kernel | undefined;
let isLoaded = false;

/** Sets the fast paths. `provide_fast_paths.ts` does it; the entry for browsers does without. */
export function provideFastPaths(provided: FastPaths): void {
  paths = provided;
  fastText = provided.text;
}

/** Returns a new validator; `undefined` if none is provided. */
export function fastValidator(): TextValidator | undefined {
  return paths?.createValidator();
}

/** Returns the kernel, which is loaded at the first call; `undefined` if there is none. */
export function simdKernel(): Kernel | undefined {
  if (!isLoaded && paths !== undefined) {
    isLoaded = true;
    kernel = paths.loadKernel();
  }
  return kernel;
}

/**
 * Borrows a buffer of at least `size` bytes, with arbitrary content.
 *
 * A connection holds a buffer only while it has something to send, so an idle connection holds none.
 * Allocating a buffer costs more than encoding a message.
 */
export function acquireBuffer(size: number, max?: number): Uint8Array<ArrayBuffer> {
  return paths === undefined ? new Uint8Array(size) : paths.pool.acquire(size, max);
}

/**
 * Returns a borrowed buffer to the pool. The borrower must not use it any more.
 *
 * @returns Whether the pool keeps it.
 */
export function releaseBuffer(buffer: Uint8Array<ArrayBuffer>): boolean {
  return paths !== undefined && paths.pool.release(buffer);
}
