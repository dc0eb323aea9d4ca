/** What an attacker writes, on top of the tests' own frames and requests. */

import { Buffer } from "node:buffer";
import { frame } from "../../support/frames.ts";
import { upgradeRequest } from "../../support/http.ts";
import type { Fields } from "../../support/http.ts";

/** The parts of a {@linkcode request}. */
export interface RequestParts {
  method?: string;
  target?: string;
  /** Further fields, or other values for some of them; a field without a value is omitted. */
  fields?: Fields;
  /** Further lines, unchanged, each with its CRLF. */
  lines?: string;
}

/** A request that opens a WebSocket on this machine. */
export function request(parts: RequestParts = {}): string {
  const { method = "GET", target = "/", fields = {}, lines = "" } = parts;
  return upgradeRequest({ Host: "127.0.0.1", ...fields }, `${method} ${target} HTTP/1.1`, lines);
}

/** A text message in one frame. */
export function text(payload: string): Uint8Array {
  return frame({ opcode: 1, payload });
}

/** The same bytes repeated, about `size` bytes in all. */
export function repeat(bytes: Uint8Array, size = 64 * 1024): Buffer {
  const times = Math.max(1, Math.floor(size / bytes.length));
  return Buffer.concat(Array.from({ length: times }, () => bytes));
}
