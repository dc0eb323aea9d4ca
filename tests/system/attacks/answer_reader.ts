/** Reads what a victim sends: the head of an HTTP response, then frames, of which it keeps little. */

import { Buffer } from "node:buffer";
import { FrameReader } from "../../support/frames.ts";
import type { ReadFrame } from "../../support/frames.ts";

/** How much of a response's body is kept, in bytes. */
const MOST = 64 * 1024;

/** Reads the answer of a victim. */
export class AnswerReader {
  /** The head of the answer, once it is complete, with its last CRLF. */
  head = "";
  /** The status in the head; 0 until then. */
  status = 0;
  /** What follows the head of an answer other than 101, as text. */
  body = "";
  /** The code of the Close frame; 1005 if it had none. */
  closeCode: number | undefined;
  /** The reason of the Close frame. */
  reason = "";
  /** How many messages have been received. */
  messages = 0;
  /** The start of the last data frame's payload, as text. */
  last = "";
  #text = "";
  readonly #frames = new FrameReader((frame) => this.#take(frame), 125);

  /** @param isUpgraded Whether the first bytes are frames: there is no head. */
  constructor(isUpgraded = false) {
    if (isUpgraded) this.status = 101;
  }

  /** Reads the next bytes. */
  push(chunk: Uint8Array): void {
    if (this.status === 101) return this.#frames.push(chunk);
    if (this.status !== 0) {
      if (this.body.length < MOST) this.body += Buffer.from(chunk).toString("latin1");
      return;
    }
    this.#text += Buffer.from(chunk).toString("latin1");
    const end = this.#text.indexOf("\r\n\r\n");
    if (end === -1) return;
    const rest = Buffer.from(this.#text.slice(end + 4), "latin1");
    this.head = this.#text.slice(0, end + 2);
    this.#text = "";
    this.status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(this.head)?.[1] ?? -1);
    if (rest.length > 0) this.push(rest);
  }

  /** The value of a field of the head; `undefined` if it is missing. */
  field(name: string): string | undefined {
    return new RegExp(`^${name}: *(.*?)\r$`, "im").exec(this.head)?.[1];
  }

  #take({ first, payload }: ReadFrame): void {
    const bytes = Buffer.from(payload);
    const opcode = first & 0x0f;
    if (opcode === 8) {
      this.closeCode ??= bytes.length < 2 ? 1005 : bytes.readUInt16BE(0);
      this.reason = bytes.subarray(2).toString("utf8");
    } else if (opcode < 8) {
      this.last = bytes.toString("utf8");
      if ((first & 0x80) !== 0) this.messages++;
    }
  }
}
