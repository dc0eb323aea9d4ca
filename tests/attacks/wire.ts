/** What an attacker writes: requests and frames, right or wrong, made without anything of src/. */

import { Buffer } from "node:buffer";

/** A masking key, the same for all: an attacker has no use for a good one. */
const KEY = [0x37, 0xfa, 0x21, 0x3d] as const;

/** The fields of a request that opens a WebSocket. */
const FIELDS = {
  "Host": "127.0.0.1",
  "Upgrade": "websocket",
  "Connection": "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
} as const;

/** What {@linkcode request} takes. */
export interface RequestParts {
  method?: string;
  target?: string;
  /** More fields, or others in place of those of an upgrade; without a value, the field is left out. */
  fields?: Record<string, string | undefined>;
  /** Lines as they are, after the fields, each with its end. */
  lines?: string;
}

/** A request that asks for a WebSocket. */
export function request(parts: RequestParts = {}): string {
  const { method = "GET", target = "/", fields = {}, lines = "" } = parts;
  const text = Object.entries({ ...FIELDS, ...fields })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
  return `${method} ${target} HTTP/1.1\r\n${text}${lines}\r\n`;
}

/** Text to bytes, one for each character. */
export function latin1(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

/** What {@linkcode frame} takes. */
export interface FrameParts {
  fin?: boolean;
  /** RSV1, which permessage-deflate sets. */
  rsv1?: boolean;
  opcode: number;
  payload?: Uint8Array | string;
  /** The length that the header claims, where it's not the payload's. */
  claims?: number | bigint;
  /** The size of the length field, where it's not the smallest: 16 or 64 bits. */
  lengthBits?: 7 | 16 | 64;
  /** Whether it's masked, as a client's must be. */
  masked?: boolean;
}

/** One frame. */
export function frame(parts: FrameParts): Buffer {
  const { fin = true, rsv1 = false, opcode, payload = "", masked = true } = parts;
  const body = Buffer.from(payload as Uint8Array);
  const length = BigInt(parts.claims ?? body.length);
  const bits = parts.lengthBits ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
  const head = Buffer.alloc(bits === 7 ? 2 : bits === 16 ? 4 : 10);
  head[0] = (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode;
  head[1] = (masked ? 0x80 : 0) | (bits === 7 ? Number(length) : bits === 16 ? 126 : 127);
  if (bits === 16) head.writeUInt16BE(Number(length), 2);
  if (bits === 64) head.writeBigUInt64BE(length, 2);
  if (!masked) return Buffer.concat([head, body]);
  for (let i = 0; i < body.length; i++) body[i]! ^= KEY[i & 3]!;
  return Buffer.concat([head, Buffer.from(KEY), body]);
}

/** A Close frame. */
export function closeFrame(code: number, masked = true): Buffer {
  return frame({ opcode: 8, payload: Uint8Array.of(code >> 8, code & 0xff), masked });
}

/** The same bytes again and again, up to about `size` in all. */
export function repeat(bytes: Uint8Array, size = 64 * 1024): Buffer {
  const times = Math.max(1, Math.floor(size / bytes.length));
  return Buffer.concat(Array.from({ length: times }, () => bytes));
}
