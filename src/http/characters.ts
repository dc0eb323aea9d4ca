/**
 * Character classes of HTTP, as lookup tables: scanning a byte is one array read.
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

/** Returns a table that has a 1 for every byte for which `belongs` is true. */
function table(belongs: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => belongs(byte) ? 1 : 0);
}

/** Returns whether a character code is a decimal digit. */
export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isAlphanumeric(byte: number): boolean {
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x7a);
}

/** RFC 9110 §5.6.2: tchar, the characters of a token. */
export const TOKEN: Uint8Array = /* @__PURE__ */ table((byte) =>
  isAlphanumeric(byte) || "!#$%&'*+-.^_`|~".includes(String.fromCharCode(byte))
);

/** RFC 9110 §5.5: the characters of a field value: VCHAR, obs-text, SP and HTAB. */
export const FIELD_VALUE: Uint8Array = /* @__PURE__ */ table((byte) =>
  byte === HTAB || (byte >= SP && byte !== 0x7f)
);

/**
 * The characters of a request-target: VCHAR without `#`. The set is wider than that of a URI because
 * browsers send `|` and `{` in a query unescaped. A fragment is never sent.
 */
export const TARGET: Uint8Array = /* @__PURE__ */ table((byte) =>
  byte > SP && byte < 0x7f && byte !== 0x23
);

/**
 * The characters of a path and its query that a URL parser leaves as they are, in any place: all of
 * {@linkcode TARGET} but some, and neither `.` nor `%`, which may form a dot segment.
 */
export const PLAIN_TARGET: Uint8Array = /* @__PURE__ */ table((byte) =>
  isAlphanumeric(byte) || "!$&()*+,-/:;=?@_~".includes(String.fromCharCode(byte))
);

/** Returns whether all characters of `text` are in `set`. Characters above U+00FF never are. */
export function consistsOf(set: Uint8Array, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (set[text.charCodeAt(i)] !== 1) return false;
  }
  return true;
}

/** Returns whether `text` is a token: one or more tchar. */
export function isToken(text: string): boolean {
  return text.length > 0 && consistsOf(TOKEN, text);
}

/** Returns whether `text` has `word` at `start`, in any case. Allocates no string. */
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

/** Returns whether a character code is optional whitespace: SP or HTAB. */
export function isWhitespace(code: number): boolean {
  return code === SP || code === HTAB;
}

/** Returns `text` without SP and HTAB at both ends. `String.prototype.trim` also removes U+00A0. */
export function trimWhitespace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isWhitespace(text.charCodeAt(start))) start++;
  while (end > start && isWhitespace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/**
 * Returns `text` as a quoted literal for an error message: printable ASCII, at most 64 characters of
 * the text. Text of a peer can then break neither a log line nor the response that repeats it.
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

/**
 * Returns the first line of a body with text, quoted, after a colon, for an error message; `""` if there
 * is none.
 */
export function quoteFirstLine(body: Uint8Array | undefined): string {
  if (body === undefined || body.length === 0) return "";
  const [line = ""] = new TextDecoder().decode(body).trim().split(/[\r\n]/, 1);
  return line === "" ? "" : `: ${quote(line.trimEnd())}`;
}

/** Formats a byte in hexadecimal, such as `0x0a`. */
export function hexByte(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}

/** Returns the value of a field for an error message: quoted, or "is missing". */
export function quoteField(value: string | null | undefined): string {
  return value === null || value === undefined ? "is missing" : quote(value);
}
