import { LONG_TEXT } from "./fast_paths.ts";
import type { FastText } from "./fast_paths.ts";

/** The methods of `Buffer.prototype` that are used. They take any `Uint8Array` as `this`. */
interface BufferMethods {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
  utf8Write(this: Uint8Array, text: string, start: number, length: number): number;
}

/** The most bytes that are searched for ASCII in TypeScript, before native code decodes them. */
const NATIVE_ASCII = 48;
/** The most bytes that are decoded by a loop, without native code. */
const LOOP_ASCII = 24;
/** The most bytes that Deno's `utf8Slice()` decodes faster than `TextDecoder` does. */
const SHORT_SLICE = 256;

/** For each length up to {@linkcode LOOP_ASCII}, an array of that many character codes. */
const codes = /* @__PURE__ */ Array.from(
  { length: LOOP_ASCII + 1 },
  (_, length) => new Array<number>(length).fill(0),
);

/**
 * Makes the functions for text, with those of the global `Buffer`. They need no view of the range, and in
 * native code, as on Bun, they take a half to a third of the time of `TextDecoder` and `TextEncoder`. On Deno
 * they are JavaScript, and only decoding short texts is faster.
 *
 * @param global The global object.
 */
export function createFastText(global: object = globalThis): FastText {
  const { prototype } = (global as { Buffer?: { prototype: BufferMethods } }).Buffer ?? {};
  const { latin1Slice, utf8Slice, utf8Write } = prototype ?? {};
  if (isNative(latin1Slice) && isNative(utf8Slice) && isNative(utf8Write)) {
    return {
      decodeAscii: (bytes, start, end) =>
        end - start <= NATIVE_ASCII && isAscii(bytes, start, end)
          ? latin1Slice.call(bytes, start, end)
          : undefined,
      decode: (bytes, start, end) => utf8Slice.call(bytes, start, end),
      encode: (text, target, at) =>
        text.length <= LONG_TEXT ? utf8Write.call(target, text, at, text.length * 3) : undefined,
    };
  }
  return {
    decodeAscii: decodeByLoop,
    decode: (bytes, start, end) =>
      end - start <= SHORT_SLICE ? utf8Slice?.call(bytes, start, end) : undefined,
    encode: () => undefined,
  };
}

function isNative<T>(method: T | undefined): method is T {
  return typeof method === "function" && /\[native code\]\s*\}$/.test(`${method}`);
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  let bits = 0;
  for (let i = start; i < end; i++) bits |= bytes[i];
  return bits < 0x80;
}

function decodeByLoop(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start;
  if (length > LOOP_ASCII) return undefined;
  const characters = codes[length];
  for (let i = 0; i < length; i++) {
    const byte = bytes[start + i];
    if (byte >= 0x80) return undefined;
    characters[i] = byte;
  }
  return String.fromCharCode.apply(null, characters);
}
