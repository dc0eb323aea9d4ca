/** The heap of a victim, as its runtime counts it, without the memories of WebAssembly. */

import process from "node:process";
import { collectGarbage } from "../../support/garbage.ts";
import { runtime } from "./attack.ts";

/** The pages of the memory by which is measured how often the runtime counts one. */
const PROBE = 16;

/** The memories of WebAssembly that have been created: that of the SIMD kernel, when it is loaded. */
const memories: WebAssembly.Memory[] = [];

/** Measures the heap of this process. */
export class Heap {
  /** The bytes that the runtime counts for each byte of a memory of WebAssembly: about 2 on Bun. */
  readonly #times: number;

  /** Begins to note the memories of WebAssembly. */
  constructor() {
    const before = counted();
    memories.push(new WebAssembly.Memory({ initial: PROBE, maximum: PROBE }));
    const size = sizeOfMemories(); // Bun counts a memory again when its buffer is first read.
    this.#times = (counted() - before) / size;
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
    return counted() - this.#times * sizeOfMemories();
  }
}

function sizeOfMemories(): number {
  return memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
}

function counted(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  // Bun's heap contains what is external.
  return runtime === "bun" ? heapUsed : heapUsed + external;
}
