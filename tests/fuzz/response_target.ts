import { Buffer } from "node:buffer";
import { ResponseBodyEncoder } from "../../src/http/response_body_encoder.ts";
import { frameResponse } from "../../src/http/response_framing.ts";
import { writeResponseHead } from "../../src/http/response_writer.ts";
import { join } from "../support/bytes.ts";
import { HTTPParser } from "./node_http.ts";
import { Random } from "./random.ts";
import { ensure, pieces } from "./target.ts";
import type { Target } from "./target.ts";

const STATUSES = [200, 200, 200, 204, 205, 206, 304, 404, 500];
const METHODS = ["GET", "GET", "POST", "HEAD"];
/** Fields that the application may set, and that must not decide about the framing. */
const HEADERS = [
  ["Content-Length", "5"],
  ["Transfer-Encoding", "gzip, chunked"],
  ["Connection", "keep-alive"],
  ["Trailer", "X"],
  ["X", "y"],
];

interface Answer {
  status: number;
  body: string;
}

/**
 * A client reads the responses of a connection as they were written, each with its body and no byte of
 * another one, whatever their status, method, version, length and pieces are: Node's parser does.
 */
export const responses: Target = {
  name: "response",
  generate(seed, index) {
    const random = new Random(seed, index);
    return random.bytes(4 * (1 + random.small(6)));
  },
  check(input) {
    const written: Uint8Array[] = [];
    const expected: Answer[] = [];
    const methods: string[] = [];
    let end = "open";
    for (let i = 0; i + 3 < input.length && end === "open"; i += 4) {
      const [kind = 0, flags = 0, length = 0, cut = 0] = input.subarray(i, i + 4);
      const status = STATUSES[kind % STATUSES.length]!;
      const method = METHODS[(kind >> 5) & 3]!;
      const minorVersion = (flags & 7) === 0 ? 0 : 1;
      const body = Uint8Array.from(
        { length: (flags & 8) === 0 ? length & 31 : length * 4 },
        (_, i) => i,
      );
      const framing = frameResponse({
        method,
        minorVersion,
        status,
        hasBody: (flags & 16) === 0,
        length: (flags & 32) === 0 ? undefined : body.length,
      });
      const closes = framing.endsByClose || (flags & 192) === 0;
      const connection = closes ? "close" : minorVersion === 0 ? "keep-alive" : "";
      const headers = HEADERS.slice(0, flags % 7);
      const response = { status, statusText: "", headers };
      written.push(writeResponseHead(response, { framing, connection }));
      if (framing.sendsBody) {
        const encoder = new ResponseBodyEncoder(framing);
        for (const piece of pieces(body, cut)) written.push(...encoder.encode(piece));
        written.push(encoder.finish());
      }
      methods.push(method);
      expected.push({ status, body: framing.sendsBody ? text(body) : "" });
      if (closes) end = framing.endsByClose ? "ended by close" : "closed";
    }
    const read = readByNode(join(...written), methods);
    ensure(
      JSON.stringify(read) === JSON.stringify(expected),
      () => `${JSON.stringify(read)}, expected ${JSON.stringify(expected)}`,
    );
    return `${expected.length} responses, ${end}`;
  },
};

function readByNode(bytes: Uint8Array, methods: readonly string[]): Answer[] {
  const answers: Answer[] = [];
  let [status, body] = [0, ""];
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.RESPONSE, {}, 0, 0);
  parser[HTTPParser.kOnHeaders] = () => {};
  parser[HTTPParser.kOnHeadersComplete] = (...values: unknown[]) => {
    status = values[5] as number;
    // 1 tells the parser that the response has no body.
    return methods[answers.length] === "HEAD" ? 1 : 0;
  };
  parser[HTTPParser.kOnBody] = (data: Uint8Array) => {
    body += text(data);
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    answers.push({ status, body });
    [status, body] = [0, ""];
  };
  const result = parser.execute(Buffer.from(bytes));
  ensure(typeof result === "number", () => `Node: ${(result as Error & { code: string }).code}`);
  const error = parser.finish();
  ensure(!(error instanceof Error), () => `Node: ${error}`);
  return answers;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
