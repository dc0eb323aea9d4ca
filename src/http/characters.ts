/**
 * The character classes of HTTP, as lookup tables: one array read for each byte scanned.
 *
 * @module
 */

/** Horizontal tab. */
export const HTAB = 0x09;
/** Line feed. */
export const LF = 0x0a;
/** Carriage return. */
export const CR = 0x0d;
/** Space. */
export const SP = 0x20;
/** `"` */
export const DQUOTE = 0x22;
/** `,` */
export const COMMA = 0x2c;
/** `:` */
export const COLON = 0x3a;
/** `;` */
export const SEMICOLON = 0x3b;
/** `=` */
export const EQUALS = 0x3d;
/** `\` */
export const BACKSLASH = 0x5c;

/** A table with a 1 for every byte that `belongs` is true of. */
function table(belongs: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => belongs(byte) ? 1 : 0);
}

/** Whether a character code is a decimal digit. */
export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isAlphanumeric(byte: number): boolean {
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x7a);
}

/** RFC 9110 §5.6.2: tchar, the characters of a token. */
export const TOKEN: Uint8Array = table((byte) =>
  isAlphanumeric(byte) || "!#$%&'*+-.^_`|~".includes(String.fromCharCode(byte))
);

/** RFC 9110 §5.5: the characters of a field value: VCHAR, obs-text, SP and HTAB. */
export const FIELD_VALUE: Uint8Array = table((byte) =>
  byte === HTAB || (byte >= SP && byte !== 0x7f)
);

/**
 * The characters of a request-target: VCHAR without `#`. Wider than a URI, because browsers send a
 * raw `|` or `{` in a query; a fragment is never sent.
 */
export const TARGET: Uint8Array = table((byte) => byte > SP && byte < 0x7f && byte !== 0x23);

/** Whether all of `text` is in `set`; a character beyond U+00FF never is. */
export function consistsOf(set: Uint8Array, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (set[text.charCodeAt(i)] !== 1) return false;
  }
  return true;
}

/** Whether `text` is a token: one or more tchar. */
export function isToken(text: string): boolean {
  return text.length > 0 && consistsOf(TOKEN, text);
}

/** Whether `word` is in `text` at `start`, in any case; without a string being made of either. */
export function hasAt(text: string, start: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) {
    const a = text.charCodeAt(start + i);
    const b = word.charCodeAt(i);
    if (a !== b && toLower(a) !== toLower(b)) return false;
  }
  return true;
}

function toLower(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
}

/** Whether a character code is optional whitespace: SP or HTAB. */
export function isWhitespace(code: number): boolean {
  return code === SP || code === HTAB;
}

/** `text` without the SP and HTAB around it; `String.prototype.trim` would take U+00A0 too. */
export function trimWhitespace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isWhitespace(text.charCodeAt(start))) start++;
  while (end > start && isWhitespace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/**
 * `text` as a quoted literal for an error message: printable ASCII, cut to 64 characters, so that
 * what a peer sent can break neither a log line nor the answer it is written into.
 */
export function quote(text: string): string {
  const cut = text.length > 64 ? text.slice(0, 64) : text;
  const safe = cut.replace(/[^\x20-\x7e]|["\\]/g, (char) => {
    if (char === '"' || char === "\\") return `\\${char}`;
    const code = char.charCodeAt(0);
    return code > 0xff
      ? `\\u${code.toString(16).padStart(4, "0")}`
      : `\\x${code.toString(16).padStart(2, "0")}`;
  });
  return cut.length < text.length ? `"${safe}"...` : `"${safe}"`;
}

/** A byte in the house manner: `0x0a`. */
export function hexByte(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}

/** Returns the value of a field for an error message: quoted, or "is missing". */
export function quoteField(value: string | null | undefined): string {
  return value === null || value === undefined ? "is missing" : quote(value);
}
