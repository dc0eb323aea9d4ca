import type { Message } from "../protocol/message.ts";

/** What can be sent whole: text, or bytes. */
export type Sendable = string | ArrayBuffer | ArrayBufferView;

/** Options of `send()`. */
export interface SendOptions {
  /**
   * `false` to send this message as it is on a connection with compression: it is compressed already,
   * or holds a secret next to what somebody else chose.
   *
   * @default {true}
   */
  compress?: boolean;
}

/**
 * The bytes, without a copy.
 *
 * @throws {TypeError} where it's something else.
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

/** Whether a message has more bytes than that; text is looked at only where it could. */
export function isLonger(message: Message, max: number): boolean {
  if (message.length > max || typeof message !== "string") return message.length > max;
  return message.length * 3 > max && new TextEncoder().encode(message).length > max;
}

function describe(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? value.constructor?.name ?? "an object" : typeof value;
}
