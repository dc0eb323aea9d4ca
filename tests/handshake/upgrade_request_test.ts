import {
  isUpgrade,
  parseUpgradeRequest,
  upgradeRequired,
  validateHttpRequest,
} from "../../src/handshake/upgrade_request.ts";
import { HeaderList } from "../../src/http/header_list.ts";
import { RequestHeadParser } from "../../src/http/request_head_parser.ts";
import type { RequestHead } from "../../src/http/request_head_parser.ts";
import { assert, assertEquals, test } from "../harness.ts";
import { assertRefused, latin1, SAMPLE, upgradeHead } from "./helpers.ts";

function plainHead(fields: [string, string][], start: Partial<RequestHead> = {}): RequestHead {
  return { method: "GET", target: "/", minorVersion: 1, headers: new HeaderList(fields), ...start };
}

/** Asserts that an upgrade with these fields is refused. */
function assertUpgradeRefused(
  fields: [name: string, ...values: string[]][],
  status: number,
  code: string,
  text = "",
) {
  return assertRefused(() => parseUpgradeRequest(upgradeHead(fields)), status, code, text);
}

test("parseUpgradeRequest reads the request of RFC 6455 §1.2", () => {
  const parser = new RequestHeadParser();
  parser.push(latin1(SAMPLE));
  const head = parser.head!;
  assertEquals(parseUpgradeRequest(head), {
    head,
    host: "server.example.com",
    key: "dGhlIHNhbXBsZSBub25jZQ==",
    protocols: ["chat", "superchat"],
    extensions: [],
    origin: "http://example.com",
  });
});

test("parseUpgradeRequest reads a request without the optional fields", () => {
  const { protocols, extensions, origin } = parseUpgradeRequest(upgradeHead());
  assertEquals([protocols, extensions, origin], [[], [], null]);
});

test("parseUpgradeRequest reads extensions and protocols from several header lines", () => {
  const { protocols, extensions } = parseUpgradeRequest(upgradeHead([
    ["sec-websocket-protocol", "a, b", "c"],
    ["sec-websocket-extensions", "x; y=1", "z"],
  ]));
  assertEquals(protocols, ["a", "b", "c"]);
  assertEquals(extensions, [{ name: "x", params: [["y", "1"]] }, { name: "z", params: [] }]);
});

test("isUpgrade tells an attempted upgrade from plain HTTP", () => {
  for (const values of [["websocket"], ["WebSocket"], ["h2c, WEBSOCKET"], ["h2c", "websocket"]]) {
    assert(isUpgrade(upgradeHead([["upgrade", ...values]])), values.join());
  }
  for (const values of [[], [""], ["h2c"], ["websocket/13"], ["websockets"], ['"websocket"']]) {
    assert(!isUpgrade(upgradeHead([["upgrade", ...values]])), values.join());
  }
});

test("parseUpgradeRequest takes Upgrade and Connection in any case, in lists and several lines", () => {
  for (
    const [upgrade, ...connection] of [
      ["WebSocket", "UPGRADE"],
      ["websocket", "keep-alive, Upgrade"],
      ["websocket", "keep-alive", "upgrade"],
      ["h2c, websocket", "Upgrade, HTTP2-Settings"],
    ]
  ) {
    parseUpgradeRequest(upgradeHead([["upgrade", upgrade], ["connection", ...connection]]));
  }
});

test("parseUpgradeRequest answers 426 to a request without Upgrade: websocket", () => {
  for (const values of [[], ["h2c"]]) {
    const error = assertUpgradeRefused([["upgrade", ...values]], 426, "ERR_HANDSHAKE_UPGRADE");
    assertEquals(new Map(error.headers).get("Upgrade"), "websocket");
  }
});

test("parseUpgradeRequest refuses a Connection without upgrade (RFC 6455 §4.2.1, 4)", () => {
  for (const values of [[], [""], ["keep-alive"], ["x-upgrade"], ["upgrade;x"]]) {
    assertUpgradeRefused([["connection", ...values]], 400, "ERR_HANDSHAKE_CONNECTION");
  }
  assertUpgradeRefused([["connection"]], 400, "ERR_HANDSHAKE_CONNECTION", "Connection is missing");
});

test("parseUpgradeRequest answers 405 to a method other than GET (RFC 6455 §4.2.1, 1)", () => {
  for (const method of ["POST", "HEAD", "get", "CONNECT", "OPTIONS", "constructor"]) {
    const error = assertRefused(
      () => parseUpgradeRequest(upgradeHead([], { method })),
      405,
      "ERR_HANDSHAKE_METHOD",
      `method "${method}", expected GET`,
    );
    assertEquals(error.headers, [["Allow", "GET"]]);
  }
});

