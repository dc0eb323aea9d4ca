import { InvalidPayloadError } from "./errors.ts";
import { isValidUtf8 } from "./utf8.ts";

/** Up to this many bytes, a loop over ASCII beats a call of the platform's decoder. */
const SHORT = 24;

// The BOM is a character of the message like any other: RFC 6455 knows no byte order mark.
const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { ignoreBOM: true });

/** For each length up to {@linkcode SHORT}, an array for that many characters. */
const codes = /* @__PURE__ */ Array.from(
  { length: SHORT + 1 },
  (_, length) => new Array<number>(length).fill(0),
);

/**
 * The text that a range of bytes is.
 *
 * @throws {InvalidPayloadError} where it's not UTF-8.
 */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length <= SHORT) {
    const characters = codes[length];
    let i = 0;
    while (i < length && bytes[start + i] < 0x80) {
      characters[i] = bytes[start + i];
      i++;
    }
    if (i === length) return String.fromCharCode.apply(null, characters);
  }
  const payload = length === bytes.length ? bytes : bytes.subarray(start, end);
  // A decoder that is not fatal is up to ten times as fast. It writes U+FFFD where bytes are wrong: only
  // text that has one, perhaps rightly, needs a second look.
  const text = decoder.decode(payload);
  if (text.includes("\ufffd") && !isValidUtf8(payload)) throw invalidText();
  return text;
}

/** The error for text that is not UTF-8. */
export function invalidText(): InvalidPayloadError {
  // RFC 6455 §8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte
  // stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket
  // Connection_."
  return new InvalidPayloadError("Cannot take message: text that is not UTF-8", "ERR_INVALID_UTF8");
}
