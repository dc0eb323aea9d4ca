/**
 * Frames by RFC 6455 §5.2, byte for byte, right or as wrong as a test wants them. Nothing of src/ is in
 * it, so that what is tested does not test itself; and nothing of the harness, for an attacker's
 * process has none.
 */

import { join, utf8 } from "./bytes.ts";

/** The masking key of RFC 6455 §5.7. */
export const KEY: Uint8Array = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

/** What {@linkcode frameBytes} writes. */
export interface FrameBytes {
  /** FIN, RSV and opcode: the first byte, as it is. */
  first: number;
  payload: Uint8Array;
  /** The masking key; a frame without one is not masked. */
  key?: Uint8Array | undefined;
  /** How many bits hold the length. Default: the fewest. */
  form?: 7 | 16 | 64 | undefined;
  /** The length in the header, where that is not the payload's. */
  claims?: number | bigint | undefined;
}

/** One frame. */
export function frameBytes(parts: FrameBytes): Uint8Array<ArrayBuffer> {
  const { first, payload, key } = parts;
  const length = BigInt(parts.claims ?? payload.length);
  const form = parts.form ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
  const short = form === 7 ? Number(length) : form === 16 ? 126 : 127;
  const head = new DataView(new ArrayBuffer(form === 7 ? 2 : 2 + form / 8));
  head.setUint8(0, first);
  head.setUint8(1, (key === undefined ? 0 : 0x80) | short);
  if (form === 16) head.setUint16(2, Number(length));
  if (form === 64) head.setBigUint64(2, length);
  const header = new Uint8Array(head.buffer);
  return key === undefined ? join(header, payload) : join(header, key, naiveMask(payload, key));
}

/** RFC 6455 §5.3, word for word. */
export function naiveMask(bytes: Uint8Array, key: Uint8Array): Uint8Array<ArrayBuffer> {
  const masked = new Uint8Array(bytes);
  for (let i = 0; i < masked.length; i++) masked[i]! ^= key[i % 4]!;
  return masked;
}

/** A Close frame's payload: the code, and the reason as text or as bytes. */
export function closePayload(code: number, reason: string | Uint8Array = ""): Uint8Array {
  const text = typeof reason === "string" ? utf8(reason) : reason;
  return join(Uint8Array.of(code >> 8, code & 0xff), text);
}

/** How long a frame's header and its payload are. */
export interface FrameSizes {
  /** The header, with the masking key. */
  header: number;
  payload: number;
}

/** The sizes of the frame that the bytes begin with; `undefined` where its header is not whole. */
export function sizesOf(bytes: Uint8Array): FrameSizes | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 0x7f;
  const header = (short < 126 ? 2 : short === 126 ? 4 : 10) + ((bytes[1]! & 0x80) === 0 ? 0 : 4);
  if (bytes.length < header) return undefined;
  if (short < 126) return { header, payload: short };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { header, payload: short === 126 ? view.getUint16(2) : Number(view.getBigUint64(2)) };
}
