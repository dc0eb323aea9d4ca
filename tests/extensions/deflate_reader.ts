/** A slow reader of the deflate format, by RFC 1951, for tests: returns the blocks of a stream. */

/** A block of a deflate stream. */
export interface DeflateBlock {
  /** BFINAL. */
  isFinal: boolean;
  /** BTYPE. */
  type: "stored" | "fixed" | "dynamic";
  /** The number of bytes of its output. */
  length: number;
  /** The largest distance of a match in it; 0 if there is none. */
  distance: number;
}

const LENGTH_BASE = [
  ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115],
  ...[131, 163, 195, 227, 258],
];
const DISTANCE_BASE = [
  ...[1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537],
  ...[2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577],
];
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Returns the blocks of a stream that ends at the end of a block. */
export function readBlocks(bytes: Uint8Array): DeflateBlock[] {
  const reader = new DeflateReader(bytes);
  const blocks: DeflateBlock[] = [];
  while (!reader.atEnd) blocks.push(reader.block());
  return blocks;
}

class DeflateReader {
  readonly #bytes: Uint8Array;
  #bit = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether only the padding of the last byte is left. */
  get atEnd(): boolean {
    const left = 8 * this.#bytes.length - this.#bit;
    return left <= 0 || (left < 8 && this.#bytes.at(-1)! >> (8 - left) === 0);
  }

  block(): DeflateBlock {
    const isFinal = this.#bits(1) === 1;
    const type = (["stored", "fixed", "dynamic"] as const)[this.#bits(2)];
    if (type === undefined) throw new Error("block type 3");
    let length = 0;
    let distance = 0;
    if (type === "stored") {
      this.#align();
      length = this.#bits(16);
      if (this.#bits(16) !== (~length & 0xffff)) throw new Error("stored lengths");
      this.#bit += 8 * length;
    } else {
      const [literals, distances] = type === "fixed" ? fixedCodes() : this.#dynamicCodes();
      for (let symbol; (symbol = this.#symbol(literals!)) !== 256;) {
        if (symbol < 256) {
          length++;
          continue;
        }
        const i = symbol - 257;
        length += LENGTH_BASE[i]! + this.#bits(i < 8 || i === 28 ? 0 : (i - 4) >> 2);
        const j = this.#symbol(distances!);
        distance = Math.max(distance, DISTANCE_BASE[j]! + this.#bits(j < 4 ? 0 : (j - 2) >> 1));
      }
    }
    // After a final block the next starts at a byte boundary: RFC 7692 §7.2.1.
    if (isFinal) this.#align();
    return { isFinal, type, length, distance };
  }

  #dynamicCodes(): Map<number, number>[] {
    const literals = this.#bits(5) + 257;
    const distances = this.#bits(5) + 1;
    const order = CODE_LENGTH_ORDER.slice(0, this.#bits(4) + 4);
    const lengths: number[] = Array(19).fill(0);
    for (const i of order) lengths[i] = this.#bits(3);
    const code = codesOf(lengths);
    const all: number[] = [];
    while (all.length < literals + distances) {
      const symbol = this.#symbol(code);
      if (symbol < 16) all.push(symbol);
      else if (symbol === 16) all.push(...Array(3 + this.#bits(2)).fill(all.at(-1)));
      else all.push(...Array(symbol === 17 ? 3 + this.#bits(3) : 11 + this.#bits(7)).fill(0));
    }
    return [codesOf(all.slice(0, literals)), codesOf(all.slice(literals))];
  }

  #symbol(codes: Map<number, number>): number {
    let code = 1;
    for (let i = 0; i < 15; i++) {
      code = (code << 1) | this.#bits(1);
      const symbol = codes.get(code);
      if (symbol !== undefined) return symbol;
    }
    throw new Error("no such code");
  }

  #bits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.#bit++) {
      const byte = this.#bytes[this.#bit >> 3];
      if (byte === undefined) throw new Error("the stream ends within a block");
      value |= ((byte >> (this.#bit & 7)) & 1) << i;
    }
    return value;
  }

  #align(): void {
    this.#bit = (this.#bit + 7) & ~7;
  }
}

function fixedCodes(): Map<number, number>[] {
  const lengths = Array.from(
    { length: 288 },
    (_, i) => i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8,
  );
  return [codesOf(lengths), codesOf(Array(30).fill(5))];
}

/** RFC 1951 §3.2.2: maps the codes, with a 1 before their first bit, to their symbols. */
function codesOf(lengths: number[]): Map<number, number> {
  const codes = new Map<number, number>();
  let code = 0;
  for (let length = 1; length <= 15; length++) {
    lengths.forEach((of, symbol) => {
      if (of === length) codes.set((1 << length) | code++, symbol);
    });
    code <<= 1;
  }
  return codes;
}
