import type { FrameInit } from "../protocol/frame.ts";
import type { OutgoingMessage } from "../protocol/message.ts";
import { aBoolean, checkOptions } from "../util/options.ts";
import type { OptionChecks } from "../util/options.ts";
import { Opcode } from "../protocol/opcode.ts";

const textEncoder = /* @__PURE__ */ new TextEncoder();

/** A message that can be sent: text, or bytes. */
export type Sendable = string | ArrayBuffer | ArrayBufferView;

/** Options of `send()`. */
export interface SendOptions {
  /**
   * Whether to compress the message on a connection with compression. `false` is for data that is
   * compressed already, and for a secret next to text that an attacker can choose.
   *
   * @default {true}
   */
  compress?: boolean;
}

const sendOptionChecks: OptionChecks<SendOptions> = { compress: aBoolean };

/** @throws {TypeError} If an option of `send()` is unknown, or has an unusable value. */
export function checkSendOptions(options: SendOptions): void {
  checkOptions("send()", options, sendOptionChecks);
}

/**
 * Returns a view of the bytes, without a copy.
 *
 * @throws {TypeError} If `data` is of another type.
 */
export function toBytes(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw new TypeError(
    `Cannot send: expected a string, an ArrayBuffer or a view of one, got ${describe(data)}`,
  );
}

/**
 * Checks a message that is sent later.
 *
 * @throws {TypeError} If it is of another type.
 */
export function checkMessage(message: Sendable | undefined): void {
  if (message !== undefined && typeof message !== "string") toBytes(message);
}

/** Returns the size of a message in bytes. Text is encoded to find out. */
export function byteLengthOf(message: OutgoingMessage): number {
  return typeof message === "string" ? new TextEncoder().encode(message).length : message.length;
}

/** Returns an upper bound of the size of a message in bytes: a character has at most three. */
export function maxByteLength(message: OutgoingMessage): number {
  return typeof message === "string" ? message.length * 3 : message.length;
}

/** Returns whether a message has more than `max` bytes. Text is encoded only if it could have. */
export function isLonger(message: OutgoingMessage, max: number): boolean {
  if (message.length > max || typeof message !== "string") return message.length > max;
  return message.length * 3 > max && byteLengthOf(message) > max;
}

/** Makes the error of a message that exceeds `maxBufferedAmount`, together with the bytes that wait. */
export function tooLong(size: number, maxBufferedAmount: number, waiting = 0): DOMException {
  const reason = waiting > 0 ? `${waiting} bytes wait, ` : "";
  return new DOMException(
    `Cannot send a message of ${size} bytes: ${reason}maxBufferedAmount is ${maxBufferedAmount}`,
    "QuotaExceededError",
  );
}

function describe(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? value.constructor?.name ?? "an object" : typeof value;
}

/** Makes the frame of a whole message, for extensions. */
export function frameOf(message: OutgoingMessage): FrameInit {
  return typeof message === "string"
    ? { opcode: Opcode.Text, payload: textEncoder.encode(message) }
    : { opcode: Opcode.Binary, payload: message };
}
