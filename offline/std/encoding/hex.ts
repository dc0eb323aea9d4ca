import { Buffer } from "node:buffer";

/** Bytes as lower-case hexadecimal text. A string is taken as UTF-8. */
export function encodeHex(src: string | Uint8Array | ArrayBuffer): string {
  return toBuffer(src).toString("hex");
}

/** Hexadecimal text as bytes. Throws on an odd length and on a character that is no hex digit. */
export function decodeHex(src: string): Uint8Array<ArrayBuffer> {
  if (src.length % 2 !== 0) {
    throw new RangeError(`Cannot decode hex: the length must be even: ${src.length}`);
  }
  if (/[^0-9a-f]/i.test(src)) throw new TypeError(`Cannot decode hex: bad character in "${src}"`);
  return new Uint8Array(Buffer.from(src, "hex"));
}

function toBuffer(src: string | Uint8Array | ArrayBuffer): Buffer {
  if (typeof src === "string") return Buffer.from(src, "utf8");
  if (src instanceof ArrayBuffer) return Buffer.from(src);
  return Buffer.from(src.buffer, src.byteOffset, src.byteLength);
}
