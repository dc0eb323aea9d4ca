import { parseExtensions } from "../../src/handshake/extensions_header.ts";
import { parseUpgradeResponse, upgradeRefused } from "../../src/handshake/upgrade_response.ts";
import type { UpgradeOffer } from "../../src/handshake/upgrade_response.ts";
import { HeaderList } from "../../src/http/header_list.ts";
import type { ResponseHead } from "../../src/http/response_head_parser.ts";
import { assertEquals, test } from "../harness.ts";
import { assertRefused, latin1 } from "./helpers.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** Returns the head of a valid response in which `fields` replace the fields of those names. */
function answer(
  fields: [name: string, ...values: string[]][] = [],
  start: Partial<Omit<ResponseHead, "headers">> = {},
): ResponseHead {
  const all = new Map<string, string[]>([
    ["upgrade", ["websocket"]],
    ["connection", ["Upgrade"]],
    ["sec-websocket-accept", [ACCEPT]],
  ]);
  for (const [name, ...values] of fields) all.set(name, values);
  const headers = new HeaderList();
  for (const [name, values] of all) for (const value of values) headers.append(name, value);
  return { status: 101, reason: "Switching Protocols", minorVersion: 1, headers, ...start };
}

const parse = (head: ResponseHead, offer: Partial<UpgradeOffer> = {}) =>
  parseUpgradeResponse(head, { key: KEY, ...offer });

test("parseUpgradeResponse takes the answer of RFC 6455 §1.3", () => {
  assertEquals(parse(answer()), { protocol: "", extensions: [] });
  const head = answer([["sec-websocket-protocol", "chat"]]);
  assertEquals(parse(head, { protocols: ["superchat", "chat"] }).protocol, "chat");
});

test("parseUpgradeResponse takes Upgrade and Connection in any case, and other options", () => {
  parse(answer([["upgrade", "WebSocket"], ["connection", "keep-alive", "UPGRADE"]]));
  parse(answer([["connection", "foo, upgrade"]], { reason: "", minorVersion: 2 }));
});

test("parseUpgradeResponse gives the extensions that were agreed to", () => {
  const extensions = parseExtensions("a; x=1, a, b");
  const head = answer([["sec-websocket-extensions", "b; y, a; x=2"]]);
  assertEquals(parse(head, { extensions }).extensions, [
    { name: "b", params: [["y", true]] },
    { name: "a", params: [["x", "2"]] },
  ]);
  assertEquals(parse(answer(), { extensions }).extensions, []);
});

test("upgradeRefused has the answer's status, fields and body", () => {
  const fields: [string, string][] = [["location", "https://example.com/"], ["set-cookie", "a=b"]];
  const headers = new HeaderList([...fields, ["Set-Cookie", "c=d"]]);
  const head = { status: 302, reason: "Found", minorVersion: 1, headers };
  const error = upgradeRefused(head, latin1("gone"));
  assertEquals(error.message, 'Cannot open WebSocket: status 302 "Found", expected 101: "gone"');
  assertEquals([error.status, error.code], [302, "ERR_HANDSHAKE_STATUS"]);
  assertEquals(error.headers, [...fields, ["set-cookie", "c=d"]]);
  assertEquals(error.body, latin1("gone"));
  assertEquals(upgradeRefused({ ...head, reason: "" }).body, new Uint8Array(0));
});

const bodies: [body: string, line: string][] = [
  ["", ""],
  [" \r\n\n", ""],
  ["Token expired\nat /app/auth.js", ': "Token expired"'],
  ["\r\n  Token expired \r\nRenew it", ': "Token expired"'],
  ["a\x07\x1b[31m", ': "a\\x07\\x1b[31m"'],
  ["x".repeat(100), `: "${"x".repeat(64)}"...`],
];
for (const [body, line] of bodies) {
  test(`upgradeRefused names the first line of the body ${JSON.stringify(body)}`, () => {
    const { message } = upgradeRefused(answer([], { status: 401, reason: "" }), latin1(body));
    assertEquals(message, `Cannot open WebSocket: status 401, expected 101${line}`);
  });
}

