import { unusable } from "./options.ts";
import { ProtocolError } from "./errors.ts";
import { CONTINUATION, isControl } from "./opcode.ts";
import type { Opcode } from "./opcode.ts";

/**
 * The end of a connection that an object works for. Only a client masks: RFC 6455 §5.1: "a client MUST
 * mask all frames that it sends to the server", and "A server MUST NOT mask any frames that it
 * sends to the client".
 */
export type Role = "client" | "server";

/** The roles: any other value would swap the masking. */
export const ROLES: readonly string[] = ["client", "server"];

/**
 * One frame, or a part of one, unmasked.
 *
 * A data frame that arrives in several chunks is passed on in parts, so that its bytes can be checked
 * and used before the frame has ended. Each part has the fields of the header, and `payloadOffset` is
 * its position in the frame. A control frame is always whole.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.2 RFC 6455 §5.2}
 */
export interface Frame {
  /** Whether this is the last frame of its message. */
  readonly fin: boolean;
  /** The first reserved bit, for extensions. permessage-deflate sets it for a compressed message. */
  readonly rsv1: boolean;
  /** The second reserved bit. */
  readonly rsv2: boolean;
  /** The third reserved bit. */
  readonly rsv3: boolean;
  /** The type of the frame. */
  readonly opcode: Opcode;
  /** The payload of this frame or part, unmasked: extension data, if any, and application data. */
  readonly payload: Uint8Array;
  /** The length of the payload of the whole frame, in bytes, from its header. */
  readonly payloadLength: number;
  /** The position of this part in the payload of the frame; 0 for a whole frame. */
  readonly payloadOffset: number;
}

/** The fields from which {@linkcode FrameEncoder} creates a frame. */
export interface FrameInit {
  /** The type of the frame. */
  opcode: Opcode;
  /**
   * Whether this is the last frame of its message.
   *
   * @default {true}
   */
  fin?: boolean;
  /**
   * The first reserved bit.
   *
   * @default {false}
   */
  rsv1?: boolean;
  /**
   * The second reserved bit.
   *
   * @default {false}
   */
  rsv2?: boolean;
  /**
   * The third reserved bit.
   *
   * @default {false}
   */
  rsv3?: boolean;
  /** The payload; empty if omitted. */
  payload?: Uint8Array;
}

/** The reserved bits, at their position in the first byte: see {@linkcode FrameDecoderOptions.rsv}. */
export const Rsv = {
  /** RSV1, which permessage-deflate uses. */
  Rsv1: 0x40,
  /** RSV2. */
  Rsv2: 0x20,
  /** RSV3. */
  Rsv3: 0x10,
} as const;

/** The longest payload of a control frame, in bytes. */
export const MAX_CONTROL_PAYLOAD = 125;

/** All values of {@linkcode Rsv}. */
export const RSV_BITS = 0x70;

/** @throws {RangeError} If it is not a combination of the values of {@linkcode Rsv}. */
export function checkRsv(rsv: number): void {
  if (Number.isInteger(rsv) && (rsv & ~RSV_BITS) === 0) return;
  throw unusable("option rsv", rsv, "values of Rsv combined", RangeError);
}

/** Returns an opcode, for an error. */
function named(opcode: number): string {
  return `opcode 0x${opcode.toString(16)}`;
}

/** A bit for each opcode that RFC 6455 §11.8 defines: 0 to 2, and 8 to 10. */
const DEFINED_OPCODES = 0x0707;

/**
 * Checks the first byte of a frame: FIN, RSV1-3 and the opcode.
 *
 * @param first The byte.
 * @param rsv The reserved bits that an extension uses.
 * @throws {ProtocolError} If it violates a rule, which the message names.
 */
export function checkFirstByte(first: number, rsv: number): void {
  const opcode = first & 0x0f;
  // RFC 6455 §5.2: RSV1, RSV2, RSV3 "MUST be 0 unless an extension is negotiated that defines
  // meanings for non-zero values. If a nonzero value is received and none of the negotiated
  // extensions defines the meaning of such a nonzero value, the receiving endpoint MUST _Fail the
  // WebSocket Connection_."
  if ((first & RSV_BITS & ~rsv) !== 0) {
    const bits = ["RSV1", "RSV2", "RSV3"].filter((_, i) => (first & ~rsv & (0x40 >> i)) !== 0);
    throw new ProtocolError(
      `Cannot decode frame: ${bits.join(" and ")} set, and no extension has claimed it`,
      "ERR_RSV",
    );
  }
  // RFC 6455 §5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail the
  // WebSocket Connection_."
  if ((DEFINED_OPCODES & (1 << opcode)) === 0) {
    throw new ProtocolError(
      `Cannot decode frame: reserved ${named(opcode)}`,
      "ERR_RESERVED_OPCODE",
    );
  }
  // RFC 6455 §5.5: all control frames "MUST NOT be fragmented".
  if (isControl(opcode) && (first & 0x80) === 0) {
    throw new ProtocolError(
      `Cannot decode frame: fragmented control frame, ${named(opcode)} without FIN`,
      "ERR_FRAGMENTED_CONTROL",
    );
  }
}

/**
 * Checks that a data frame is allowed next.
 *
 * @param opcode The opcode of the frame.
 * @param inMessage Whether a message is unfinished.
 * @throws {ProtocolError} If it is not.
 */
export function checkSequence(opcode: number, inMessage: boolean): void {
  if ((opcode === CONTINUATION) === inMessage) return;
  // RFC 6455 §5.4: "a fragmented message consists of a single frame with the FIN bit clear and an
  // opcode other than 0, followed by zero or more frames with the FIN bit clear and the opcode set
  // to 0", and "The fragments of one message MUST NOT be interleaved between the fragments of
  // another message".
  throw inMessage
    ? new ProtocolError(
      `Cannot decode frame: a new message, ${named(opcode)}, inside another`,
      "ERR_EXPECTED_CONTINUATION",
    )
    : new ProtocolError(
      "Cannot decode frame: a continuation frame with no message to continue",
      "ERR_UNEXPECTED_CONTINUATION",
    );
}

/**
 * Checks the length of a frame.
 *
 * @param length The length of the payload, in bytes, or the least that it can be.
 * @throws {ProtocolError} If it is a control frame, and too long for one.
 */
export function checkControlLength(opcode: number, length: number): void {
  // RFC 6455 §5.5: "All control frames MUST have a payload length of 125 bytes or less".
  if (length <= MAX_CONTROL_PAYLOAD || !isControl(opcode)) return;
  throw new ProtocolError(
    `Cannot decode frame: control frame, ${named(opcode)}, of at least ${length} bytes, ` +
      `at most ${MAX_CONTROL_PAYLOAD} are allowed`,
    "ERR_CONTROL_TOO_LONG",
  );
}
