/** What an attacker writes: requests and frames, right or wrong, made without anything of src/. */

import { Buffer } from "node:buffer";
import { utf8 } from "../../support/bytes.ts";
import { closePayload, frameBytes, KEY } from "../../support/frame_bytes.ts";
import { headText, UPGRADE } from "../../support/http_text.ts";

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
  const all = { Host: "127.0.0.1", ...UPGRADE, ...fields };
  return headText(`${method} ${target} HTTP/1.1`, all, lines);
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
  const bytes = frameBytes({
    first: (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode,
    payload: typeof payload === "string" ? utf8(payload) : payload,
    // The same for all: an attacker has no use for a good one.
    key: masked ? KEY : undefined,
    form: parts.lengthBits,
    claims: parts.claims,
  });
  return Buffer.from(bytes.buffer);
}

/** A text message, in one frame. */
export function text(payload: string): Buffer {
  return frame({ opcode: 1, payload });
}

/** A Close frame. */
export function closeFrame(code: number, masked = true): Buffer {
  return frame({ opcode: 8, payload: closePayload(code), masked });
}

/** The same bytes again and again, up to about `size` in all. */
export function repeat(bytes: Uint8Array, size = 64 * 1024): Buffer {
  const times = Math.max(1, Math.floor(size / bytes.length));
  return Buffer.concat(Array.from({ length: times }, () => bytes));
}
