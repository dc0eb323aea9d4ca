import { unusable } from "./options.ts";

/** The longest reason of a Close frame, in bytes: the 125 of a control frame minus the 2 of the code. */
export const MAX_REASON_LENGTH = 123;

/**
 * Returns whether an application may send a close code, by the rules of the platform.
 *
 * WHATWG WebSockets, `close(code, reason)`: "neither an integer equal to 1000 nor an integer in the range
 * 3000 to 4999, inclusive" is an error.
 */
export function isApplicationCode(code: unknown): boolean {
  return code === 1000 ||
    (Number.isInteger(code) && (code as number) >= 3000 && (code as number) <= 4999);
}

/** What {@linkcode isApplicationCode} allows, for errors. */
export const APPLICATION_CODES = "1000 or 3000-4999";

/** @throws {DOMException} A `SyntaxError` if a reason has more bytes than fit in a Close frame. */
export function checkReason(reason: string): void {
  // "Let reasonBytes be the result of UTF-8 encoding reason. If reasonBytes is longer than 123 bytes,
  // then throw a "SyntaxError" DOMException."
  const { length } = new TextEncoder().encode(reason);
  if (length <= MAX_REASON_LENGTH) return;
  throw new DOMException(
    `Cannot use close reason: ${length} bytes of UTF-8, at most ${MAX_REASON_LENGTH} fit`,
    "SyntaxError",
  );
}

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
  if (init !== undefined && init !== null && Object(init) !== init) {
    throw unusable("close info", init, "an object");
  }
  // dictionary WebSocketCloseInfo { [EnforceRange] unsigned short closeCode; USVString reason = ""; };
  const { closeCode, reason } = init ?? {};
  // The unary plus is ECMAScript's ToNumber: it throws for a symbol and for a BigInt.
  const code = closeCode === undefined ? null : Math.trunc(+(closeCode as number));
  const text = reason === undefined ? "" : `${reason}`.toWellFormed();
  // "If code is not null, but is neither an integer equal to 1000 nor an integer in the range 3000 to
  // 4999, inclusive, throw an "InvalidAccessError" DOMException."
  if (code !== null && !isApplicationCode(code)) {
    const error = unusable("close code", code, APPLICATION_CODES);
    // Web IDL, `ConvertToInt` with [EnforceRange] for 16 bits: any other number is a TypeError.
    const isShort = code >= 0 && code <= 65_535;
    throw isShort ? new DOMException(error.message, "InvalidAccessError") : error;
  }
  checkReason(text);
  // "If reason is non-empty, but code is null, then set code to 1000 ("Normal Closure")."
  return { closeCode: code ?? (text === "" ? null : 1000), reason: text };
}
