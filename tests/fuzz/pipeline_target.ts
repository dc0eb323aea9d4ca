import { Buffer } from "node:buffer";
import { HandshakeError } from "../../src/http/errors.ts";
import { isPersistent } from "../../src/http/persistence.ts";
import { RequestBodyDecoder, requestBodyLength } from "../../src/http/request_body.ts";
import { RequestHeadParser } from "../../src/http/request_head_parser.ts";
import { fromLatin1, join, latin1 } from "../support/bytes.ts";
import { damageBody, pipeline } from "./body_arbitraries.ts";
import { HTTPParser, methods } from "./node_http.ts";
import { Random } from "./random.ts";
import { ensure, pieces } from "./target.ts";
import type { Target } from "./target.ts";

/** A request as a parser has read it. */
interface Message {
  method: string;
  target: string;
  version: string;
  /** The fields in their order: names in lower case, and values. */
  fields: (readonly [name: string, value: string])[];
  body: string;
}

/** Whether the body of a request is chunked. */
function isChunked({ fields }: Message): boolean {
  return fields.some(([name]) => name === "transfer-encoding");
}

/** A reason for which Node's parser refuses a request that is valid. */
interface Disagreement {
  /** The errors of Node's parser. */
  codes: readonly string[];
  why: string;
  /** Whether it is the reason for this request, which is in these bytes. */
  holds(message: Message, bytes: string): boolean;
}

/**
 * All disagreements. Whatever requests both parsers accept, they read alike: method, target, version, each
 * field and the body.
 */
const DISAGREEMENTS: readonly Disagreement[] = [
  {
    // The second one if the method begins like one of the list.
    codes: ["HPE_INVALID_METHOD", "HPE_INVALID_CONSTANT"],
    why: "it knows a list of methods; RFC 9110 §9.1 allows any token",
    holds: ({ method }) => !methods.includes(method),
  },
  {
    codes: ["HPE_INVALID_VERSION"],
    why: "it knows HTTP/1.0 and 1.1; RFC 9110 §2.5 requires to accept later minor versions",
    holds: ({ version }) => !["1.0", "1.1"].includes(version),
  },
  {
    codes: ["HPE_INVALID_URL"],
    why: "it parses the target as a URL; here that is up to the application",
    holds: ({ target }) => target !== "/" && target !== "*",
  },
  {
    codes: ["HPE_INVALID_CHUNK_SIZE"],
    why: "it takes no whitespace before a chunk extension; RFC 9112 §7.1.1 requires to accept it",
    holds: (message, bytes) => isChunked(message) && /[0-9a-f][ \t]+;/i.test(bytes),
  },
  {
    codes: ["HPE_STRICT"],
    why: "it takes fewer characters in a chunk extension than RFC 9112 §7.1.1",
    holds: isChunked,
  },
  {
    codes: [
      "HPE_INVALID_TRANSFER_ENCODING",
      "HPE_INVALID_CONTENT_LENGTH",
      "HPE_UNEXPECTED_CONTENT_LENGTH",
    ],
    why: "it interprets fields of a trailer section; RFC 9112 §7.1.2 lets a recipient discard them",
    holds: isChunked,
  },
  {
    codes: ["HPE_INVALID_CONTENT_LENGTH"],
    why: "it takes no tab after a length; RFC 9110 §5.5 counts it as whitespace around the value",
    holds: (_message, bytes) => /content-length:[ \t]*\d+ *\t/i.test(bytes),
  },
  {
    codes: ["HPE_CLOSED_CONNECTION"],
    why: "it takes no tab after keep-alive, and so ends the connection of an HTTP/1.0 request",
    holds: (_message, bytes) => /connection:[^\r]*\t/i.test(bytes),
  },
];

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
        const isExplained = DISAGREEMENTS.some(({ codes, holds }) =>
          codes.includes(theirs.end) && holds(message, fromLatin1(bytes))
        );
        ensure(isExplained, () => `${JSON.stringify(message)}, Node: ${theirs.end}`);
        return `Node refuses: ${theirs.end}`;
      }
      const [mine, its] = [JSON.stringify(message), JSON.stringify(other)];
      ensure(mine === its, () => `${mine}, Node: ${its}`);
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
    const head = parser.head!;
    const { method, target, minorVersion, headers } = head;
    const fields = Array.from(headers.entries(), lowerCased);
    messages.push({ method, target, version: `1.${minorVersion}`, fields, body });
    const persists = isPersistent(head);
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
          body += fromLatin1(decoder.data);
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
  const blank = (): Message => ({ method: "", target: "", version: "", fields: [], body: "" });
  let next = blank();
  /** Whether the head is complete: then `kOnHeaders` gives trailers, on Bun with the target again. */
  let hasHead = false;
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.REQUEST, {}, 0, 0);
  const takeFields = (list: readonly string[]) => {
    for (let i = 0; i < list.length; i += 2) next.fields.push(lowerCased([list[i]!, list[i + 1]!]));
  };
  // Called for each 31 or 32 fields of a head, and for trailers.
  parser[HTTPParser.kOnHeaders] = (list: readonly string[], url: string) => {
    if (hasHead) return;
    takeFields(list);
    next.target += url;
  };
  parser[HTTPParser.kOnHeadersComplete] = (
    major: number,
    minor: number,
    list: readonly string[] | undefined,
    method: number,
    url: string | null | undefined,
  ) => {
    takeFields(list ?? []);
    next.version = `${major}.${minor}`;
    next.method = methods[method] ?? `number ${method}`;
    next.target += url ?? "";
    hasHead = true;
    return 0;
  };
  parser[HTTPParser.kOnBody] = (data: Uint8Array) => {
    next.body += fromLatin1(data);
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    messages.push(next);
    next = blank();
    hasHead = false;
  };
  const result = parser.execute(Buffer.from(bytes));
  return { messages, end: typeof result === "number" ? "open" : result.code };
}

function lowerCased([name, value]: readonly [string, string]): readonly [string, string] {
  return [name.toLowerCase(), value];
}
