import { encodeLatin1 } from "./header_writer.ts";
import { responseHeadText } from "./response_writer.ts";

/** The parts of a response that its head is made of, beside the length of its body. */
export interface ResponseStart {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** The room that {@linkcode putLength} needs, in bytes. */
export const LENGTH_ROOM = 20;

/** The length of a body, and the empty line, after the start of a head. */
const ZERO = "0\r\n\r\n";
const ZERO_LENGTH = `\r\nContent-Length: ${ZERO}`;
const FRAMING = { sendsBody: true, contentLength: 0, isChunked: false, endsByClose: false };

/** The last response and its Date, and the bytes of its head up to the length. */
let lastResponse: ResponseStart = { status: 0, statusText: "", headers: [] };
let lastDate = "";
let lastBytes: Uint8Array | undefined;

/**
 * Encodes the head of a response whose length is known, on a connection that persists, up to the digits
 * of its Content-Length. Most responses of a server have the same fields as the one before, except for
 * the length. So the bytes are kept, and used again if status, fields and date are the same.
 *
 * @param response The response.
 * @param date The value of the Date field.
 * @returns The bytes, which must not be changed; `undefined` if the head does not end with the length.
 * @throws {RangeError} If the status is not 200 to 599.
 * @throws {TypeError} If the reason phrase, or a field's name or value, is invalid.
 */
export function encodeHeadStart(response: ResponseStart, date: string): Uint8Array | undefined {
  if (date === lastDate && isSame(response, lastResponse)) return lastBytes;
  const text = responseHeadText(response, { framing: FRAMING, connection: "", date });
  const endsWithLength = text.endsWith(ZERO_LENGTH);
  lastBytes = endsWithLength ? encodeLatin1(text.slice(0, -ZERO.length)) : undefined;
  lastResponse = response;
  lastDate = date;
  return lastBytes;
}

function isSame(a: ResponseStart, b: ResponseStart): boolean {
  if (a.status !== b.status || a.statusText !== b.statusText) return false;
  const { headers } = a;
  if (headers.length !== b.headers.length) return false;
  for (let i = 0; i < headers.length; i++) {
    const [field, other] = [headers[i]!, b.headers[i]!];
    if (field[0] !== other[0] || field[1] !== other[1]) return false;
  }
  return true;
}

/**
 * Writes the digits of a length and the end of the head to a buffer.
 *
 * @param at The index of the first digit.
 * @returns The index after the head.
 */
export function putLength(buffer: Uint8Array, at: number, length: number): number {
  let end = at + 1;
  for (let rest = length; rest >= 10; rest = Math.floor(rest / 10)) end++;
  let rest = length;
  for (let i = end - 1; i >= at; i--) {
    const next = Math.floor(rest / 10);
    buffer[i] = 0x30 + (rest - next * 10);
    rest = next;
  }
  for (let i = 1; i < ZERO.length; i++) buffer[end++] = ZERO.charCodeAt(i);
  return end;
}
