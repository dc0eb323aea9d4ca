import { HandshakeError } from "../../src/http/errors.ts";
import type { HeaderList } from "../../src/http/header_list.ts";
import { RequestHeadParser } from "../../src/http/request_head_parser.ts";
import type { RequestHead } from "../../src/http/request_head_parser.ts";
import { ResponseHeadParser } from "../../src/http/response_head_parser.ts";
import type { ResponseHead } from "../../src/http/response_head_parser.ts";
import { fromLatin1, join, latin1 } from "../support/bytes.ts";
import { damageHead, head } from "./head_arbitraries.ts";
import { isBeginning, matchHead } from "./head_model.ts";
import type { HeadKind } from "./head_model.ts";
import { Random } from "./random.ts";
import { judgeRequest, judgeResponse } from "./handshake_checks.ts";
import { ensure, pieces } from "./target.ts";
import type { Target } from "./target.ts";

const LIMITS = [{ maxHeadSize: 16_384, maxHeaders: 100 }, { maxHeadSize: 300, maxHeaders: 6 }];

/** The result of a parser. */
interface Parsed {
  head: RequestHead | ResponseHead | undefined;
  error: HandshakeError | undefined;
  /** The length of the head, or the number of bytes up to the end of the piece that caused the error. */
  taken: number;
}

/**
 * Any bytes, split anywhere, give a head, need more bytes, or throw a HandshakeError with a documented
 * status, at the byte where the model's regular expressions can no longer match. A head is then used for
 * the handshake, up to a response.
 */
export const heads: Target = {
  name: "head",
  generate(seed, index) {
    const random = new Random(seed, index);
    const isRequest = !random.once(3);
    let text = head(random, isRequest);
    if (random.once(30)) text = String.fromCharCode(...random.bytes(random.small(40)));
    if (random.once(3)) {
      for (let n = 1 + random.small(3); n > 0; n--) text = damageHead(random, text);
    }
    const plan = (isRequest ? 0 : 1) | (random.once(4) ? 2 : 0);
    const bytes = latin1(text);
    return join(Uint8Array.from([plan, random.below(256)]), bytes);
  },
  check(input) {
    const [plan = 0, cut = 0] = input;
    const kind = (plan & 1) === 0 ? "request" : "response";
    const limits = LIMITS[(plan >> 1) & 1]!;
    const bytes = input.subarray(2);
    const make = () =>
      kind === "request" ? new RequestHeadParser(limits) : new ResponseHeadParser(limits);
    const parsed = parse(make(), bytes, 1);
    const again = parse(make(), bytes, cut);
    ensure(told(again) === told(parsed), () => `${told(again)}\nbyte by byte: ${told(parsed)}`);
    assertModel(kind, parsed, fromLatin1(bytes), limits);
    if (parsed.error !== undefined) return `${kind}: ${parsed.error.status || "not HTTP"}`;
    if (parsed.head === undefined) return `${kind}: more`;
    const rest = bytes.subarray(parsed.taken);
    return kind === "request"
      ? `request: ${judgeRequest(parsed.head as RequestHead)}`
      : `response: ${judgeResponse(parsed.head as ResponseHead, rest, cut)}`;
  },
};

function parse(
  parser: RequestHeadParser | ResponseHeadParser,
  bytes: Uint8Array,
  cut: number,
): Parsed {
  let taken = 0;
  for (const piece of pieces(bytes, cut)) {
    try {
      const used = parser.push(piece);
      piece.fill(0xdd); // It may be lent.
      if (used !== -1) {
        ensure(used >= 0 && used <= piece.length, () => `${used} of ${piece.length} bytes`);
        const { length } = parser.text;
        ensure(length === taken + used, () => `${length} characters of ${taken + used} bytes`);
        return { head: parser.head!, error: undefined, taken: taken + used };
      }
    } catch (error) {
      ensure(error instanceof HandshakeError, () => `not a HandshakeError: ${error}`);
      return { head: undefined, error: error as HandshakeError, taken: taken + piece.length };
    }
    taken += piece.length;
  }
  return { head: undefined, error: undefined, taken };
}

/** Returns what must be the same with any split. */
function told({ head, error, taken }: Parsed): string {
  if (error !== undefined) return `${error.status} ${error.code} ${error.message}`;
  if (head === undefined) return "more";
  return JSON.stringify([taken, start(head), [...head.headers as HeaderList]]);
}

function start(head: RequestHead | ResponseHead): string[] {
  return "method" in head
    ? [head.method, head.target, String(head.minorVersion)]
    : [String(head.minorVersion), String(head.status), head.reason];
}

function assertModel(
  kind: HeadKind,
  { head, error, taken }: Parsed,
  text: string,
  limits: typeof LIMITS[number],
): void {
  const model = matchHead(kind, text);
  if (head !== undefined) {
    ensure(model?.length === taken, () => `a head of ${taken} bytes, not ${model?.length}`);
    ensure(taken <= limits.maxHeadSize, () => `a head of ${taken} bytes`);
    const count = [...head.headers].length;
    ensure(count <= limits.maxHeaders, () => `${count} fields`);
    const expected = [model!.start.map((part) => part ?? ""), model!.fields];
    const actual = [start(head), [...head.headers]];
    ensure(
      JSON.stringify(actual) === JSON.stringify(expected),
      () => `${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`,
    );
    return;
  }
  if (error === undefined) {
    ensure(isBeginning(kind, text), () => "waits for more, and nothing can make it a head");
    return;
  }
  const [before, upTo] = [text.slice(0, taken - 1), text.slice(0, taken)];
  ensure(isBeginning(kind, before), () => `was wrong before byte ${taken - 1}`);
  if (error.code === "ERR_HANDSHAKE_HEAD_TOO_LARGE") {
    ensure(isBeginning(kind, upTo), () => `is wrong at byte ${taken - 1}, not too large`);
    const isLong = taken === limits.maxHeadSize;
    // Counts the start line and the line that begins, but not an empty line before the start line.
    const lines = upTo.replace(/^\r\n/, "").split("\r\n");
    const hasMany = lines.length - 2 === limits.maxHeaders && lines.at(-1)!.length === 1;
    ensure(isLong || hasMany, () => `neither long nor of many fields at ${taken - 1}: ${error}`);
    const statuses = lines.length > 1 ? [431] : [414, 501];
    const isExpected = kind === "response" || statuses.includes(error.status);
    ensure(isExpected, () => `status ${error.status}`);
  } else {
    ensure(!isBeginning(kind, upTo), () => `is right at byte ${taken - 1}: ${error}`);
    const isVersion = kind === "request" && / HTTP\/(?:[02-9]|1\.0)$/.test(upTo);
    const status = kind === "response" ? 0 : isVersion ? 505 : 400;
    ensure(error.status === status, () => `status ${error.status}, expected ${status}`);
  }
}