test("parseUpgradeRequest requires exactly one valid Host (RFC 6455 §4.2.1, 2)", () => {
  const hosts = [[], ["a", "a"], [""], ["a b"], ["a/b"], ["u@a"], ["a:b"], ["a:99999"], ["a,b"]];
  hosts.push(["::1"], ["[::1"], ["[a]"], ["[::1%25eth0]"], ["256.1.1.1"], ["\xe9"], ["a?"], ["a#"]);
  hosts.push([":80"], ["a\\b"], ["a%2fb"], ["a%"]);
  // A URL has another host: example.com, 127.0.0.1. A proxy compares the one that it has received.
  hosts.push(["%65xample.com"], ["a%2Ecom:80"], ["0x7f.1"], ["127.1"], ["2130706433"], [
    "01.2.3.4",
  ]);
  for (const values of hosts) {
    assertUpgradeRefused([["host", ...values]], 400, "ERR_HANDSHAKE_HOST");
  }
});

test("parseUpgradeRequest takes names, addresses and ports as Host", () => {
  for (
    const host of ["a", "A.example.", "a_b:8080", "127.0.0.1:1", "[::1]", "[2001:db8::1]:443", "a:"]
  ) {
    assertEquals(parseUpgradeRequest(upgradeHead([["host", host]])).host, host);
  }
});

test("parseUpgradeRequest takes a target in origin-form and in absolute-form", () => {
  for (
    const target of [
      "/",
      "/chat?a=b",
      "//x",
      "http://server.example.com",
      "http://SERVER.example.com:80/chat",
      "https://server.example.com:443?x",
      "ws://server.example.com:/",
      "WSS://server.example.com/chat",
    ]
  ) {
    parseUpgradeRequest(upgradeHead([], { target }));
  }
});

test("parseUpgradeRequest refuses other targets, and other hosts in them", () => {
  for (
    const target of [
      "*",
      "chat",
      "server.example.com:80",
      "http:/chat",
      "http:///chat",
      "http://",
      "ftp://server.example.com/",
      "http://other.example.com/",
      "http://server.example.com:8080/",
      "https://server.example.com:80/",
      "http://user@server.example.com/",
    ]
  ) {
    assertRefused(
      () => parseUpgradeRequest(upgradeHead([], { target })),
      400,
      "ERR_HANDSHAKE_TARGET",
      target,
    );
  }
});

test("parseUpgradeRequest requires exactly one valid Sec-WebSocket-Key (RFC 6455 §4.2.1, 5)", () => {
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  for (const values of [[], [key, key], [""], ["x"], [key.slice(0, -1)], ["c2hvcnQ="]]) {
    assertUpgradeRefused([["sec-websocket-key", ...values]], 400, "ERR_HANDSHAKE_KEY");
  }
});

test("parseUpgradeRequest answers 426 with the version to one other than 13 (RFC 6455 §4.2.2)", () => {
  for (const values of [[], [""], ["8"], ["7"], ["0"], ["14"], ["013"], ["13, 8"], ["x"]]) {
    const error = assertUpgradeRefused(
      [["sec-websocket-version", ...values]],
      426,
      "ERR_HANDSHAKE_VERSION",
    );
    assertEquals(error.headers, [["Upgrade", "websocket"], ["Sec-WebSocket-Version", "13"]]);
  }
});

test("parseUpgradeRequest refuses a second Sec-WebSocket-Version (RFC 6455 §11.3.5)", () => {
  for (const values of [["13", "13"], ["13", "8"]]) {
    assertUpgradeRefused([["sec-websocket-version", ...values]], 400, "ERR_HANDSHAKE_VERSION");
  }
});

test("parseUpgradeRequest refuses malformed Sec-WebSocket-Protocol and -Extensions", () => {
  for (const value of [",", "a b", "a, a"]) {
    assertUpgradeRefused([["sec-websocket-protocol", value]], 400, "ERR_HANDSHAKE_PROTOCOL");
  }
  assertUpgradeRefused([["sec-websocket-protocol", "a", "a"]], 400, "ERR_HANDSHAKE_PROTOCOL");
  for (const value of [",", "a b", "a;"]) {
    assertUpgradeRefused([["sec-websocket-extensions", value]], 400, "ERR_HANDSHAKE_EXTENSIONS");
  }
});

