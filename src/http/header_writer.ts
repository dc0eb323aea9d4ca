import { consistsOf, FIELD_VALUE, isToken, quote } from "./characters.ts";

/** Header fields to write: `Headers`, an iterable of [name, value] pairs, or an object. */
export type HeaderFields = Iterable<readonly string[]> | Readonly<Record<string, string>>;

/** Names of the fields that describe the connection or frame the body. Callers may not set them. */
export const CONNECTION_FIELDS: ReadonlySet<string> = /* @__PURE__ */ new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
]);

/**
 * Iterates over header fields of any form as pairs.
 *
 * @throws {TypeError} If they are neither iterable nor a plain object, or an entry is not a pair, or has
 * no text as its value.
 */
export function* pairs(fields: HeaderFields = []): Generator<[name: string, value: string]> {
  for (const pair of listOf(fields)) {
    if (pair.length !== 2) {
      throw new TypeError(`Cannot write header: ${pair.length} items, expected [name, value]`);
    }
    // A variable that is not set must not be sent as the text "undefined".
    if (pair[1] === undefined || pair[1] === null) {
      throw new TypeError(`Cannot write header ${quote(String(pair[0]))}: its value is ${pair[1]}`);
    }
    // Neither must an object, such as a promise that is not awaited.
    if (typeof pair[1] === "object" || typeof pair[1] === "function") {
      throw new TypeError(`Cannot write header ${quote(String(pair[0]))}: its value is no text`);
    }
    yield [String(pair[0]), String(pair[1])];
  }
}

function listOf(fields: HeaderFields): Iterable<readonly string[]> {
  if (typeof fields !== "object" || fields === null) {
    throw new TypeError(`Cannot write headers: expected header fields, got ${fields}`);
  }
  if (Symbol.iterator in fields) return fields as Iterable<readonly string[]>;
  const prototype: unknown = Object.getPrototypeOf(fields);
  // A promise that is not awaited, for example, has no entries. Object.prototype may be of another realm.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  if (isPlain) return Object.entries(fields);
  throw new TypeError("Cannot write headers: expected an iterable or a plain object");
}

/**
 * Returns one field line, with its CRLF. Refuses control characters, which could end the line early
 * and begin another one.
 *
 * @throws {TypeError} If the name or the value is invalid.
 */
export function field(name: string, value: string): string {
  if (!isToken(name)) throw new TypeError(`Cannot write header ${quote(name)}: expected a token`);
  return `${name}: ${fieldValue(name, value)}\r\n`;
}

/**
 * Returns the value of a field line.
 *
 * @throws {TypeError} If it is invalid.
 */
export function fieldValue(name: string, value: string): string {
  if (consistsOf(FIELD_VALUE, value)) return value;
  // Without the value, which may be a secret: often a token from a file that ends with a line feed.
  const at = value.split("").findIndex((character) => !consistsOf(FIELD_VALUE, character));
  const code = value.charCodeAt(at).toString(16).toUpperCase().padStart(4, "0");
  throw new TypeError(
    `Cannot write header ${name}: U+${code} at offset ${at} of the value, expected no control ` +
      "characters and none beyond U+00FF",
  );
}

const encoder: TextEncoder = /* @__PURE__ */ new TextEncoder();

/** Encodes one byte for each character, after the bytes of `start`. The characters must fit. */
export function encodeLatin1(text: string, start?: Uint8Array): Uint8Array<ArrayBuffer> {
  if (start === undefined) {
    // Nearly all heads are ASCII, which UTF-8 encodes in half the time; other text gets longer.
    const bytes = encoder.encode(text);
    if (bytes.length === text.length) return bytes;
  }
  const offset = start === undefined ? 0 : start.length;
  const bytes = new Uint8Array(offset + text.length);
  if (start !== undefined) bytes.set(start);
  for (let i = 0; i < text.length; i++) bytes[offset + i] = text.charCodeAt(i);
  return bytes;
}
