import { KernelMemory, PIECE_SIZE } from "./kernel_memory.ts";
import type { Kernel } from "./fast_paths.ts";
import { KERNEL_BASE64 } from "./simd_kernel_bytes.ts";

/** The functions of `simd_kernel.wat`. The positions are those of the memory. */
interface KernelFunctions {
  mask(at: number, end: number, key: number): void;
  validate(at: number, end: number): number;
}

/**
 * Masks and validates with the SIMD instructions of WebAssembly, 16 bytes at a time.
 *
 * WebAssembly has no access to the memory of JavaScript. So bytes that do not lie in its own memory are
 * copied there in pieces. For enough bytes that is still faster than TypeScript: see `bench/README.md`.
 */
export class SimdKernel implements Kernel {
  readonly memory: KernelMemory;
  readonly #functions: KernelFunctions;

  private constructor(memory: KernelMemory, functions: KernelFunctions) {
    this.memory = memory;
    this.#functions = functions;
  }

  /**
   * Loads a kernel.
   *
   * @param base64 The WebAssembly module.
   * @returns The kernel; `undefined` if the platform has no WebAssembly SIMD, or forbids WebAssembly.
   */
  static load(base64: string = KERNEL_BASE64): SimdKernel | undefined {
    try {
      const memory = new KernelMemory();
      const module = new WebAssembly.Module(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
      const { exports } = new WebAssembly.Instance(module, { kernel: { memory: memory.memory } });
      return new SimdKernel(memory, exports as unknown as KernelFunctions);
    } catch {
      return undefined;
    }
  }

  /**
   * Copies a range of bytes to `target` and masks the copy, which may be the range itself. A range in the
   * kernel's memory is masked as well.
   *
   * @param at The position in `target`.
   */
  mask(
    bytes: Uint8Array,
    start: number,
    end: number,
    key: number,
    target: Uint8Array,
    at: number,
  ): void {
    const { memory: { piece }, memory } = this;
    if (memory.holds(bytes)) {
      const { byteOffset } = bytes;
      this.#functions.mask(byteOffset + start, byteOffset + end, key);
      if (target !== bytes) target.set(bytes.subarray(start, end), at);
      return;
    }
    for (let from = start; from < end; from += PIECE_SIZE) {
      // A piece has a multiple of 4 bytes, except the last: the same key applies to all.
      const length = Math.min(PIECE_SIZE, end - from);
      piece.set(bytes.subarray(from, from + length));
      this.#functions.mask(0, length, key);
      target.set(length === PIECE_SIZE ? piece : piece.subarray(0, length), at + from - start);
    }
  }

  /**
   * Validates UTF-8 from `start`, where a character begins, in steps of 16 bytes.
   *
   * @param least The fewest bytes, at least 16: fewer are left to the caller.
   * @returns The position after the last complete character that was validated, or -1 if there is an
   * invalid byte.
   */
  validate(bytes: Uint8Array, start: number, least: number): number {
    const { piece } = this.memory;
    let at = start;
    while (bytes.length - at >= least) {
      const length = Math.min(bytes.length - at, PIECE_SIZE) & ~15;
      piece.set(bytes.subarray(at, at + length));
      const valid = this.#functions.validate(0, length);
      if (valid < 0) return -1;
      at += valid;
    }
    return at;
  }
}
