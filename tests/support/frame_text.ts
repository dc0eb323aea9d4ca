import { toHex } from "../harness.ts";
import { parseFrames } from "../protocol/frames.ts";
import type { ParsedFrame } from "../protocol/frames.ts";
import { sizesOf } from "./frame_bytes.ts";

const NAMES = new Map([
  [0x0, "continuation"],
  [0x1, "text"],
  [0x2, "binary"],
  [0x8, "close"],
  [0x9, "ping"],
  [0xa, "pong"],
]);

/** The frames that are whole, and the bytes of the one that is not, or of none. */
export function wholeFrames(bytes: Uint8Array): { frames: ParsedFrame[]; rest: Uint8Array } {
  let end = 0;
  while (true) {
    const sizes = sizesOf(bytes.subarray(end));
    if (sizes === undefined || end + sizes.header + sizes.payload > bytes.length) break;
    end += sizes.header + sizes.payload;
  }
  return { frames: parseFrames(bytes.slice(0, end)), rest: bytes.subarray(end) };
}

/** A frame in words: `text Hello`, `binary 00 ff`, `close 1000 bye`; a `+` after one that is no end. */
export function frameWords({ first, payload }: ParsedFrame): string {
  const opcode = first & 0x0f;
  const name = `${NAMES.get(opcode)}${(first & 0x80) === 0 ? "+" : ""}`;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  let words = toHex(payload);
  if (opcode === 0x8 && payload.length >= 2) {
    words = `${(payload[0] << 8) | payload[1]} ${text(payload.subarray(2))}`;
  } else if (opcode === 0x1) {
    words = text(payload);
  }
  return `${name} ${words}`.trim();
}
