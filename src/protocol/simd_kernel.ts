import { provideKernel } from "./kernel_slot.ts";
import type { Kernel } from "./kernel_slot.ts";
import { KERNEL_BASE64 } from "./simd_kernel_bytes.ts";

/** The number of bytes that are copied at a time: source and copy fit into a CPU's first cache. */
const PIECE_SIZE = 8 * 1024;

/** The functions of `simd_kernel.wat`. The positions are those of the memory. */
interface KernelFunctions {
  mask(at: number, end: number, key: number): void;
  validate(at: number, end: number): number;
}

/**
 * Masks and validates with the SIMD instructions of WebAssembly, 16 bytes at a time.
 *
 * WebAssembly has no access to the memory of JavaScript, so the bytes are copied to its own memory in
 * pieces. For enough bytes that is still faster than TypeScript: see `bench/README.md`.
 */
export class SimdKernel implements Kernel {
  readonly #memory: Uint8Array;
  readonly #functions: KernelFunctions;

  private constructor(memory: Uint8Array, functions: KernelFunctions) {
    this.#memory = memory;
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
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
      const module = new WebAssembly.Module(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
      const { exports } = new WebAssembly.Instance(module, { kernel: { memory } });
      return new SimdKernel(
        new Uint8Array(memory.buffer),
        exports as unknown as KernelFunctions,
      );
    } catch {
      return undefined;
    }
  }

  /**
   * Copies a range of bytes to `target` and masks the copy, which may be the range itself.
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
    const memory = this.#memory;
    for (let from = start; from < end; from += PIECE_SIZE) {
      // A piece has a multiple of 4 bytes, except the last: the same key applies to all.
      const length = Math.min(PIECE_SIZE, end - from);
      memory.set(bytes.subarray(from, from + length));
      this.#functions.mask(0, length, key);
      target.set(memory.subarray(0, length), at + from - start);
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
    const memory = this.#memory;
    let at = start;
    while (bytes.length - at >= least) {
      const length = Math.min(bytes.length - at, PIECE_SIZE) & ~15;
      memory.set(bytes.subarray(at, at + length));
      const valid = this.#functions.validate(0, length);
      if (valid < 0) return -1;
      at += valid;
    }
    return at;
  }
}

provideKernel(() => SimdKernel.load());
