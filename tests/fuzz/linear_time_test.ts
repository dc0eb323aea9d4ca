// Parsing a peer's input takes linear time: twice the length, about twice the time.
import { parseExtensions } from "../../src/handshake/extensions_header.ts";
import { includesToken, parseTokenList } from "../../src/http/token_list.ts";
import { HeaderList } from "../../src/http/header_list.ts";
import { createOriginCheck } from "../../src/handshake/origin.ts";
import { RequestHeadParser } from "../../src/http/request_head_parser.ts";
import { ResponseBody } from "../../src/http/response_body.ts";
import { parseSubprotocols } from "../../src/handshake/subprotocol.ts";
import { parseUpgradeRequest, validateHttpRequest } from "../../src/handshake/upgrade_request.ts";
import { parseWebSocketUrl } from "../../src/handshake/url.ts";
import { fail, test } from "../harness.ts";
import { latin1 } from "../support/bytes.ts";

/** Fillers of a value: each returns about `length` characters. */
const FILLERS = [
  "a",
  ",",
  ";",
  " ",
  "\t",
  "=",
  '"',
  "\\",
  "a,",
  "a;",
  ", ",
  "; ",
  "a=b;",
  'a="b";',
  "\\a",
  "%41",
  ":",
  "/",
  "a.",
  "[",
  "@",
  "?",
];
/** The text before and after a filler. */
const FRAMES: readonly (readonly [before: string, after: string])[] = [
  ["", ""],
  ['a;b="', '"'],
  ['a;b="', ""],
  ["a;", "\0"],
  ["http://", "\0"],
  ["https://[", "]:"],
  ["wss://a/", "#"],
];

const READERS: readonly (readonly [name: string, read: (value: string) => unknown])[] = [
  ["parseExtensions", parseExtensions],
  ["parseTokenList", parseTokenList],
  ["parseSubprotocols", parseSubprotocols],
  ["includesToken", (value) => includesToken(value, "websocket")],
  ["createOriginCheck", (value) => createOriginCheck()(value, "example.com")],
  ["parseWebSocketUrl", (value) => parseWebSocketUrl(value)],
  ["ResponseBody", (value) => {
    const headers = new HeaderList([["Transfer-Encoding", value], ["Content-Length", value]]);
    new ResponseBody({ status: 200, reason: "", minorVersion: 1, headers });
  }],
  ["Host", (value) => validateHttpRequest(request("GET", "/", [["Host", value]]))],
  ["request-target", (value) => validateHttpRequest(request("GET", value, [["Host", "a"]]))],
  ["Sec-WebSocket-Key", (value) =>
    parseUpgradeRequest(request("GET", "/", [
      ["Host", "a"],
      ["Upgrade", "websocket"],
      ["Connection", "upgrade"],
      ["Sec-WebSocket-Version", "13"],
      ["Sec-WebSocket-Key", value],
    ]))],
];

function request(method: string, target: string, fields: [string, string][]) {
  return { method, target, minorVersion: 1, headers: new HeaderList(fields) };
}

/** Returns a value of `length` characters of a filler, with the text around it. */
function value([before, after]: readonly [string, string], filler: string, length: number): string {
  return before + filler.repeat(Math.ceil(length / filler.length)) + after;
}

/** Returns the shortest time of several runs, in milliseconds. */
function shortest(run: () => unknown, times: number): number {
  let best = Infinity;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    try {
      run();
    } catch { /* What it says is not asked here. */ }
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** Fails if twice the length takes more than three times as long, in every attempt. */
function assertLinear(what: string, run: (length: number) => () => unknown, length: number): void {
  const tried: string[] = [];
  for (let attempt = 0; attempt < 6; attempt++) {
    const [once, twice] = [run(length), run(length * 2)];
    // Interleaved, and the best of several: the machine may have other work.
    const [a, b] = [shortest(once, 3), shortest(twice, 3)];
    // Below 0.1 ms a time is too short to measure, and harmless.
    if (b <= 0.1 || b <= 3 * a) return;
    tried.push(`${a.toFixed(3)} ms, ${b.toFixed(3)} ms`);
    length *= 2;
  }
  fail(`${what}: ${tried.join("; ")} for twice the length each`);
}

for (const [name, read] of READERS) {
  test(`${name} takes a time that is linear in what it reads`, () => {
    for (const frame of FRAMES) {
      for (const filler of FILLERS) {
        const what = `${JSON.stringify(frame)} around ${JSON.stringify(filler)}`;
        assertLinear(what, (length) => {
          const text = value(frame, filler, length);
          return () => read(text);
        }, 8192);
      }
    }
  });
}

test("RequestHeadParser takes a time that is linear in the head, in chunks of any size", () => {
  const heads = [
    (length: number) => `GET / HTTP/1.1\r\nA:${" ".repeat(length)}`,
    (length: number) => `GET / HTTP/1.1\r\nA: b${" ".repeat(length)}\r\n\r\n`,
    (length: number) => `GET / HTTP/1.1\r\n${"A:b\r\n".repeat(length / 5)}\r\n`,
    (length: number) => `GET /${"a".repeat(length)} HTTP/1.1\r\n\r\n`,
    (length: number) => `${"a".repeat(length)}`,
    (length: number) => `GET / HTTP/1.1\r\nA:${"\xe9".repeat(length)}\r\n\r\n`,
  ];
  for (const [i, head] of heads.entries()) {
    for (const size of [1, 1000, Infinity]) {
      assertLinear(`head ${i} in chunks of ${size}`, (length) => {
        const bytes = latin1(head(length));
        return () => {
          const parser = new RequestHeadParser({ maxHeadSize: Infinity, maxHeaders: Infinity });
          for (let at = 0; at < bytes.length; at += size) {
            parser.push(bytes.subarray(at, at + size));
          }
        };
      }, 8192);
    }
  }
});
