import { consistsOf, PLAIN_TARGET } from "../../src/http/characters.ts";
import { HandshakeError } from "../../src/http/errors.ts";
import { HeaderList } from "../../src/http/header_list.ts";
import { requestUrl, toRequest, validateRequest } from "../../src/http/request.ts";
import { RequestHeadParser } from "../../src/http/request_head_parser.ts";
import { parseUpgradeRequest, validateHttpRequest } from "../../src/handshake/upgrade_request.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";
import { assertRefused, latin1, SAMPLE, upgradeHead } from "../handshake/helpers.ts";

const HOST = new HeaderList([["Host", "a"]]);

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
    "~a!$&'()*+;=_",
    "127.0.0.1",
  ];
  const targets = ["/", "//", "/%", "/%zz?%", "/..;/...", '/[]|?"<>[]\\^`{|}/../', "/?", "/:@"];
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

test("toRequest passes a body on, as a stream", async () => {
  const body = new Blob(["hello"]).stream();
  const request = toRequest(upgradeHead([], { method: "POST" }), { body });
  assertEquals(request.method, "POST");
  assertEquals(await request.text(), "hello");
  assertEquals(toRequest(upgradeHead([], { method: "POST" }), { body: null }).body, null);
});

test('toRequest joins Cookie lines with "; " (RFC 6265 §5.4)', () => {
  const request = toRequest(upgradeHead([["cookie", "a=1", "b=2; c=3"], ["x", "1", "2"]]));
  assertEquals(request.headers.get("cookie"), "a=1; b=2; c=3");
  assertEquals(request.headers.get("x"), "1, 2");
});

test("toRequest takes the asterisk-form of OPTIONS (RFC 9112 §3.2.4)", () => {
  const head = upgradeHead([], { method: "OPTIONS", target: "*" });
  validateRequest(head);
  assertEquals(toRequest(head).url, "http://server.example.com/*");
  const get = upgradeHead([], { target: "*" });
  assertRefused(() => validateRequest(get), 400, "ERR_HANDSHAKE_TARGET");
});

test("toRequest takes HTTP/1.0 without a Host", () => {
  const head = { method: "GET", target: "/a", minorVersion: 0, headers: new HeaderList() };
  validateRequest(head);
  assertEquals(toRequest(head).url, "http://localhost/a");
  const headers = new HeaderList([["Host", "a"], ["Host", "b"]]);
  assertRefused(() => validateRequest({ ...head, headers }), 400, "ERR_HANDSHAKE_HOST");
});

test("validateRequest and toRequest take any method, and keep its case (RFC 9110 §9.1)", async () => {
  for (
    const method of [
      "GET",
      "POST",
      "DELETE",
      "PATCH",
      "PROPFIND",
      "M-SEARCH",
      "x",
      "Get-x",
      "get",
      "Post",
      "options",
      "patch",
      "report",
    ]
  ) {
    const head = upgradeHead([], { method });
    validateRequest(head);
    assertEquals(toRequest(head).method, method);
    if (method.toUpperCase() === "GET") continue;
    const request = toRequest(head, { body: new Blob(["hello"]).stream() });
    assertEquals([request.method, await request.text()], [method, "hello"]);
  }
});

test("validateRequest refuses CONNECT and TRACE with 501, as Request does", () => {
  for (const method of ["CONNECT", "TRACE", "TRACK", "trace"]) {
    assertRefused(
      () => validateRequest(upgradeHead([], { method })),
      501,
      "ERR_HANDSHAKE_METHOD",
      `method "${method}" is not implemented`,
    );
  }
});

test("validateRequest refuses a request without a valid Host or target with 400", () => {
  assertRefused(() => validateRequest(upgradeHead([["host"]])), 400, "ERR_HANDSHAKE_HOST");
  assertRefused(() => validateRequest(upgradeHead([["host", "a b"]])), 400, "ERR_HANDSHAKE_HOST");
  const target = upgradeHead([], { target: "http://other.example/" });
  assertRefused(() => validateRequest(target), 400, "ERR_HANDSHAKE_TARGET");
});

const unsafePaths = [
  "/pub/..\\admin/x",
  "/pub/.%2E\\admin/x",
  "/\\evil.example",
  "/pub\\x",
  "/.",
  "/..",
  "/./",
  "/../admin",
  "/pub/./x",
  "/pub/../admin/x",
  "/pub/..",
  "/pub/..?x=1",
  "/pub/%2e",
  "/pub/%2E/x",
  "/pub/%2e%2e/admin/x",
  "/pub/.%2e/admin/x",
  "/pub/%2E./admin/x",
  "//..",
  "http://server.example.com/pub/../admin",
  "http://server.example.com/pub\\admin",
  '/"',
  "/<",
  "/>",
  "/^",
  "/`",
  "/{",
  "/}",
];

for (const target of unsafePaths) {
  test(`the request-target ${target} is refused, since a URL would have another path`, () => {
    const head = upgradeHead([], { target });
    const expected = "expected a path that stays the same in a URL";
    for (const run of [toRequest, validateRequest, validateHttpRequest, parseUpgradeRequest]) {
      assertRefused(() => run(head), 400, "ERR_HANDSHAKE_TARGET", expected);
    }
  });
}

test("the path of a Request is that of the request-target, as it was received", () => {
  const targets = [
    "/.a/..b/c../...",
    "/..;/x",
    "/%2f%5c%00",
    "/a//b",
    "/%2e%2e%2e",
    "/~!$&'()*+,;=:@|[]",
  ];
  for (const path of targets) {
    for (const query of ["", "?", "?../\\.."]) {
      const head = upgradeHead([], { target: path + query });
      validateRequest(head);
      assertEquals(new URL(toRequest(head).url).pathname, path);
    }
  }
});

test("validateRequest and requestUrl leave a target of plain characters as a URL parser does", () => {
  const plain: string[] = [];
  for (let code = 0x21; code < 0x7f; code++) {
    const character = String.fromCharCode(code);
    if (consistsOf(PLAIN_TARGET, character)) plain.push(character);
  }
  assertEquals(plain.includes(".") || plain.includes("%") || plain.includes("#"), false);
  for (const a of plain) {
    for (const b of plain) {
      for (const target of [`/${a}${b}`, `/x?${a}${b}`]) {
        const head = { method: "GET", target, minorVersion: 1, headers: HOST };
        const url = requestUrl("http", validateRequest(head));
        assertEquals(url, new URL(`http://a${target}`).href);
        assertEquals(url, `http://a${target}`);
      }
    }
  }
});
