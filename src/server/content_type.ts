import { Utf8Validator } from "../protocol/utf8.ts";

/** The Content-Type of a response made from a string, as Fetch has it. */
export const TEXT_TYPE = "text/plain;charset=UTF-8";

/** The part of a body that is examined, in bytes: the resource header of the MIME Sniffing Standard. */
const EXAMINED = 1445;

/**
 * Returns whether a body is text, by its first bytes: valid UTF-8 without the control characters that
 * only binary data has.
 *
 * @param start The first bytes of the body. They may end within a character.
 * @see {@link https://mimesniff.spec.whatwg.org/#binary-data-byte MIME Sniffing Standard §3}
 */
export function isText(start: Uint8Array): boolean {
  const examined = start.subarray(0, EXAMINED);
  // An iterator would take 15 % of a short request on Bun.
  for (let i = 0; i < examined.length; i++) {
    const byte = examined[i]!;
    if (byte < 0x20 && (byte < 0x09 || byte === 0x0b || (byte > 0x0d && byte !== 0x1b))) {
      return false;
    }
  }
  return new Utf8Validator().push(examined);
}
