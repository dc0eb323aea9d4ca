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
  if (!consistsOf(FIELD_VALUE, value)) {
    throw new TypeError(
      `Cannot write header ${name}: value ${
        quote(value)
      }, expected no control characters and none ` +
        `beyond U+00FF`,
    );
  }
  return `${name}: ${value}\r\n`;
}

/** One byte for each character; `field` has seen that they fit. */
export function encodeLatin1(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
