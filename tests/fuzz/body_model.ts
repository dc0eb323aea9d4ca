/** A model of the chunked coding, RFC 9112 §7.1: regular expressions over the bytes, one character each. */

import { isTrailersBeginning, matchTrailers } from "./head_model.ts";

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const QUOTED = '"(?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"';
const EXTENSION = `[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${QUOTED}))?`;
const SIZE_LINE = new RegExp(`^([0-9A-Fa-f]{1,16})((?:${EXTENSION})*)\\r\\n`);

/** Endings of a size line: each prefix of a valid line is completed by one of them. */
const LINE_ENDS = ["0\r\n", "\r\n", "\n", ";a\r\n", "a\r\n", '"\r\n', 'a"\r\n'];

/** Limits of a body. */
export interface BodyLimits {
  readonly maxBodySize: number;
  readonly maxHeadSize: number;
  readonly maxHeaders: number;
}

/** The reading of a prefix of a chunked body. */
export interface ModelBody {
  /** `"done"`, `"more"` if the prefix can become a body, or the status of the error. */
  readonly state: "done" | "more" | 400 | 413 | 431;
  /** The decoded bytes. */
  readonly body: string;
  /** The number of bytes that belong to a body that is done. */
  readonly length: number;
}

/** Reads a prefix of a chunked body whose bytes, except for the last one, are known to be valid. */
export function readChunked(text: string, limits: BodyLimits): ModelBody {
  let [at, body, extensions] = [0, "", 0];
  const result = (state: ModelBody["state"], length = 0) => ({ state, body, length });
  while (true) {
    const rest = text.slice(at);
    const line = SIZE_LINE.exec(rest);
    const digits = /^[0-9A-Fa-f]{0,16}/.exec(rest)![0];
    const size = BigInt(`0x${digits || "0"}`);
    if (BigInt(body.length) + size > BigInt(limits.maxBodySize)) return result(413);
    if (line === null) {
      if (!LINE_ENDS.some((end) => SIZE_LINE.test(rest + end))) return result(400);
      const length = rest.replace(/\r$/, "").length - digits.length;
      return result(extensions + length > limits.maxHeadSize ? 413 : "more");
    }
    extensions += line[2]!.length;
    if (extensions > limits.maxHeadSize) return result(413);
    at += line[0].length;
    if (size === 0n) break;
    body += text.slice(at, at + Number(size));
    at += Number(size);
    if (text.length <= at) return result("more");
    if (text[at] !== "\r") return result(400);
    if (text.length === at + 1) return result("more");
    if (text[at + 1] !== "\n") return result(400);
    at += 2;
  }
  const rest = text.slice(at);
  const trailers = matchTrailers(rest);
  if (trailers === null && !isTrailersBeginning(rest)) return result(400);
  const lines = (trailers ?? rest).split("\r\n");
  // The last element is a line that has begun, or empty; the one before it may be the empty line.
  const count = trailers === null ? lines.length - (lines.at(-1) === "" ? 1 : 0) : lines.length - 2;
  if (count > limits.maxHeaders && lines.at(-1) !== "\r") return result(431);
  if (trailers !== null) {
    return trailers.length > limits.maxHeadSize
      ? result(431)
      : result("done", at + trailers.length);
  }
  return result(rest.length >= limits.maxHeadSize ? 431 : "more");
}
