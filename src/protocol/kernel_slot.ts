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

let load: (() => Kernel | undefined) | undefined;
let kernel: Kernel | undefined;

/** Sets how the kernel is loaded. `simd_kernel.ts` does it; the entry for browsers does without. */
export function provideKernel(loader: () => Kernel | undefined): void {
  load = loader;
}

/** Returns the kernel, which is loaded at the first call; `undefined` if there is none. */
export function simdKernel(): Kernel | undefined {
  if (load !== undefined) {
    kernel = load();
    load = undefined;
  }
  return kernel;
}
