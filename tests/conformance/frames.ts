/** Frames by RFC 6455 §5.2, built byte for byte without src/, right or as wrong as a test wants them. */

import { hex } from "../harness.ts";

/** The masking key of RFC 6455 §5.7. */
const KEY = "37 fa 21 3d";

/** What a {@linkcode frame} is made of. */
export interface FrameParts {
  /** 0 Continuation, 1 Text, 2 Binary, 8 Close, 9 Ping, 10 Pong; any other is reserved. */
  opcode: number;
  /** Default: `true`. */
  fin?: boolean;
  /** RSV1 is 4, RSV2 is 2, RSV3 is 1. Default: 0. */
  rsv?: number;
  /** The masking key in hex; `null` for a frame that is not masked. Default: RFC 6455 §5.7's. */
  mask?: string | null;
  /** Bytes, or text in UTF-8. Default: none. */
  payload?: string | Uint8Array;
  /** How many bits hold the length. Default: the fewest. */
  lengthForm?: 7 | 16 | 64;
  /** The length in the header, where that is not the payload's. */
  claims?: number | bigint;
}

/** Text, one byte for each character. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Bytes as such, and hex as bytes. */
export function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? hex(data) : data;
}

/** The pieces, bytes or hex, in one. */
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

/** A frame by RFC 6455 §5.2, right or as wrong as asked for. */
export function frame(parts: FrameParts): Uint8Array<ArrayBuffer> {
  const { opcode, fin = true, rsv = 0, mask = KEY, payload = "", claims } = parts;
  const data = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const length = BigInt(claims ?? data.length);
  const form = parts.lengthForm ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
  const digits = (value: bigint | number, count: number) => value.toString(16).padStart(count, "0");
  const second = (mask === null ? 0 : 0x80) +
    (form === 7 ? Number(length) : form === 16 ? 126 : 127);
  const header = digits((fin ? 0x80 : 0) + (rsv << 4) + opcode, 2) + digits(second, 2) +
    (form === 7 ? "" : digits(length, form / 4));
  if (mask === null) return join(header, data);
  const key = hex(mask);
  return join(header, key, data.map((byte, i) => byte ^ key[i & 3]!));
}

/** A Close frame's payload: the code, and the reason as text or as bytes in hex. */
export function closePayload(code: number, reason: string | Uint8Array = ""): Uint8Array {
  const text = typeof reason === "string" ? new TextEncoder().encode(reason) : reason;
  return join(code.toString(16).padStart(4, "0"), text);
}

/** A Close frame. */
export function closeFrame(code?: number, reason?: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return code === undefined
    ? frame({ opcode: 8 })
    : frame({ opcode: 8, payload: closePayload(code, reason) });
}
