import { frameResponse } from "../../src/http/response_framing.ts";
import type { ResponseFraming, ResponseFramingInit } from "../../src/http/response_framing.ts";
import { assertEquals, test } from "../harness.ts";

const GET: ResponseFramingInit = {
  method: "GET",
  minorVersion: 1,
  status: 200,
  hasBody: true,
  length: undefined,
};

const NO_BODY: ResponseFraming = {
  sendsBody: false,
  contentLength: undefined,
  isChunked: false,
  endsByClose: false,
};
const LENGTH = (contentLength: number) => ({ ...NO_BODY, contentLength });
const KNOWN = (contentLength: number) => ({ ...NO_BODY, sendsBody: true, contentLength });
const CHUNKED = { ...NO_BODY, sendsBody: true, isChunked: true };
const CLOSE = { ...NO_BODY, sendsBody: true, endsByClose: true };

const cases: [name: string, Partial<ResponseFramingInit>, ResponseFraming][] = [
  ["a body of known length", { length: 12 }, KNOWN(12)],
  ["a body of length 0", { length: 0 }, KNOWN(0)],
  ["a body of unknown length", {}, CHUNKED],
  ["a body of unknown length to HTTP/1.0", { minorVersion: 0 }, CLOSE],
  ["a body of known length to HTTP/1.0", { minorVersion: 0, length: 12 }, KNOWN(12)],
  ["a body of unknown length to HTTP/1.9", { minorVersion: 9 }, CHUNKED],
  ["no body", { hasBody: false }, LENGTH(0)],
  ["no body to HTTP/1.0", { hasBody: false, minorVersion: 0 }, LENGTH(0)],
  ["no body, and a length that is not true", { hasBody: false, length: 12 }, LENGTH(0)],
  ["an error with a body", { status: 500, length: 3 }, KNOWN(3)],
  ["a 206", { status: 206, length: 3 }, KNOWN(3)],
  ["a POST", { method: "POST" }, CHUNKED],
  ["a HEAD of known length", { method: "HEAD", length: 12 }, LENGTH(12)],
  ["a HEAD of unknown length", { method: "HEAD" }, NO_BODY],
  ["a HEAD of unknown length by HTTP/1.0", { method: "HEAD", minorVersion: 0 }, NO_BODY],
  ["a HEAD without a body", { method: "HEAD", hasBody: false }, NO_BODY],
  ["a HEAD with a length alone", { method: "HEAD", hasBody: false, length: 12 }, LENGTH(12)],
  ["a method in lower case, which is not HEAD", { method: "head" }, CHUNKED],
  ["a 100", { status: 100, length: 12 }, NO_BODY],
  ["a 199", { status: 199 }, NO_BODY],
  ["a 204", { status: 204, length: 12 }, NO_BODY],
  ["a 204 to HEAD", { status: 204, method: "HEAD", length: 12 }, NO_BODY],
  ["a 204 without a body", { status: 204, hasBody: false }, NO_BODY],
  ["a 205", { status: 205, length: 12 }, LENGTH(0)],
  ["a 205 of unknown length to HTTP/1.0", { status: 205, minorVersion: 0 }, LENGTH(0)],
  ["a 304 of known length", { status: 304, hasBody: false, length: 12 }, LENGTH(12)],
  ["a 304 of unknown length", { status: 304 }, NO_BODY],
  ["a 304 without a body", { status: 304, hasBody: false }, NO_BODY],
];

for (const [name, init, framing] of cases) {
  test(`frameResponse frames ${name} (RFC 9112 §6.3)`, () => {
    assertEquals(frameResponse({ ...GET, ...init }), framing);
  });
}
