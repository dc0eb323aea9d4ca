import { isValidKey } from "../../src/handshake/accept_key.ts";
import { parseUpgradeRequest } from "../../src/handshake/upgrade_request.ts";
import { createKey, upgradeRequestFields } from "../../src/handshake/upgrade_request_writer.ts";
import type { UpgradeRequestInit } from "../../src/handshake/upgrade_request_writer.ts";
import { RequestHeadParser } from "../../src/http/request_head_parser.ts";
import { writeRequest } from "../../src/http/request_writer.ts";
import { assertEquals, assertThrows, test } from "../harness.ts";
import { fromLatin1 } from "../support/bytes.ts";
import { SAMPLE } from "./helpers.ts";

const BASE: UpgradeRequestInit = { host: "server.example.com", key: "dGhlIHNhbXBsZSBub25jZQ==" };

const write = (init: Partial<UpgradeRequestInit>, target = "/chat") =>
  fromLatin1(writeRequest("GET", target, upgradeRequestFields({ ...BASE, ...init })));

test("createKey makes 16 random bytes in base64, another each time", () => {
  const keys = new Set(Array.from({ length: 100 }, createKey));
  assertEquals(keys.size, 100);
  assertEquals([...keys].every(isValidKey), true);
});

test("upgradeRequestFields and writeRequest write the request of RFC 6455 §1.2", () => {
  const text = write({ origin: "http://example.com", protocols: ["chat", "superchat"] });
  const lines = (text: string) => text.split("\r\n").sort();
  assertEquals(lines(text), lines(SAMPLE));
  assertEquals(text.startsWith("GET /chat HTTP/1.1\r\nHost: server.example.com\r\n"), true);
  assertEquals(text.endsWith("\r\n\r\n"), true);
});

test("upgradeRequestFields leaves out what is not asked for", () => {
  const nothing = { protocols: [], extensions: "", origin: undefined, headers: {} };
  assertEquals(write(nothing), write({}));
  assertEquals(upgradeRequestFields(BASE).map(([name]) => name), [
    "Host",
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
  ]);
});

test("upgradeRequestFields takes headers of any kind, and keeps repeated ones", () => {
  const cookies: [string, string][] = [["Cookie", "a=1"], ["X-A", "caf\xe9"], ["X-A", ""]];
  for (const headers of [cookies, new Map(cookies.slice(0, 1)), { Cookie: "a=1" }]) {
    const text = write({ extensions: "x; y=1", headers });
    assertEquals(text.includes("\r\nSec-WebSocket-Extensions: x; y=1\r\nCookie: a=1\r\n"), true);
  }
  assertEquals(write({ headers: cookies }).endsWith("\r\nX-A: caf\xe9\r\nX-A: \r\n\r\n"), true);
  const own = write({ headers: new Headers({ Cookie: "a=1" }) });
  assertEquals(own.endsWith("\r\ncookie: a=1\r\n\r\n"), true);
});

test("upgradeRequestFields writes the caller's Host in place of its own", () => {
  const fields = upgradeRequestFields({ ...BASE, headers: { A: "b", HOST: "other.test:8080" } });
  assertEquals(fields.filter(([name]) => name.toLowerCase() === "host"), [
    ["Host", "other.test:8080"],
  ]);
  assertEquals(fields[0][0], "Host");
  for (const headers of [[["Host", ""]], [["Host", "a b"]], [["Host", "a"], ["host", "a"]]]) {
    assertThrows(() => upgradeRequestFields({ ...BASE, headers }), TypeError, "header Host");
  }
});

test("upgradeRequestFields writes the Authorization, unless the headers have one", () => {
  const authorization = "Basic YTpi";
  assertEquals(write({ authorization }).includes("\r\nAuthorization: Basic YTpi\r\n"), true);
  const text = write({ authorization, headers: { AUTHORIZATION: "Bearer x" } });
  assertEquals(text.match(/authorization: \S+/gi), ["AUTHORIZATION: Bearer"]);
});

test("upgradeRequestFields refuses the handshake's own fields, and those of a connection", () => {
  const names = ["Origin", "UPGRADE", "Connection", "Sec-WebSocket-Key", "Content-Length"];
  names.push(
    "sec-websocket-anything",
    "Transfer-Encoding",
    "TE",
    "Keep-Alive",
    "Expect",
    "Trailer",
  );
  for (const name of names) {
    const fields = () => upgradeRequestFields({ ...BASE, headers: { [name]: "x" } });
    assertThrows(fields, TypeError, `"${name}": the handshake writes it`);
  }
});

test("upgradeRequestFields refuses what would end a line", () => {
  for (const bad of ["a\r\nb", "a\nb", "a\rb", "a\0b", "a\x7fb", "\u2603"]) {
    const wrong: Partial<UpgradeRequestInit>[] = [
      { headers: { "X-A": bad } },
      { headers: { [`X${bad}`]: "a" } },
      { headers: [["X-A", "a", bad]] },
      { origin: bad },
      { host: bad },
      { key: bad },
      { extensions: bad },
      { authorization: bad },
    ];
    for (const init of wrong) {
      assertThrows(() => upgradeRequestFields({ ...BASE, ...init }), TypeError, "Cannot write");
    }
  }
  assertThrows(() => upgradeRequestFields({ ...BASE, headers: { "": "x" } }), TypeError);
});

test("upgradeRequestFields refuses a subprotocol that is no token, or is there twice", () => {
  for (const protocols of [[""], ["a b"], ["a,b"], ["caf\xe9"], ["a\r\nb"], ["a", "b", "a"]]) {
    const error = assertThrows(() => upgradeRequestFields({ ...BASE, protocols }), DOMException);
    assertEquals(error.name, "SyntaxError");
  }
  upgradeRequestFields({ ...BASE, protocols: ["a", "A"] });
});

test("parseUpgradeRequest takes what writeRequest writes", () => {
  const fields = upgradeRequestFields({
    host: "[::1]:8080",
    key: createKey(),
    protocols: ["a", "b"],
    extensions: "x; y",
    origin: "https://example.com",
  });
  const bytes = writeRequest("GET", "/chat?a=b|c", fields);
  const parser = new RequestHeadParser();
  assertEquals(parser.push(bytes), bytes.length);
  const request = parseUpgradeRequest(parser.head!);
  assertEquals([request.host, request.origin], ["[::1]:8080", "https://example.com"]);
  assertEquals(request.protocols, ["a", "b"]);
  assertEquals(request.extensions, [{ name: "x", params: [["y", true]] }]);
});
