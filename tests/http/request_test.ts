import { HandshakeError } from "../../src/http/errors.ts";
import { HeaderList } from "../../src/http/header_list.ts";
import { toRequest } from "../../src/http/request.ts";
import { RequestHeadParser } from "../../src/http/request_head_parser.ts";
import { parseUpgradeRequest } from "../../src/handshake/upgrade_request.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";
import { assertRefused, latin1, SAMPLE, upgradeHead } from "../handshake/helpers.ts";

test("toRequest makes a Request in which every header field can be read", () => {
  const parser = new RequestHeadParser();
  parser.push(latin1(SAMPLE.replace("\r\n\r\n", "\r\nCookie: a=1\r\nX-L: caf\xe9\r\n\r\n")));
  const head = parser.head!;
  const request = toRequest(head);
  assertEquals([request.method, request.url], ["GET", "http://server.example.com/chat"]);
  for (const [name, value] of head.headers) assertEquals(request.headers.get(name), value, name);
  assertEquals(request.body, null);
  assert(!request.signal.aborted);
});

test("toRequest takes the scheme, the Host and the target for the URL", () => {
  for (
    const [target, host, url] of [
      ["/a?b=c", "example.com:8080", "https://example.com:8080/a?b=c"],
      ["/", "EXAMPLE.com:443", "https://example.com/"],
      ["//evil.example/x", "example.com", "https://example.com//evil.example/x"],
      ["/\\evil.example", "example.com", "https://example.com//evil.example"],
      ["/@evil.example", "example.com", "https://example.com/@evil.example"],
      ["ws://example.com?x", "example.com", "https://example.com/?x"],
      ["http://example.com/a", "example.com", "https://example.com/a"],
      ["/", "[::1]:1", "https://[::1]:1/"],
    ]
  ) {
    assertEquals(
      toRequest(upgradeHead([["host", host]], { target }), { scheme: "https" }).url,
      url,
    );
  }
});

test("toRequest makes HEAD requests", () => {
  assertEquals(toRequest(upgradeHead([], { method: "HEAD" })).method, "HEAD");
});

test("toRequest joins repeated fields and keeps odd names", () => {
  const request = toRequest(upgradeHead([
    ["x-twice", "a", "b"],
    ["__proto__", "p"],
    ["constructor", "c"],
    ["x-empty", ""],
    ["sec-fetch-mode", "websocket"],
  ]));
  assertEquals(request.headers.get("x-twice"), "a, b");
  assertEquals(request.headers.get("__proto__"), "p");
  assertEquals(request.headers.get("constructor"), "c");
  assertEquals(request.headers.get("x-empty"), "");
  assertEquals(request.headers.get("sec-fetch-mode"), "websocket");
});

test("toRequest passes the signal on", () => {
  const controller = new AbortController();
  const request = toRequest(upgradeHead(), { signal: controller.signal });
  controller.abort();
  assert(request.signal.aborted);
});

test("toRequest never throws for a head that has passed the parser and the validation", () => {
  const value = "\t" + Array.from({ length: 256 }, (_, i) => String.fromCharCode(i))
    .filter((char) => char >= " " && char !== "\x7f").join("");
  const tokens = "!#$%&'*+-.^_`|~aZ0";
  const hosts = [
    "a",
    "a:",
    "a:0",
    "A.b.",
    "[::1]",
    "[::ffff:1.2.3.4]:9",
    "%41",
    "~a!$&'()*+;=_",
    "0x7f.1",
  ];
  const targets = ["/", "//", "/%", "/%zz?%", "/..;/./", '/"<>[]\\^`{|}', "/?", "/:@"];
  for (const host of hosts) {
    for (const target of targets) {
      const parser = new RequestHeadParser();
      parser.push(latin1(
        `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: upgrade\r\n` +
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
          `${tokens}: ${value}\r\nCookie: ${value}\r\nExpect: x\r\nVia: \r\n\r\n`,
      ));
      const { head } = parseUpgradeRequest(parser.head!);
      const request = toRequest(head);
      assertEquals(new URL(request.url).protocol, "http:");
      assert(request.headers.get(tokens)?.includes("\xff"));
    }
  }
});

test("toRequest answers 400 to a head that was not validated and cannot be a Request", () => {
  const headers = new HeaderList();
  assertRefused(
    () => toRequest({ method: "GET", target: "/", minorVersion: 1, headers }),
    400,
    "ERR_HANDSHAKE_HOST",
  );
  assertRefused(() => toRequest(upgradeHead([], { target: "*" })), 400, "ERR_HANDSHAKE_TARGET");
  const error = assertThrows(() => toRequest(upgradeHead([["x y", ""]])), HandshakeError);
  assertEquals([error.status, error.code], [400, "ERR_HANDSHAKE_REQUEST"]);
  assert(error.cause instanceof TypeError);
});
