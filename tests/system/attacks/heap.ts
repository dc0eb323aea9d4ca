/** The heap of a victim, as its runtime counts it, without the memories of WebAssembly. */

import process from "node:process";
import { collectGarbage } from "../../support/garbage.ts";
import { runtime } from "./attack.ts";

/** The size of the memory with which {@linkcode Heap} measures how the runtime counts one, in pages. */
const PROBE = 16;

/** Measures the heap of this process. */
export class Heap {
  /** The memories of WebAssembly that have been created: that of the SIMD kernel, when it is loaded. */
  readonly #memories: WebAssembly.Memory[] = [];
  /** The bytes that the runtime counts for each byte of a memory of WebAssembly: about 2 on Bun. */
  readonly #countedPerByte: number;

  /** Begins to note the memories of WebAssembly. */
  constructor() {
    const before = counted();
    // The list keeps the memory from being collected.
    const memories = this.#memories;
    memories.push(new WebAssembly.Memory({ initial: PROBE, maximum: PROBE }));
    const size = this.#size; // Bun counts a memory again when its buffer is first read.
    this.#countedPerByte = (counted() - before) / size;
    memories.pop();
    WebAssembly.Memory = class extends WebAssembly.Memory {
      constructor(descriptor: WebAssembly.MemoryDescriptor) {
        super(descriptor);
        memories.push(this);
      }
    };
  }

  /**
   * Collects the garbage. Returns the size of the heap and of the buffers after that, in bytes, without the
   * SIMD kernel's memory: an attack may be the first that loads it, and most of its pages are never written.
   */
  collect(): number {
    return counted() - this.#countedPerByte * this.#size;
  }

  /** The bytes of all memories. */
  get #size(): number {
    return this.#memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  }
}

/** Collects the garbage. Returns what the runtime counts as the heap and as the buffers beside it, in bytes. */
function counted(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  // Bun's heap contains what is external.
  return runtime === "bun" ? heapUsed : heapUsed + external;
}
