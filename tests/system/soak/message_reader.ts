/** Reads a server's messages off the wire, without anything of src/. */

import { Buffer } from "node:buffer";
import { constants, inflateRawSync } from "node:zlib";

const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

/** Who is told of what was read. */
export interface Reading {
  message(payload: Buffer, isText: boolean): void;
  pong(): void;
  close(code: number): void;
}

/** See the module. */
export class MessageReader {
  readonly #reading: Reading;
  #chunks: Buffer[] = [];
  #length = 0;
  /** How many bytes there must be before it's worth to look again. */
  #needed = 2;
  #parts: Buffer[] = [];
  #isText = false;
  #isCompressed = false;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  /**
   * Takes the next bytes.
   *
   * @throws {Error} where the server breaks the protocol.
   */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#needed) return;
    let bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#length);
    while (true) {
      const used = this.#frame(bytes);
      if (used === 0) break;
      bytes = bytes.subarray(used);
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes];
    this.#length = bytes.length;
  }

  /** Reads one frame; how many bytes it had, or 0 where it's not whole. */
  #frame(bytes: Buffer): number {
    this.#needed = 2;
    if (bytes.length < 2) return 0;
    const [first, second] = bytes as unknown as [number, number];
    if ((second & 0x80) !== 0) throw new Error("The server masks");
    const size = second < 126 ? 2 : second === 126 ? 4 : 10;
    this.#needed = size;
    if (bytes.length < size) return 0;
    const length = size === 2
      ? second
      : size === 4
      ? bytes.readUInt16BE(2)
      : Number(bytes.readBigUInt64BE(2));
    this.#needed = size + length;
    if (bytes.length < size + length) return 0;
    this.#take(first, bytes.subarray(size, size + length));
    return size + length;
  }

  #take(first: number, payload: Buffer): void {
    const opcode = first & 0x0f;
    if (opcode === 8) return this.#reading.close(length2(payload));
    if (opcode === 10) return this.#reading.pong();
    if (opcode > 2) throw new Error(`The server sends opcode ${opcode}`);
    if ((opcode === 0) !== (this.#parts.length > 0)) throw new Error("The server mixes fragments");
    if (opcode !== 0) {
      this.#isText = opcode === 1;
      this.#isCompressed = (first & 0x40) !== 0;
    }
    this.#parts.push(payload);
    if ((first & 0x80) === 0) return;
    const whole = Buffer.concat(this.#isCompressed ? [...this.#parts, TAIL] : this.#parts);
    this.#parts = [];
    const message = this.#isCompressed
      ? inflateRawSync(whole, { finishFlush: constants.Z_SYNC_FLUSH })
      : whole;
    this.#reading.message(message, this.#isText);
  }
}

function length2(payload: Buffer): number {
  return payload.length < 2 ? 1005 : payload.readUInt16BE(0);
}
