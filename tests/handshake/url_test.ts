import { parseProxyUrl, parseWebSocketUrl } from "../../src/handshake/url.ts";
import { assertEquals, assertThrows, test } from "../harness.ts";

const good: [url: string, hostname: string, port: number, host: string, target: string][] = [
  ["ws://example.com", "example.com", 80, "example.com", "/"],
  ["ws://example.com:80/", "example.com", 80, "example.com", "/"],
  ["wss://example.com/chat?a=b&c", "example.com", 443, "example.com", "/chat?a=b&c"],
  ["wss://example.com:80/", "example.com", 80, "example.com:80", "/"],
  ["ws://example.com:443/?", "example.com", 443, "example.com:443", "/"],
  ["http://example.com/", "example.com", 80, "example.com", "/"],
  ["HTTPS://Example.COM:8443/A", "example.com", 8443, "example.com:8443", "/A"],
  ["ws://[::1]:8080/x", "::1", 8080, "[::1]:8080", "/x"],
  ["ws://[2001:DB8:0:0::1]", "2001:db8::1", 80, "[2001:db8::1]", "/"],
  ["ws://127.1/", "127.0.0.1", 80, "127.0.0.1", "/"],
  [
    "ws://b\u00fccher.example/\u00fc x?\u2603",
    "xn--bcher-kva.example",
    80,
    "",
    "/%C3%BC%20x?%E2%98%83",
  ],
  ["  ws://example.com/a/../b\n", "example.com", 80, "example.com", "/b"],
];

for (const [url, hostname, port, host, target] of good) {
  test(`parseWebSocketUrl reads ${JSON.stringify(url)}`, () => {
    for (const form of [url, new URL(url)]) {
      const parsed = parseWebSocketUrl(form);
      assertEquals([parsed.hostname, parsed.port, parsed.target], [hostname, port, target]);
      assertEquals(parsed.host, host === "" ? hostname : host);
      assertEquals(parsed.isSecure, /^\s*(wss|https):/i.test(url));
      assertEquals(parsed.href, `${parsed.isSecure ? "wss" : "ws"}://${parsed.host}${target}`);
      assertEquals(parsed.authorization, undefined);
    }
  });
}

test("parseWebSocketUrl makes an Authorization of user information, RFC 7617 §2", () => {
  const { authorization, href } = parseWebSocketUrl("ws://Aladdin:open%20sesame@example.com/");
  assertEquals(authorization, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  assertEquals(href, "ws://example.com/");
  assertEquals(parseWebSocketUrl("ws://a@b/").authorization, `Basic ${btoa("a:")}`);
  assertEquals(parseWebSocketUrl("ws://:a@b/").authorization, `Basic ${btoa(":a")}`);
  assertEquals(parseWebSocketUrl("ws://a:b:c%@d/").authorization, `Basic ${btoa("a:b:c%")}`);
  // RFC 7617 §2.1: "test", and "123" with a pound sign, in UTF-8.
  assertEquals(parseWebSocketUrl("ws://test:123\u00a3@b/").authorization, "Basic dGVzdDoxMjPCow==");
});

const bad = [
  "",
  "example.com",
  "/chat",
  "//example.com/",
  "ws:",
  "ws://",
  "ws://a b/",
  "ws://example.com:99999/",
  "ws://[::1/",
  "ftp://example.com/",
  "wsss://example.com/",
  "httpx://example.com/",
  "file:///etc/passwd",
  "ws://example.com/#",
  "ws://example.com/#a",
  "ws://example.com/?a#b",
  "ws://a%3Ab:c@example.com/",
  "ws://a:b%0D%0Ac@example.com/",
  "ws://a%7F@example.com/",
];

for (const url of bad) {
  test(`parseWebSocketUrl refuses ${JSON.stringify(url)}`, () => {
    const error = assertThrows(
      () => parseWebSocketUrl(url),
      DOMException,
      "Cannot use WebSocket URL",
    );
    assertEquals(error.name, "SyntaxError");
  });
}

test("parseWebSocketUrl and parseProxyUrl show no password", () => {
  for (
    const url of ["ws://user:secret@host:x/", "ftp://user:secret@host/", "ws://a:secret%00@b/"]
  ) {
    for (const parse of [parseWebSocketUrl, parseProxyUrl]) {
      const { message } = assertThrows(() => parse(url), DOMException);
      assertEquals(message.includes("secret"), false, message);
    }
  }
});

test("parseWebSocketUrl and parseProxyUrl show no password of a URL that is written wrongly", () => {
  for (const parse of [parseWebSocketUrl, parseProxyUrl]) {
    for (
      const url of [
        "user:secret@host:3128",
        "ws://user:a/secret@host",
        "ws://user:a#secret@host",
        "ws://user:a?secret@host:99999",
        "http://a@b:secret@host:99999",
      ]
    ) {
      const { message } = assertThrows(() => parse(url), DOMException, "***@host");
      assertEquals(message.includes("secret"), false, message);
    }
  }
});

test("parseProxyUrl reads host, port and user information", () => {
  assertEquals(parseProxyUrl("http://proxy.example"), {
    hostname: "proxy.example",
    port: 80,
    authorization: undefined,
  });
  assertEquals(parseProxyUrl(new URL("http://u:p%40@[::1]:3128/ignored")), {
    hostname: "::1",
    port: 3128,
    authorization: `Basic ${btoa("u:p@")}`,
  });
});

test("parseProxyUrl refuses what is no HTTP proxy", () => {
  for (const url of ["", "proxy:3128", "https://proxy/", "socks5://proxy/", "ws://proxy/"]) {
    assertEquals(assertThrows(() => parseProxyUrl(url), DOMException).name, "SyntaxError");
  }
});
