/** Frames for the generator: built before the measurement, and counted instead of decoded. */

import type { Payload } from "../loads.ts";

const encoder = new TextEncoder();

/** Returns the `index`th payload of `size` bytes. All differ, so that a mix-up is detected. */
export function makePayload(kind: Payload, size: number, index: number): Uint8Array {
  if (kind === "json") return encoder.encode(makeJson(size, index));
  if (kind === "binary") return Uint8Array.from({ length: size }, (_, i) => i * 31 + index * 7);
  if (kind === "ascii") {
    return Uint8Array.from({ length: size }, (_, i) => 0x61 + (i * 7 + index) % 26);
  }
  // Characters of 1, 2, 3 and 4 bytes: 10 bytes in total.
  const start = String.fromCharCode(0x61 + index % 26);
  const text = start + "é€😀a".repeat(Math.floor((size - 1) / 10));
  const bytes = encoder.encode(text);
  return encoder.encode(text + "z".repeat(size - bytes.length));
}

/** Returns a list of orders as an API sends it, with repeated keys and different values. */
function makeJson(size: number, index: number): string {
  let state = index + 1;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  const orders: unknown[] = [];
  while (JSON.stringify({ orders }).length < size) {
    orders.push({
      id: next().toString(16),
      customer: `customer-${next() % 1000}`,
      price: (next() % 100_000) / 100,
      quantity: next() % 10,
      shipped: next() % 2 === 0,
    });
  }
  return JSON.stringify({ orders });
}

/** Returns a frame with `first` as its first byte, masked if there is a key. */
export function makeFrame(first: number, payload: Uint8Array, key?: Uint8Array): Uint8Array {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const header = 2 + lengthBytes + (key === undefined ? 0 : 4);
  const frame = new Uint8Array(header + length);
  const view = new DataView(frame.buffer);
  frame[0] = first;
  frame[1] = lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127;
  if (lengthBytes === 2) view.setUint16(2, length);
  if (lengthBytes === 8) view.setBigUint64(2, BigInt(length));
  frame.set(payload, header);
  if (key === undefined) return frame;
  frame[1]! |= 0x80;
  frame.set(key, header - 4);
  for (let i = 0; i < length; i++) frame[header + i]! ^= key[i & 3]!;
  return frame;
}

/** Returns a masking key, a different one for each index. */
export function makeKey(index: number): Uint8Array {
  return new Uint8Array([0x37 + index, 0xfa - index, 0x21, 0x3d]);
}

/** Concatenates the pieces. */
export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let position = 0;
  for (const piece of pieces) {
    all.set(piece, position);
    position += piece.length;
  }
  return all;
}

/** Counts the messages that end in each chunk of a connection. */
export interface Counter {
  push(chunk: Uint8Array): number;
  /** Whether the last byte was the end of a message. */
  readonly isWhole: boolean;
}

/** Counts replies of one size, with one division per chunk. */
export class SizeCounter implements Counter {
  readonly #size: number;
  #bytes = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get isWhole(): boolean {
    return this.#bytes === 0;
  }

  push(chunk: Uint8Array): number {
    this.#bytes += chunk.length;
    const count = Math.floor(this.#bytes / this.#size);
    this.#bytes -= count * this.#size;
    return count;
  }
}

/** Counts replies of unknown size by reading their headers. Control frames do not count. */
export class FrameCounter implements Counter {
  /** The number of payload bytes before the next header. */
  #skip = 0;
  #header: number[] = [];

  get isWhole(): boolean {
    return this.#skip === 0 && this.#header.length === 0;
  }

  push(chunk: Uint8Array): number {
    let count = 0;
    let position = 0;
    while (position < chunk.length) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, chunk.length - position);
        this.#skip -= step;
        position += step;
      } else {
        this.#header.push(chunk[position++]!);
        if (!this.#readHeader()) continue;
      }
      if (this.#skip > 0 || this.#header.length === 0) continue;
      count += this.#endFrame();
    }
    return count;
  }

  /** Returns whether the header is complete; `#skip` is then the payload's length. */
  #readHeader(): boolean {
    const header = this.#header;
    if (header.length < 2) return false;
    const short = header[1]!;
    if (short > 127) throw new Error("The server masks");
    const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
    if (header.length < 2 + lengthBytes) return false;
    this.#skip = short < 126 ? short : header.slice(2).reduce((sum, byte) => sum * 256 + byte, 0);
    return true;
  }

  #endFrame(): number {
    const first = this.#header[0]!;
    this.#header.length = 0;
    return (first & 0x80) !== 0 && (first & 0x0f) < 8 ? 1 : 0;
  }
}

/** Splits complete frames of a server into their first bytes and payloads. */
export function* readFrames(bytes: Uint8Array): Generator<{ first: number; payload: Uint8Array }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let position = 0; position < bytes.length;) {
    const first = bytes[position]!;
    const short = bytes[position + 1]!;
    let start = position + 2;
    let length = short;
    if (short === 126) {
      length = view.getUint16(start);
      start += 2;
    } else if (short === 127) {
      length = Number(view.getBigUint64(start));
      start += 8;
    }
    position = start + length;
    yield { first, payload: bytes.subarray(start, position) };
  }
}
