import { Buffer } from "node:buffer";

/** Bytes as standard base64 with padding. A string is taken as UTF-8. */
export function encodeBase64(data: ArrayBuffer | Uint8Array | string): string {
  if (typeof data === "string") return Buffer.from(data, "utf8").toString("base64");
  if (data instanceof ArrayBuffer) return Buffer.from(data).toString("base64");
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
}

/** Standard base64, padded or not, as bytes. Throws on a character outside of the alphabet. */
export function decodeBase64(b64: string): Uint8Array<ArrayBuffer> {
  // `atob` refuses what `Buffer.from` would skip, but lets white space through.
  if (/\s/.test(b64)) throw new TypeError("Cannot decode base64: white space");
  let binary: string;
  try {
    binary = atob(b64);
  } catch (cause) {
    throw new TypeError("Cannot decode base64: not base64", { cause });
  }
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
