import { EMPTY } from "./bytes.ts";
import { MAX_REASON_LENGTH } from "./close_info_init.ts";
import { InvalidPayloadError, ProtocolError } from "./errors.ts";
import { isValidUtf8 } from "./utf8.ts";

/**
 * The status codes of a Close frame that RFC 6455 and IANA's registry define.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 RFC 6455 §7.4.1}
 */
export const CloseCode = {
  /** The purpose of the connection has been fulfilled. */
  NormalClosure: 1000,
  /** The endpoint goes away: a server shuts down, or a browser leaves the page. */
  GoingAway: 1001,
  /** The peer broke the protocol. */
  ProtocolError: 1002,
  /** The peer sent a type of data that cannot be accepted. */
  UnsupportedData: 1003,
  /** Never sent: the Close frame had no code. */
  NoStatusReceived: 1005,
  /** Never sent: the connection ended without a Close frame. */
  AbnormalClosure: 1006,
  /** The data does not match its type, such as text that is not UTF-8. */
  InvalidFramePayloadData: 1007,
  /** The message violates a policy. */
  PolicyViolation: 1008,
  /** The message is too big. */
  MessageTooBig: 1009,
  /** The client requires an extension that the server did not negotiate. */
  MandatoryExtension: 1010,
  /** The server encountered an unexpected condition. */
  InternalError: 1011,
  /** The server restarts. */
  ServiceRestart: 1012,
  /** The server is overloaded; the client may try again later. */
  TryAgainLater: 1013,
  /** A gateway received an invalid response from the server behind it. */
  BadGateway: 1014,
  /** Never sent: the TLS handshake failed. */
  TLSHandshake: 1015,
} as const;

/** A value of {@linkcode CloseCode}. */
export type CloseCode = typeof CloseCode[keyof typeof CloseCode];

/** The decoded payload of a Close frame. */
export interface ClosePayload {
  /** The status code; 1005 if the frame has none. */
  closeCode: number;
  /** The reason, at most 123 bytes of UTF-8; empty if the frame has none. */
  reason: string;
}

const textEncoder = /* @__PURE__ */ new TextEncoder();
const textDecoder = /* @__PURE__ */ new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Returns whether a status code is allowed in a Close frame: 1000-1003, 1007-1014 and 3000-4999.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-7.4 RFC 6455 §7.4}
 */
export function isCloseCode(code: number): boolean {
  // RFC 6455 §7.4.1: 1005, 1006 and 1015 "MUST NOT be set as a status code in a Close control
  // frame"; 1004 is reserved. §7.4.2: 0-999 "are not used", 1016-2999 are reserved.
  return (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
    (code >= 3000 && code <= 4999);
}

/**
 * Encodes the payload of a Close frame; empty if no code is given.
 *
 * @throws {RangeError} If the code is not allowed in a Close frame.
 * @throws {TypeError} If the code is not an integer, or there is a reason without a code.
 * @throws {DOMException} If the reason is longer than 123 bytes of UTF-8: a `SyntaxError`, as in the
 * platform's `close()`.
 */
export function encodeClosePayload(code?: number, reason = ""): Uint8Array<ArrayBuffer> {
  if (code === undefined) {
    if (reason !== "") {
      throw new TypeError(`Cannot close: reason ${JSON.stringify(reason)} has no code with it`);
    }
    return new Uint8Array(0);
  }
  if (!Number.isInteger(code)) {
    throw new TypeError(`Cannot close: expected an integer as the code, got ${code}`);
  }
  if (!isCloseCode(code)) {
    throw new RangeError(
      `Cannot close with code ${code}: expected 1000-1003, 1007-1014 or 3000-4999`,
    );
  }
  // RFC 6455 §5.5: "All control frames MUST have a payload length of 125 bytes or less".
  // Most Close frames have no reason: testing for that is faster than encoding an empty string.
  const text = reason === "" ? EMPTY : textEncoder.encode(reason);
  if (text.length > MAX_REASON_LENGTH) {
    throw new DOMException(
      `Cannot close: the reason has ${text.length} bytes of UTF-8, at most ${MAX_REASON_LENGTH} fit`,
      "SyntaxError",
    );
  }
  const payload = new Uint8Array(2 + text.length);
  payload[0] = code >> 8;
  payload[1] = code & 0xff;
  payload.set(text, 2);
  return payload;
}

/**
 * Decodes the payload of a Close frame.
 *
 * @throws {ProtocolError} If it has 1 byte, or a code that is not allowed in a Close frame.
 * @throws {InvalidPayloadError} If the reason is not UTF-8.
 */
export function decodeClosePayload(payload: Uint8Array): ClosePayload {
  if (payload.length === 0) return { closeCode: CloseCode.NoStatusReceived, reason: "" };
  // RFC 6455 §5.5.1: "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned
  // integer".
  if (payload.length === 1) {
    throw new ProtocolError(
      "Cannot decode Close frame: a payload of 1 byte, expected none or 2 and more",
      "ERR_CLOSE_PAYLOAD",
    );
  }
  const closeCode = (payload[0] << 8) | payload[1];
  if (!isCloseCode(closeCode)) {
    throw new ProtocolError(
      `Cannot decode Close frame: code ${closeCode} may not be sent`,
      "ERR_CLOSE_CODE",
    );
  }
  if (payload.length === 2) return { closeCode, reason: "" };
  const text = payload.subarray(2);
  // RFC 6455 §8.1: "the endpoint MUST _Fail the WebSocket Connection_".
  if (!isValidUtf8(text)) {
    throw new InvalidPayloadError(
      "Cannot decode Close frame: the reason is not valid UTF-8",
      "ERR_CLOSE_REASON",
    );
  }
  return { closeCode, reason: textDecoder.decode(text) };
}
