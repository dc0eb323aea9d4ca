import { consistsOf, FIELD_VALUE, isToken, quote } from "./characters.ts";

/** Header fields to write: `Headers`, a list of [name, value] pairs, or an object. */
export type HeaderFields = Iterable<readonly string[]> | Readonly<Record<string, string>>;

/** What describes this one connection or frames the body: always written by us, or not at all. */
export const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
]);

/** The fields as pairs, whatever they came as. */
export function* pairs(fields: HeaderFields = []): Generator<[name: string, value: string]> {
  const list = Symbol.iterator in fields
    ? fields as Iterable<readonly string[]>
    : Object.entries(fields);
  for (const pair of list) {
    if (pair.length !== 2) {
      throw new TypeError(`Cannot write header: ${pair.length} items, expected [name, value]`);
    }
    yield [String(pair[0]), String(pair[1])];
  }
}

/**
 * One field line. What would end it early, and so begin another one, is refused.
 *
 * @throws {TypeError} When the name or the value is invalid.
 */
export function field(name: string, value: string): string {
  if (!isToken(name)) throw new TypeError(`Cannot write header ${quote(name)}: expected a token`);
  return `${name}: ${fieldValue(name, value)}\r\n`;
}

/**
 * The value of a field line.
 *
 * @throws {TypeError} When it's invalid.
 */
export function fieldValue(name: string, value: string): string {
  if (consistsOf(FIELD_VALUE, value)) return value;
  throw new TypeError(
    `Cannot write header ${name}: value ${quote(value)}, expected no control characters and none ` +
      `beyond U+00FF`,
  );
}

/** One byte for each character, after `start`; `field` has seen that they fit. */
export function encodeLatin1(text: string, start?: Uint8Array): Uint8Array<ArrayBuffer> {
  const offset = start === undefined ? 0 : start.length;
  const bytes = new Uint8Array(offset + text.length);
  if (start !== undefined) bytes.set(start);
  for (let i = 0; i < text.length; i++) bytes[offset + i] = text.charCodeAt(i);
  return bytes;
}
