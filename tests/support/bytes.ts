/** Bytes made of text, of hex and of other bytes. Imports nothing of src/, and not the harness. */

import { decodeHex, encodeHex } from "@std/encoding/hex";

const textEncoder = new TextEncoder();

/** The UTF-8 of a string. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return textEncoder.encode(text);
}

/** Text, one byte for each character. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** The text of bytes, one character for each. */
export function fromLatin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Bytes from hexadecimal digits; white space is skipped: `hex("81 05 48 65 6c 6c 6f")`. */
export function hex(digits: string): Uint8Array<ArrayBuffer> {
  return decodeHex(digits.replaceAll(/\s/g, ""));
}

/** Bytes as {@linkcode hex} reads them, with a space between two. */
export function toHex(bytes: Uint8Array): string {
  return encodeHex(bytes).replaceAll(/(..)(?=.)/g, "$1 ");
}

/** Bytes unchanged, and hex as bytes. */
export function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? hex(data) : data;
}

/** The pieces, bytes or hex, in one array. */
export function join(...pieces: (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const parts = pieces.map(bytesOf);
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    all.set(part, position);
    position += part.length;
  }
  return all;
}
