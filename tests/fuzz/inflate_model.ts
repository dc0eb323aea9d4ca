/** A model of RFC 1951, bit by bit, independent of src/ and of zlib. */

const LENGTH_BASE = [
  ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115],
  ...[131, 163, 195, 227, 258],
];
const LENGTH_BITS = [
  ...[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0],
];
const DISTANCE_BASE = [
  ...[1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537],
  ...[2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577],
];
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Stops decoding: the bytes are invalid, or have ended. */
class Stop {
  constructor(readonly isEnd: boolean) {}
}
const WRONG = new Stop(false);
const END = new Stop(true);

/** A canonical Huffman code: RFC 1951 §3.2.2. */
class Code {
  readonly #counts = new Uint16Array(16);
  readonly #symbols: number[] = [];

  constructor(lengths: number[], mayBeOne: boolean) {
    for (let length = 1; length < 16; length++) {
      lengths.forEach((other, symbol) => {
        if (other !== length) return;
        this.#counts[length]!++;
        this.#symbols.push(symbol);
      });
    }
    let left = 1;
    for (let length = 1; length < 16; length++) {
      left = left * 2 - this.#counts[length]!;
      if (left < 0) throw WRONG;
    }
    // §3.2.7: "If only one distance code is used, it is encoded using one bit"; there may also be none.
    const isOne = this.#counts[1] === this.#symbols.length && this.#symbols.length < 2;
    if (left > 0 && !(mayBeOne && isOne)) throw WRONG;
  }

  read(bits: Bits): number {
    let [code, first, index] = [0, 0, 0];
    for (let length = 1; length < 16; length++) {
      code |= bits.take(1);
      const count = this.#counts[length]!;
      if (code - first < count) return this.#symbols[index + code - first]!;
      index += count;
      first = (first + count) * 2;
      code *= 2;
    }
    throw WRONG;
  }
}

class Bits {
  at = 0;
  constructor(readonly bytes: Uint8Array) {}

  take(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.at++) {
      if (this.at >= this.bytes.length * 8) throw END;
      value |= ((this.bytes[this.at >> 3]! >> (this.at & 7)) & 1) << i;
    }
    return value;
  }

  align(): void {
    this.at = (this.at + 7) & ~7;
  }
}

const FIXED = new Code(
  Array.from({ length: 288 }, (_, i) => i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8),
  false,
);
const FIXED_DISTANCES = new Code(Array.from({ length: 32 }, () => 5), false);

/** The result for a compressed message. */
export interface Inflated {
  /** The output before `end`. */
  output: Uint8Array;
  /** How it ended: with the tail as the end of a block, within a block, or with invalid data. */
  end: "ok" | "wrong" | "too far";
  /** The largest distance of a match. */
  distance: number;
  /** The input position at the end of each final block, except at the end of the message. */
  finals: number[];
  /** The size of the output at each of those. */
  outputs: number[];
}

/**
 * RFC 7692 §7.2.2: inflates a payload and its tail.
 *
 * @param before The earlier output, to which matches may refer.
 * @param bound The size of the output at which to stop.
 */
export function inflate(payload: Uint8Array, before: Uint8Array, bound: number): Inflated {
  const bytes = new Uint8Array(payload.length + 4);
  bytes.set(payload);
  bytes.set([0, 0, 0xff, 0xff], payload.length);
  const run = new Run(new Bits(bytes), before, bound);
  let end: Inflated["end"] = "ok";
  const { finals, outputs } = run;
  try {
    for (;;) {
      const isFinal = run.block();
      if (run.bits.at === bytes.length * 8) break;
      if (!isFinal) continue;
      run.bits.align();
      if (run.bits.at / 8 > payload.length) throw WRONG;
      finals.push(run.bits.at / 8);
      outputs.push(run.length);
    }
  } catch (error) {
    if (error === TOO_FAR) end = "too far";
    else if (error instanceof Stop) end = "wrong";
    else throw error;
  }
  const { output, distance } = run;
  return { output, end, distance, finals, outputs };
}