test("parseUpgradeRequest takes an empty Sec-WebSocket-Protocol or -Extensions for an absent one", () => {
  for (const values of [[""], ["", ""]]) {
    const request = parseUpgradeRequest(upgradeHead([
      ["sec-websocket-protocol", ...values],
      ["sec-websocket-extensions", ...values],
    ]));
    assertEquals([request.protocols, request.extensions], [[], []]);
  }
  const some = parseUpgradeRequest(upgradeHead([
    ["sec-websocket-protocol", "", "chat"],
    ["sec-websocket-extensions", "x", ""],
  ]));
  assertEquals(some.protocols, ["chat"]);
  assertEquals(some.extensions.map(({ name }) => name), ["x"]);
});

test("parseUpgradeRequest refuses a body, and takes a Content-Length of 0", () => {
  parseUpgradeRequest(upgradeHead([["content-length", "0"]]));
  for (const value of ["1", "00", "", "x"]) {
    assertUpgradeRefused(
      [["content-length", value]],
      400,
      "ERR_HANDSHAKE_BODY",
      "expected no body",
    );
  }
  assertUpgradeRefused([["transfer-encoding", "chunked"]], 400, "ERR_HANDSHAKE_BODY");
});

test("parseUpgradeRequest gives the Origin as it came, and refuses a second one", () => {
  for (const origin of ["https://example.com", "null", "", "nonsense"]) {
    assertEquals(parseUpgradeRequest(upgradeHead([["origin", origin]])).origin, origin);
  }
  assertUpgradeRefused([["origin", "http://a", "http://a"]], 400, "ERR_HANDSHAKE_ORIGIN");
});

test("parseUpgradeRequest shows values escaped and cut in its errors", () => {
  const error = assertUpgradeRefused(
    [["host", `"\\\r\n\xe9${"x".repeat(20_000)}`]],
    400,
    "ERR_HANDSHAKE_HOST",
    '\\"\\\\\\x0d\\x0a\\xe9xxx',
  );
  assert(error.message.length < 200);
  assertEquals(error.closeCode, 1002);
});

test("validateHttpRequest takes GET and HEAD without a body", () => {
  validateHttpRequest(plainHead([["host", "a"]]));
  validateHttpRequest(plainHead([["host", "a"], ["content-length", "0"]], { method: "HEAD" }));
  validateHttpRequest(plainHead([["host", "a"]], { target: "http://A/x" }));
});

test("validateHttpRequest answers 405 to other methods", () => {
  for (const method of ["POST", "OPTIONS", "get", "M-SEARCH"]) {
    const error = assertRefused(
      () => validateHttpRequest(plainHead([["host", "a"]], { method })),
      405,
      "ERR_HANDSHAKE_METHOD",
    );
    assertEquals(error.headers, [["Allow", "GET, HEAD"]]);
  }
});

test("validateHttpRequest refuses a wrong Host, target or body", () => {
  const refused = (code: string, fields: [string, string][], start: Partial<RequestHead> = {}) =>
    assertRefused(() => validateHttpRequest(plainHead(fields, start)), 400, code);
  refused("ERR_HANDSHAKE_HOST", []);
  refused("ERR_HANDSHAKE_HOST", [["host", "a"], ["host", "a"]]);
  refused("ERR_HANDSHAKE_HOST", [["host", ""]]);
  refused("ERR_HANDSHAKE_TARGET", [["host", "a"]], { target: "*" });
  refused("ERR_HANDSHAKE_BODY", [["host", "a"], ["content-length", "1"]]);
  refused("ERR_HANDSHAKE_BODY", [["host", "a"], ["content-length", "0"], ["content-length", "0"]]);
  refused("ERR_HANDSHAKE_BODY", [["host", "a"], ["transfer-encoding", "identity"]]);
});

test("upgradeRequired is a 426 that names the protocol (RFC 9110 §15.5.22)", () => {
  const error = upgradeRequired();
  assertEquals([error.status, error.code], [426, "ERR_HANDSHAKE_UPGRADE"]);
  assertEquals(error.headers, [["Upgrade", "websocket"], ["Sec-WebSocket-Version", "13"]]);
});

test("isUpgrade ignores the Upgrade of HTTP/1.0 (RFC 9110 §7.8)", () => {
  const head = upgradeHead();
  assert(isUpgrade(head));
  assert(!isUpgrade({ ...head, minorVersion: 0 }));
  assertRefused(
    () => parseUpgradeRequest({ ...head, minorVersion: 0 }),
    426,
    "ERR_HANDSHAKE_UPGRADE",
  );
});
