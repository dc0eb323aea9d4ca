import { Buffer } from "node:buffer";
import { HandshakeError } from "../../src/http/errors.ts";
import { isPersistent } from "../../src/http/persistence.ts";
import { RequestBodyDecoder, requestBodyLength } from "../../src/http/request_body.ts";
import { RequestHeadParser } from "../../src/http/request_head_parser.ts";
import { join, latin1 } from "../support/bytes.ts";
import { damageBody, pipeline } from "./body_arbitraries.ts";
import { HTTPParser } from "./node_http.ts";
import { Random } from "./random.ts";
import { ensure, pieces } from "./target.ts";
import type { Target } from "./target.ts";

/**
 * Errors of Node's parser for requests that are valid, with the reason.
 *
 * - HPE_INVALID_METHOD: it knows a list of methods, and RFC 9110 §9.1 allows any token.
 * - HPE_INVALID_VERSION: it knows HTTP/1.0 and 1.1, and RFC 9110 §2.5 requires to accept later ones.
 * - HPE_INVALID_URL, HPE_INVALID_CONSTANT: it parses a request-target further than its characters.
 * - HPE_INVALID_CHUNK_SIZE: it refuses whitespace in front of a chunk extension, which RFC 9112 §7.1.1
 *   requires to accept.
 * - HPE_STRICT: it refuses whitespace and quotes in extensions that the same grammar allows.
 */
const STRICTER_NODE: ReadonlySet<string> = new Set([
  "HPE_INVALID_METHOD",
  "HPE_INVALID_VERSION",
  "HPE_INVALID_URL",
  "HPE_INVALID_CONSTANT",
  "HPE_INVALID_CHUNK_SIZE",
  "HPE_STRICT",
]);

/** Errors for fields in a trailer section, where they have no meaning and are dropped here. */
const TRAILER_ERRORS: ReadonlySet<string> = new Set([
  "HPE_INVALID_TRANSFER_ENCODING",
  "HPE_INVALID_CONTENT_LENGTH",
  "HPE_UNEXPECTED_CONTENT_LENGTH",
]);

const LENGTH_AND_TAB = /content-length:[ \t]*\d+ *\t/i;
const CONNECTION_AND_TAB = /connection:[^\r]*\t/i;

/** A request as a parser has read it. */
interface Message {
  isChunked: boolean;
  target: string;
  body: string;
}

/** The requests of a connection, and how it has ended. */
interface Reading {
  messages: Message[];
  /** `"open"` while more is expected, `"closed"` after the last request, or the code of an error. */
  end: string;
}

/**
 * No two readings of the same bytes: whatever requests are accepted here, Node's parser reads the same
 * requests from the same bytes, or refuses them for one of the reasons above; and however the bytes are
 * cut. Where this parser refuses, the connection ends, so there is nothing to read in another way.
 */
export const pipelines: Target = {
  name: "pipeline",
  generate(seed, index) {
    const random = new Random(seed, index);
    let text = pipeline(random);
    if (random.once(2)) {
      for (let n = 1 + random.small(3); n > 0; n--) text = damageBody(random, text);
    }
    return join(Uint8Array.from([random.below(256)]), latin1(text));
  },
  check(input) {
    const [cut = 0] = input;
    const bytes = input.subarray(1);
    const ours = read(bytes, 0);
    const again = read(bytes, cut);
    ensure(
      JSON.stringify(again) === JSON.stringify(ours),
      () => `${JSON.stringify(again)}, in one piece ${JSON.stringify(ours)}`,
    );
    const theirs = readByNode(bytes);
    for (const [i, message] of ours.messages.entries()) {
      const other = theirs.messages[i];
      if (other === undefined) {
        const isExplained = STRICTER_NODE.has(theirs.end) ||
          (message.isChunked && TRAILER_ERRORS.has(theirs.end)) ||
          // It takes no tab after a length, which RFC 9110 §5.5 counts as whitespace around the value.
          (theirs.end === "HPE_INVALID_CONTENT_LENGTH" && LENGTH_AND_TAB.test(text(bytes))) ||
          // Nor after the option keep-alive, so that it ends the connection of an HTTP/1.0 request.
          (theirs.end === "HPE_CLOSED_CONNECTION" && CONNECTION_AND_TAB.test(text(bytes)));
        ensure(isExplained, () => `${JSON.stringify(message)}, Node: ${theirs.end}`);
        return `Node refuses: ${theirs.end}`;
      }
      ensure(
        message.target === other.target && message.body === other.body,
        () => `${JSON.stringify(message)}, Node: ${JSON.stringify(other)}`,
      );
    }
    if (theirs.messages.length > ours.messages.length) {
      const isStricter = ours.end !== "open";
      ensure(isStricter, () => `waits for more, Node: ${JSON.stringify(theirs.messages)}`);
      return `stricter: ${ours.end}`;
    }
    return ours.end === "open" || ours.end === "closed"
      ? `${ours.messages.length} requests, ${ours.end}`
      : "refused";
  },
};

/** Reads requests until the connection would end. */
function read(bytes: Uint8Array, cut: number): Reading {
  const messages: Message[] = [];
  let parser = new RequestHeadParser({ allowHttp10: true });
  let decoder: RequestBodyDecoder | undefined;
  let body = "";
  /** Ends a request. Returns whether the connection persists. */
  const finish = () => {
    const isChunked = parser.head!.headers.has("transfer-encoding");
    messages.push({ isChunked, target: parser.head!.target, body });
    const persists = isPersistent(parser.head!);
    parser = new RequestHeadParser({ allowHttp10: true });
    decoder = undefined;
    body = "";
    return persists;
  };
  try {
    for (const piece of pieces(bytes, cut)) {
      for (let at = 0; at < piece.length;) {
        const rest = piece.subarray(at);
        if (decoder === undefined) {
          const used = parser.push(rest);
          if (used === -1) break;
          at += used;
          decoder = new RequestBodyDecoder(requestBodyLength(parser.head!));
          if (decoder.isDone && !finish()) return { messages, end: "closed" };
        } else {
          const used = decoder.push(rest);
          body += text(decoder.data);
          if (used === -1) break;
          at += used;
          if (!finish()) return { messages, end: "closed" };
        }
      }
    }
  } catch (error) {
    ensure(error instanceof HandshakeError, () => `not a HandshakeError: ${error}`);
    return { messages, end: (error as HandshakeError).code };
  }
  return { messages, end: "open" };
}

function readByNode(bytes: Uint8Array): Reading {
  const messages: Message[] = [];
  let [target, body] = ["", ""];
  /** Whether the head is complete: then `kOnHeaders` gives trailers, on Bun with the target again. */
  let hasHead = false;
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.REQUEST, {}, 0, 0);
  parser[HTTPParser.kOnHeaders] = (_headers: unknown, url: string) => {
    if (!hasHead) target += url;
  };
  parser[HTTPParser.kOnHeadersComplete] = (...values: unknown[]) => {
    const url = values[4] as string | null | undefined;
    if (url) target += url;
    hasHead = true;
    return 0;
  };
  parser[HTTPParser.kOnBody] = (data: Uint8Array) => {
    body += text(data);
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    messages.push({ isChunked: false, target, body });
    [target, body, hasHead] = ["", "", false];
  };
  const result = parser.execute(Buffer.from(bytes));
  return { messages, end: typeof result === "number" ? "open" : result.code };
}

function text(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