const TOO_FAR = new Stop(false);

class Run {
  length = 0;
  distance = 0;
  readonly finals: number[] = [];
  readonly outputs: number[] = [];
  #bytes: Uint8Array;
  readonly #start: number;

  constructor(readonly bits: Bits, before: Uint8Array, readonly bound: number) {
    this.#start = before.length;
    this.#bytes = new Uint8Array(before.length + 1024);
    this.#bytes.set(before);
  }

  get output(): Uint8Array {
    return this.#bytes.slice(this.#start, this.#start + this.length);
  }

  #put(byte: number): void {
    // Output for the tail is not part of the message.
    if (this.bits.at > (this.bits.bytes.length - 4) * 8) throw WRONG;
    const at = this.#start + this.length++;
    if (at === this.#bytes.length) {
      const larger = new Uint8Array(at * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[at] = byte;
    if (this.length > this.bound) throw TOO_FAR;
  }

  /** Reads a block. Returns whether it is final. */
  block(): boolean {
    const { bits } = this;
    const isFinal = bits.take(1) === 1;
    const type = bits.take(2);
    if (type === 3) throw WRONG;
    if (type === 0) this.#stored();
    else if (type === 1) this.#coded(FIXED, FIXED_DISTANCES);
    else this.#coded(...this.#codes());
    return isFinal;
  }

  #stored(): void {
    const { bits } = this;
    bits.align();
    const length = bits.take(16);
    if ((bits.take(16) ^ 0xffff) !== length) throw WRONG;
    for (let i = 0; i < length; i++) this.#put(bits.take(8));
  }

  #codes(): [Code, Code] {
    const { bits } = this;
    const literals = bits.take(5) + 257;
    const distances = bits.take(5) + 1;
    const count = bits.take(4) + 4;
    // The limits of zlib: by RFC 1951 §3.2.6, symbols beyond these "never actually occur".
    if (literals > 286 || distances > 30) throw WRONG;
    const first = new Array<number>(19).fill(0);
    for (let i = 0; i < count; i++) first[ORDER[i]!] = bits.take(3);
    const code = new Code(first, false);
    const lengths: number[] = [];
    while (lengths.length < literals + distances) {
      const symbol = code.read(bits);
      if (symbol < 16) {
        lengths.push(symbol);
        continue;
      }
      if (symbol === 16 && lengths.length === 0) throw WRONG;
      const value = symbol === 16 ? lengths.at(-1)! : 0;
      const times = symbol === 16
        ? 3 + bits.take(2)
        : symbol === 17
        ? 3 + bits.take(3)
        : 11 + bits.take(7);
      for (let i = 0; i < times; i++) lengths.push(value);
    }
    if (lengths.length > literals + distances) throw WRONG;
    if (lengths[256] === 0) throw WRONG;
    return [
      new Code(lengths.slice(0, literals), true),
      new Code(lengths.slice(literals), true),
    ];
  }

  #coded(literals: Code, distances: Code): void {
    const { bits } = this;
    for (;;) {
      const symbol = literals.read(bits);
      if (symbol < 256) this.#put(symbol);
      else if (symbol === 256) return;
      else this.#match(symbol - 257, distances);
    }
  }

  #match(symbol: number, distances: Code): void {
    const { bits } = this;
    if (symbol >= LENGTH_BASE.length) throw WRONG;
    const length = LENGTH_BASE[symbol]! + bits.take(LENGTH_BITS[symbol]!);
    const code = distances.read(bits);
    if (code >= DISTANCE_BASE.length) throw WRONG;
    const distance = DISTANCE_BASE[code]! + bits.take(code < 4 ? 0 : (code - 2) >> 1);
    if (distance > Math.min(32_768, this.#start + this.length)) throw WRONG;
    this.distance = Math.max(this.distance, distance);
    for (let i = 0; i < length; i++) {
      this.#put(this.#bytes[this.#start + this.length - distance]!);
    }
  }
}
