/** Reads what a victim sends: the head of an HTTP answer, and then frames, of which it keeps little. */

import { Buffer } from "node:buffer";

/** The most that is kept of a head, or of a control frame, in bytes. */
const MOST = 64 * 1024;

/** See the module. */
export class AnswerReader {
  /** The head of the answer, once it's whole, with its last CRLF. */
  head = "";
  /** The status in the head; 0 until then. */
  status = 0;
  /** What follows the head of an answer other than 101, as text. */
  body = "";
  /** The code of the Close frame; 1005 where it had none. */
  closeCode: number | undefined;
  /** The reason of the Close frame. */
  reason = "";
  /** How many messages have ended. */
  messages = 0;
  /** The payload of the last data frame, if it was short, as text. */
  last = "";
  #text = "";
  #header: number[] = [];
  #length = 0;
  #need = 0;
  #kept: number[] = [];

  /** @param isUpgraded Whether frames come from the start on: there is no head. */
  constructor(isUpgraded = false) {
    if (isUpgraded) this.status = 101;
  }

  /** Takes the next bytes. */
  push(chunk: Uint8Array): void {
    if (this.status === 101) return this.#frames(chunk);
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

  /** The value of a field of the head; `undefined` where it's not there. */
  field(name: string): string | undefined {
    return new RegExp(`^${name}: *(.*?)\r$`, "im").exec(this.head)?.[1];
  }

  #frames(chunk: Uint8Array): void {
    for (let i = 0; i < chunk.length;) {
      if (this.#need === 0) {
        this.#header.push(chunk[i++]!);
        if (this.#hasHeader() && this.#need === 0) this.#end();
        continue;
      }
      const step = Math.min(this.#need, chunk.length - i);
      for (let k = i; k < i + step && this.#length < 126; k++) this.#kept.push(chunk[k]!);
      this.#need -= step;
      i += step;
      if (this.#need === 0) this.#end();
    }
  }

  /** Whether the header is whole; then what is to come of the frame is known. */
  #hasHeader(): boolean {
    const header = this.#header;
    if (header.length < 2) return false;
    const short = header[1]! & 0x7f;
    const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
    const size = 2 + lengthBytes + ((header[1]! & 0x80) === 0 ? 0 : 4);
    if (header.length < size) return false;
    this.#length = lengthBytes === 0
      ? short
      : header.slice(2, 2 + lengthBytes).reduce((sum, byte) => sum * 256 + byte, 0);
    this.#need = this.#length;
    return true;
  }

  #end(): void {
    const [first, second] = this.#header as [number, number];
    const key = (second & 0x80) === 0 ? [0, 0, 0, 0] : this.#header.slice(-4);
    const payload = Buffer.from(this.#kept.map((byte, i) => byte ^ key[i & 3]!));
    this.#header = [];
    this.#kept = [];
    const opcode = first & 0x0f;
    if (opcode === 8) {
      this.closeCode ??= payload.length < 2 ? 1005 : payload.readUInt16BE(0);
      this.reason = payload.subarray(2).toString("utf8");
    } else if (opcode < 8) {
      this.last = payload.toString("utf8");
      if ((first & 0x80) !== 0) this.messages++;
    }
  }
}
