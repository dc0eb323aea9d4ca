import { encodeHeadStart, LENGTH_ROOM, putLength } from "../../src/http/response_head_encoder.ts";
import type { ResponseStart } from "../../src/http/response_head_encoder.ts";
import { writeResponseHead } from "../../src/http/response_writer.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";
import { fromLatin1 } from "../support/bytes.ts";

const DATE = "Tue, 15 Nov 1994 08:12:31 GMT";
const LATER = "Tue, 15 Nov 1994 08:12:32 GMT";

/** Returns the head that the two functions make. */
function encode(response: ResponseStart, length: number, date = DATE): string {
  const start = encodeHeadStart(response, date)!;
  const buffer = new Uint8Array(start.length + LENGTH_ROOM).fill(0x23);
  buffer.set(start);
  return fromLatin1(buffer.subarray(0, putLength(buffer, start.length, length)));
}

const ok = (headers: [string, string][] = []): ResponseStart => ({
  status: 200,
  statusText: "",
  headers,
});

test("encodeHeadStart and putLength write what writeResponseHead writes", () => {
  const responses: ResponseStart[] = [
    ok(),
    ok([["Content-Type", "text/plain"]]),
    ok([["Content-Type", "text/html"]]),
    ok([["Content-Type", "text/html"], ["Set-Cookie", "a=1"]]),
    ok([["Content-Type", "text/html"], ["Set-Cookie", "a=2"]]),
    ok([["Content-Type", "text/html"], ["X-Cookie", "a=2"]]),
    ok([["Content-Length", "5"], ["Connection", "close"], ["Date", "now"], ["X-A", "caf\xe9"]]),
    { ...ok(), status: 404 },
    { ...ok(), status: 404, statusText: "Gone Fishing" },
    { ...ok(), status: 205 },
    { ...ok(), status: 304 },
  ];
  for (const response of [...responses, ...responses.toReversed()]) {
    for (const date of [DATE, DATE, LATER]) {
      for (const contentLength of [0, 7, 10, 65_536, Number.MAX_SAFE_INTEGER]) {
        const framing = { sendsBody: true, contentLength, isChunked: false, endsByClose: false };
        const head = writeResponseHead(response, { framing, connection: "", date });
        assertEquals(encode(response, contentLength, date), fromLatin1(head));
      }
    }
  }
});

test("encodeHeadStart encodes the same fields once per date", () => {
  const start = encodeHeadStart(ok([["X-A", "b"]]), DATE);
  assert(encodeHeadStart(ok([["X-A", "b"]]), DATE) === start);
  assert(encodeHeadStart(ok([["X-A", "b"]]), LATER) !== start);
});

test("encodeHeadStart returns undefined for a head that does not end with the length", () => {
  for (let i = 0; i < 2; i++) {
    assertEquals(encodeHeadStart(ok([["Upgrade", "h2c"]]), DATE), undefined);
    assertEquals(encodeHeadStart({ ...ok(), status: 204 }, DATE), undefined);
  }
});

test("encodeHeadStart refuses an invalid head each time", () => {
  for (let i = 0; i < 2; i++) {
    assertThrows(() => encodeHeadStart(ok([["X-A", "b\r\nX-B: c"]]), DATE), TypeError);
    assertThrows(() => encodeHeadStart(ok([["X A", "b"]]), DATE), TypeError);
    assertThrows(() => encodeHeadStart({ ...ok(), statusText: "a\nb" }, DATE), TypeError);
    assertThrows(() => encodeHeadStart({ ...ok(), status: 600 }, DATE), RangeError);
  }
});
