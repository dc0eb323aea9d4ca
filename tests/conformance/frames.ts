/** Frames by their fields, without src/, right or as wrong as a test wants them. */

import { hex } from "../harness.ts";
import { join as joinBytes, utf8 } from "../support/bytes.ts";
import { closePayload, frameBytes, KEY } from "../support/frame_bytes.ts";

export { latin1 } from "../support/bytes.ts";
export { closePayload } from "../support/frame_bytes.ts";

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

/** Bytes as such, and hex as bytes. */
export function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? hex(data) : data;
}

/** The pieces, bytes or hex, in one. */
export function join(...pieces: (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  return joinBytes(...pieces.map(bytesOf));
}

/** A frame by RFC 6455 §5.2, right or as wrong as asked for. */
export function frame(parts: FrameParts): Uint8Array<ArrayBuffer> {
  const { opcode, fin = true, rsv = 0, mask, payload = "", lengthForm, claims } = parts;
  return frameBytes({
    first: (fin ? 0x80 : 0) + (rsv << 4) + opcode,
    payload: typeof payload === "string" ? utf8(payload) : payload,
    key: mask === null ? undefined : mask === undefined ? KEY : hex(mask),
    form: lengthForm,
    claims,
  });
}

/** A Close frame. */
export function closeFrame(code?: number, reason?: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return code === undefined
    ? frame({ opcode: 8 })
    : frame({ opcode: 8, payload: closePayload(code, reason) });
}
