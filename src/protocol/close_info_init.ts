/** The longest reason of a Close frame, in bytes: the 125 of a control frame minus the 2 of the code. */
export const MAX_REASON_LENGTH = 123;

/** The Web IDL dictionary `WebSocketCloseInfo`, with the values of any type. */
export interface CloseInfoInit {
  closeCode?: unknown;
  reason?: unknown;
}

/** A code and a reason that an application may send, by the rules of the platform. */
export interface ApplicationClose {
  /** The code; `null` for none. */
  readonly closeCode: number | null;
  /** The reason; empty for none. */
  readonly reason: string;
}

/**
 * Converts and validates a `WebSocketCloseInfo`, by Web IDL and the WHATWG WebSockets standard.
 *
 * @throws {TypeError} If it is not an object, or a value can't be converted.
 * @throws {DOMException} An `InvalidAccessError` if the code is not one for applications; a `SyntaxError`
 * if the reason is too long.
 * @see {@link https://websockets.spec.whatwg.org/ WHATWG WebSockets}
 */
export function applicationClose(init: CloseInfoInit | null | undefined): ApplicationClose {
  // Web IDL, dictionaries: "If jsDict is an ECMAScript Object, undefined or null, [...] Otherwise, throw
  // a TypeError."
  if (
    init !== undefined && init !== null && typeof init !== "object" && typeof init !== "function"
  ) {
    throw new TypeError(`Cannot use close info: expected an object, got ${typeof init}`);
  }
  // dictionary WebSocketCloseInfo { [EnforceRange] unsigned short closeCode; USVString reason = ""; };
  const { closeCode, reason } = init ?? {};
  const code = closeCode === undefined ? null : toUnsignedShort(closeCode);
  const text = reason === undefined ? "" : `${reason}`.toWellFormed();
  // "If code is not null, but is neither an integer equal to 1000 nor an integer in the range 3000 to
  // 4999, inclusive, throw an "InvalidAccessError" DOMException."
  if (code !== null && code !== 1000 && !(code >= 3000 && code <= 4999)) {
    throw new DOMException(
      `Cannot use close code ${code}: expected 1000 or 3000-4999`,
      "InvalidAccessError",
    );
  }
  // "Let reasonBytes be the result of UTF-8 encoding reason. If reasonBytes is longer than 123 bytes,
  // then throw a "SyntaxError" DOMException."
  const { length } = new TextEncoder().encode(text);
  if (length > MAX_REASON_LENGTH) {
    throw new DOMException(
      `Cannot use close reason: ${length} bytes of UTF-8, at most ${MAX_REASON_LENGTH} fit`,
      "SyntaxError",
    );
  }
  // "If reason is non-empty, but code is null, then set code to 1000 ("Normal Closure")."
  return { closeCode: code ?? (text === "" ? null : 1000), reason: text };
}

/** Web IDL, `ConvertToInt` with [EnforceRange] for 16 bits. */
function toUnsignedShort(value: unknown): number {
  // The unary plus is ECMAScript's ToNumber: it throws for a symbol and for a BigInt.
  const number = Math.trunc(+(value as number));
  if (number >= 0 && number <= 65_535) return number;
  throw new TypeError(`Cannot use close code ${number}: expected a number from 0 to 65535`);
}
