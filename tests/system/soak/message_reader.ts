/** Reads a server's messages off the wire, without anything of src/. */

import { Buffer } from "node:buffer";
import { constants, inflateRawSync } from "node:zlib";
import { FrameReader } from "../../support/frames.ts";
import type { ReadFrame } from "../../support/frames.ts";

const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

/** What a {@linkcode MessageReader} calls. */
export interface Reading {
  message(payload: Buffer, isText: boolean): void;
  pong(): void;
  close(code: number): void;
}

/** Reads messages, in fragments and compressed ones too. */
export class MessageReader {
  readonly #reading: Reading;
  readonly #frames = new FrameReader((frame) => this.#take(frame));
  #parts: Uint8Array[] = [];
  #isText = false;
  #isCompressed = false;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  /**
   * Reads the next bytes.
   *
   * @throws {Error} If the server violates the protocol.
   */
  push(chunk: Uint8Array): void {
    this.#frames.push(chunk);
  }

  #take({ first, isMasked, payload }: ReadFrame): void {
    if (isMasked) throw new Error("The server masks");
    const opcode = first & 0x0f;
    if (opcode === 8) return this.#reading.close(codeOf(payload));
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

function codeOf(payload: Uint8Array): number {
  return payload.length < 2 ? 1005 : (payload[0]! << 8) | payload[1]!;
}