for (const status of [100, 102, 200, 204, 301, 401, 407, 426, 500, 999]) {
  test(`parseUpgradeResponse refuses status ${status}`, () => {
    const head = answer([], { status, reason: "" });
    const error = assertRefused(() => parse(head), status, "ERR_HANDSHAKE_STATUS");
    assertEquals(error.headers.length, 3);
  });
}

const offer: Partial<UpgradeOffer> = {
  protocols: ["chat", "v2"],
  extensions: [{ name: "a", params: [] }, { name: "a", params: [["x", true]] }],
};

const bad: [name: string, rule: string, field: [name: string, ...values: string[]]][] = [
  ["no Upgrade", "UPGRADE", ["upgrade"]],
  ["another Upgrade", "UPGRADE", ["upgrade", "h2c"]],
  ["an Upgrade with more in it", "UPGRADE", ["upgrade", "websocket, h2c"]],
  ["two Upgrades", "UPGRADE", ["upgrade", "websocket", "websocket"]],
  ["no Connection", "CONNECTION", ["connection"]],
  ["a Connection without upgrade", "CONNECTION", ["connection", "keep-alive, upgrades"]],
  ["no Accept", "ACCEPT", ["sec-websocket-accept"]],
  ["a wrong Accept", "ACCEPT", ["sec-websocket-accept", ACCEPT.replace("s", "t")]],
  ["an Accept in another case", "ACCEPT", ["sec-websocket-accept", ACCEPT.toLowerCase()]],
  ["an Accept with more behind it", "ACCEPT", ["sec-websocket-accept", `${ACCEPT}=`]],
  ["an empty Accept", "ACCEPT", ["sec-websocket-accept", ""]],
  ["the key for an Accept", "ACCEPT", ["sec-websocket-accept", KEY]],
  ["two Accepts", "ACCEPT", ["sec-websocket-accept", ACCEPT, ACCEPT]],
  ["a subprotocol not asked for", "PROTOCOL", ["sec-websocket-protocol", "v3"]],
  ["a subprotocol in another case", "PROTOCOL", ["sec-websocket-protocol", "Chat"]],
  ["two subprotocols", "PROTOCOL", ["sec-websocket-protocol", "chat, v2"]],
  ["two lines of subprotocols", "PROTOCOL", ["sec-websocket-protocol", "chat", "chat"]],
  ["an empty subprotocol", "PROTOCOL", ["sec-websocket-protocol", ""]],
  ["an extension not asked for", "EXTENSIONS", ["sec-websocket-extensions", "a, b"]],
  ["an extension twice", "EXTENSIONS", ["sec-websocket-extensions", "a, a; x"]],
  ["two lines of extensions", "EXTENSIONS", ["sec-websocket-extensions", "a", "a"]],
  ["malformed extensions", "EXTENSIONS", ["sec-websocket-extensions", "a; =1"]],
  ["an empty list of extensions", "EXTENSIONS", ["sec-websocket-extensions", ""]],
  ["control characters", "UPGRADE", ["upgrade", "\x1b[2J\u00e9"]],
];

for (const [name, rule, field] of bad) {
  test(`parseUpgradeResponse refuses ${name}`, () => {
    const head = answer([field]);
    const error = assertRefused(() => parse(head, offer), 101, `ERR_HANDSHAKE_${rule}`);
    assertEquals(error.headers, [...head.headers]);
  });
}

test("parseUpgradeResponse refuses a subprotocol and an extension where none is asked for", () => {
  const protocol = answer([["sec-websocket-protocol", "chat"]]);
  assertRefused(() => parse(protocol), 101, "ERR_HANDSHAKE_PROTOCOL", "expected none");
  const extension = answer([["sec-websocket-extensions", "permessage-deflate"]]);
  assertRefused(() => parse(extension), 101, "ERR_HANDSHAKE_EXTENSIONS", "was not offered");
});

test("parseUpgradeResponse refuses HTTP/1.0", () => {
  assertRefused(() => parse(answer([], { minorVersion: 0 })), 101, "ERR_HANDSHAKE_HTTP_VERSION");
});
