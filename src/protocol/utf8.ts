/**
 * The three ways in which received text is checked. Each is the fastest for its kind of message, on
 * both runtimes:
 *
 * - {@linkcode decodeText}, a message that is complete: decode first, then check only if the text
 *   contains U+FFFD. A `fatal` TextDecoder takes up to 10 times as long. `fast_text.ts` decodes what
 *   it is faster for.
 * - {@linkcode Utf8Validator}, a message of several parts that is collected: each part is checked when
 *   it arrives, so that an invalid byte is found at once; the whole is decoded once at its end.
 *   Decoding each part and concatenating the strings takes longer and holds up to twice the memory.
 * - {@linkcode decodePart}, a message that is passed on in parts: a `fatal` streaming TextDecoder,
 *   which checks, decodes and cuts between characters in one pass.
 *
 * @module
 */
import { InvalidPayloadError } from "./errors.ts";
import { fastText, fastValidator, simdKernel } from "./fast_paths.ts";
import type { TextValidator } from "./fast_paths.ts";

/** Returns the error for text that is not UTF-8. */
export function invalidText(): InvalidPayloadError {
  // RFC 6455 §8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte
  // stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket
  // Connection_."
  return new InvalidPayloadError("Cannot take message: text that is not UTF-8", "ERR_INVALID_UTF8");
}

// `ignoreBOM` keeps a leading U+FEFF: RFC 6455 does not define a byte order mark.
const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Decodes a range of bytes as UTF-8.
 *
 * @throws {InvalidPayloadError} If the bytes are not UTF-8.
 */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  const ascii = fastText?.decodeAscii(bytes, start, end);
  if (ascii !== undefined) return ascii;
  const text = fastText?.decode(bytes, start, end) ?? decoder.decode(bytes.subarray(start, end));
  // The decoder replaces invalid bytes by U+FFFD. Valid text may contain U+FFFD, too, so only then the
  // bytes are checked.
  if (text.includes("\ufffd")) {
    const validator = textValidator();
    if (!validator.push(bytes.subarray(start, end)) || !validator.isComplete) throw invalidText();
  }
  return text;
}

/** Returns a decoder for {@linkcode decodePart}, for one message. */
export function createPartDecoder(): TextDecoder {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
}

/**
 * Decodes the next bytes of a text. The bytes of an unfinished character are kept for the next call.
 *
 * @throws {InvalidPayloadError} If the bytes so far are not the start of UTF-8 text, or the last part
 * ends inside a character.
 */
export function decodePart(decoder: TextDecoder, bytes: Uint8Array, isLast: boolean): string {
  try {
    return decoder.decode(bytes, { stream: !isLast });
  } catch {
    throw invalidText();
  }
}

/** Returns a validator for one text. */
export function textValidator(): TextValidator {
  return fastValidator() ?? platformValidator();
}

/** Returns a validator with the platform's decoder, which finds an invalid byte as early as ours does. */
export function platformValidator(): TextValidator {
  const decoder = createPartDecoder();
  const isValid = (bytes?: Uint8Array) => {
    try {
      decoder.decode(bytes, { stream: bytes !== undefined });
      return true;
    } catch {
      return false;
    }
  };
  return {
    push: isValid,
    get isComplete() {
      return isValid();
    },
  };
}

/** The fewest bytes that are searched for ASCII by words: for fewer, it costs more than it saves. */
const WORDS_FROM = 32;
/** The fewest bytes that are validated with SIMD, if they are not ASCII. */
const SIMD_FROM = 64;

/**
 * Validates UTF-8 incrementally, at the first invalid byte, wherever the input is split. Rejects what
 * RFC 3629 excludes: overlong forms, surrogates, and code points above U+10FFFF.
 *
 * @example
 * ```ts
 * import { Utf8Validator } from "@sluice/websocket/protocol";
 * import { assert } from "@std/assert";
 *
 * const validator = new Utf8Validator();
 * assert(validator.push(new Uint8Array([0xe2, 0x82]))); // the first two bytes of a euro sign
 * assert(!validator.isComplete);
 * assert(!validator.push(new Uint8Array([0x28]))); // not its third
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-8.1 RFC 6455 §8.1}
 */
export class Utf8Validator {
  /** The number of continuation bytes that the current character still needs. */
  #wanted = 0;
  /** The range of the next continuation byte; narrower than 80-BF after E0, ED, F0 and F4. */
  #lower = 0x80;
  #upper = 0xbf;

  /** Whether the input so far ends at the end of a character. */
  get isComplete(): boolean {
    return this.#wanted === 0;
  }

  /**
   * Validates the next bytes.
   *
   * @returns `false` if there is an invalid byte. The validator cannot be used after that.
   */
  push(bytes: Uint8Array): boolean {
    const end = bytes.length;
    let i = 0;
    while (i < end) {
      if (this.#wanted === 0) {
        const first = bytes[i++];
        if (first >= 0x80) {
          // Characters of several bytes take 10 to 20 times as long in TypeScript; ASCII does not.
          const kernel = end - i >= SIMD_FROM ? simdKernel() : undefined;
          if (kernel !== undefined) {
            i = kernel.validate(bytes, i - 1, SIMD_FROM);
            if (i < 0) return false;
          } else if (!this.#lead(first)) {
            return false;
          }
        } else if (i < end && bytes[i] < 0x80) {
          // Two ASCII bytes in a row start a run. A single one between longer characters does not.
          i = skipAscii(bytes, i);
        }
        continue;
      }
      const byte = bytes[i++];
      if (byte < this.#lower || byte > this.#upper) return false;
      this.#lower = 0x80;
      this.#upper = 0xbf;
      this.#wanted--;
    }
    return true;
  }

  /** Begins a character of several bytes, by the syntax of RFC 3629 §4. */
  #lead(byte: number): boolean {
    if (byte >= 0xc2 && byte <= 0xdf) {
      this.#wanted = 1;
    } else if (byte >= 0xe0 && byte <= 0xef) {
      this.#wanted = 2;
      if (byte === 0xe0) this.#lower = 0xa0;
      if (byte === 0xed) this.#upper = 0x9f;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
      this.#wanted = 3;
      if (byte === 0xf0) this.#lower = 0x90;
      if (byte === 0xf4) this.#upper = 0x8f;
    } else {
      return false;
    }
    return true;
  }
}

/** Returns the end of the run of ASCII that starts at `from`. */
function skipAscii(bytes: Uint8Array, from: number): number {
  const end = bytes.length;
  let i = from;
  if (end - i >= WORDS_FROM) {
    while (((bytes.byteOffset + i) & 3) !== 0) {
      if (bytes[i] >= 0x80) return i;
      i++;
    }
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + i, (end - i) >> 2);
    const rounds = words.length & ~7;
    let word = 0;
    // 32 bytes a step: 64 KiB of ASCII take 2 to 4 us; the platform's decoder takes up to 20.
    while (
      word < rounds &&
      ((words[word] | words[word + 1] | words[word + 2] | words[word + 3] |
          words[word + 4] | words[word + 5] | words[word + 6] | words[word + 7]) & 0x80808080) === 0
    ) word += 8;
    i += word * 4;
  }
  while (i < end && bytes[i] < 0x80) i++;
  return i;
}

/** Returns whether the bytes are valid UTF-8, from the first to the last. */
export function isValidUtf8(bytes: Uint8Array): boolean {
  const validator = new Utf8Validator();
  return validator.push(bytes) && validator.isComplete;
}
