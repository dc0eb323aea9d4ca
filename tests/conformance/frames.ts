/** Encodes valid and invalid frames from their fields. Independent of src/. */

import { hex } from "../harness.ts";
import { join as joinBytes, utf8 } from "../support/bytes.ts";
import { closePayload, frameBytes, KEY } from "../support/frame_bytes.ts";

export { latin1 } from "../support/bytes.ts";
export { closePayload } from "../support/frame_bytes.ts";

/** The fields of a {@linkcode frame}. */
export interface FrameParts {
  /** 0 Continuation, 1 Text, 2 Binary, 8 Close, 9 Ping, 10 Pong; any other is reserved. */
  opcode: number;
  /** @default {true} */
  fin?: boolean;
  /**
   * The reserved bits: RSV1 is 4, RSV2 is 2, RSV3 is 1.
   *
   * @default {0}
   */
  rsv?: number;
  /**
   * The masking key in hex; `null` for a frame that is not masked.
   *
   * @default {"37fa213d"} the key of RFC 6455 §5.7
   */
  mask?: string | null;
  /**
   * The payload: bytes, or text that is encoded as UTF-8.
   *
   * @default {""}
   */
  payload?: string | Uint8Array;
  /**
   * The number of bits that encode the length.
   *
   * @default {undefined} the fewest possible
   */
  lengthForm?: 7 | 16 | 64;
  /**
   * The length in the header.
   *
   * @default {undefined} the length of the payload
   */
  claims?: number | bigint;
}

/** Returns bytes unchanged, and hex as bytes. */
export function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? hex(data) : data;
}

/** Concatenates pieces of bytes or hex. */
export function join(...pieces: (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  return joinBytes(...pieces.map(bytesOf));
}

/** Encodes a frame of RFC 6455 §5.2, valid or not. */
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

/** Encodes a Close frame. */
export function closeFrame(code?: number, reason?: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return code === undefined
    ? frame({ opcode: 8 })
    : frame({ opcode: 8, payload: closePayload(code, reason) });
}
