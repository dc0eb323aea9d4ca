import type { Gap, Message, Position } from "./types.ts";

/**
 * The subprotocol of {@linkcode topicsHandler} and {@linkcode openFeed}, for `Sec-WebSocket-Protocol`.
 *
 * A control message is a JSON object as text. Any other message has a header: the number of its topic, for a
 * kept topic a space and the offset, and a line feed. The data follows. Number 0 marks a message of the
 * application.
 */
export const TOPICS_PROTOCOL = "sluice.topics.v1";

/** A request of a client. */
export type ClientControl =
  | { subscribe: string; since: string | undefined }
  /** A name, or the number of the topic. */
  | { unsubscribe: string | number };

/** A report of a server. */
export type ServerControl =
  | { topic: number; name: string; at: string | undefined; recovered: boolean }
  | { refused: string; reason: string }
  | { gap: number; count: number | undefined; why: Gap["why"] }
  | { unsubscribed: number };

/** A message with the number of its topic; 0 for a message of the application. */
export interface Envelope {
  number: number;
  offset: number | undefined;
  data: Message;
}

/** The longest header of a message: two safe integers, a space and a line feed. */
const MAX_HEADER = 16 + 1 + 16 + 1;

const HEADER = /^(\d{1,16})(?: (\d{1,16}))?\n/;
const POSITION = /^([\w-]{1,64}):(\d{1,16})$/;

/** Encodes a position as text, if there is one: the epoch, a colon and the offset. */
export function formatPosition(position: Position | undefined): string | undefined {
  return position && `${position.epoch}:${position.offset}`;
}

/** Decodes a position. @returns `undefined` if the text is not a position. */
export function parsePosition(text: unknown): Position | undefined {
  const [, epoch, digits] = typeof text === "string" ? POSITION.exec(text) ?? [] : [];
  const offset = Number(digits);
  return epoch !== undefined && Number.isSafeInteger(offset) ? { epoch, offset } : undefined;
}

/** Adds the header: the number of a topic, and the offset if there is one. */
export function wrap(number: number, offset: number | undefined, data: Message): Message {
  const header = offset === undefined ? `${number}\n` : `${number} ${offset}\n`;
  if (typeof data === "string") return header + data;
  const bytes = new Uint8Array(header.length + data.length);
  for (let i = 0; i < header.length; i++) bytes[i] = header.charCodeAt(i);
  bytes.set(data, header.length);
  return bytes;
}

/** Splits a message into header and data. @returns `undefined` if it has no header. */
export function unwrap(message: string | Uint8Array): Envelope | undefined {
  const text = typeof message === "string"
    ? message
    : String.fromCharCode(...message.subarray(0, MAX_HEADER));
  const [header, number, offset] = HEADER.exec(text) ?? [];
  if (header === undefined) return undefined;
  return {
    number: Number(number),
    offset: offset === undefined ? undefined : Number(offset),
    data: message.slice(header.length) as Message,
  };
}

/** Decodes a control message. @returns `undefined` if the message is not a JSON object in text. */
export function parseControl(message: string | Uint8Array): Record<string, unknown> | undefined {
  if (typeof message !== "string" || !message.startsWith("{")) return undefined;
  try {
    return JSON.parse(message) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/**
 * Encodes an application message for the other end of `sluice.topics.v1`. Its callback gets the original data.
 *
 * @example
 * ```ts
 * import { applicationMessage } from "@sluice/websocket/topics";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(applicationMessage("hello"), "0\nhello");
 * ```
 */
export function applicationMessage(data: Message): Message {
  return wrap(0, undefined, data);
}
