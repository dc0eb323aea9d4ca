import { readFile } from "node:fs/promises";
import * as root from "@sluice/websocket";
import * as browser from "@sluice/websocket/browser";
import * as cli from "@sluice/websocket/cli";
import * as extensions from "@sluice/websocket/extensions";
import * as handshake from "@sluice/websocket/handshake";
import * as protocol from "@sluice/websocket/protocol";
import * as streams from "@sluice/websocket/streams";
import * as topics from "@sluice/websocket/topics";
import * as testing from "@sluice/websocket/testing";
import * as transport from "@sluice/websocket/transport";
import { assert, assertEquals, test } from "./harness.ts";

test("each entry of the package exports what its README and its docs name", () => {
  const entries: [module: Record<string, unknown>, names: string[]][] = [
    [root, [
      "serve",
      "accept",
      "connect",
      "relay",
      "prometheus",
      "instrument",
      "WebSocketConnection",
      "CloseCode",
      "HandshakeError",
    ]],
    [browser, ["ReconnectingWebSocket", "openFeed", "FrameDecoderStream", "isFinalClose"]],
    [extensions, ["PerMessageDeflate", "acceptOffers", "acceptResponses", "useExtensions"]],
    [handshake, ["RequestHeadParser", "parseUpgradeRequest", "writeUpgradeResponse"]],
    [protocol, ["FrameDecoder", "MessageAssembler", "MessagePartDecoder", "FrameEncoder"]],
    [streams, ["FrameDecoderStream", "MessageAssemblerStream", "FrameEncoderStream"]],
    [topics, ["topics"]],
    [testing, ["testPair"]],
    [cli, ["main"]],
    [transport, ["listen", "memoryPair", "bunSocketHandler"]],
  ];
  for (const [module, names] of entries) {
    for (const name of names) assert(name in module, name);
  }
});

test("the package has what JSR scores: a description, a README, and an example for each entry", async () => {
  // Documented symbols and slow types are checked by `deno doc --lint` and `deno publish --dry-run`.
  const read = (path: string) => readFile(new URL(`../${path}`, import.meta.url), "utf8");
  const { description, exports } = JSON.parse(await read("deno.json"));
  assert(description.length > 20 && description.length <= 250, description);
  assert((await read("README.md")).includes("```ts"));
  assertEquals(Object.keys(exports).length, 10);
  for (const path of Object.values<string>(exports)) {
    const [moduleDoc = ""] = /^\/\*\*.*?\*\//s.exec(await read(path)) ?? [];
    assert(/^ \* @module$/m.test(moduleDoc), `${path} begins with the documentation of the module`);
    assert(/^ \* ```(?:ts|sh)/m.test(moduleDoc), `${path} has an example`);
  }
});

test("the entries share one module for each name", () => {
  const shared = Object.entries(root).filter(([name]) => name in protocol || name in streams);
  assert(shared.length > 5);
  for (const [name, value] of shared) {
    assertEquals((name in protocol ? protocol : streams)[name as never] === value, true, name);
  }
});

test("the handshake entry exports what a handshake by hand needs, and no more", () => {
  assertEquals(Object.keys(handshake).sort(), [
    "HandshakeError",
    "HeaderList",
    "RequestHeadParser",
    "ResponseHeadParser",
    "WebSocketError",
    "chooseProtocol",
    "computeAcceptKey",
    "createKey",
    "createOriginCheck",
    "isUpgrade",
    "parseUpgradeRequest",
    "parseUpgradeResponse",
    "parseWebSocketUrl",
    "serializeExtensions",
    "upgradeRequestFields",
    "upgradeRequired",
    "writeErrorResponse",
    "writeRequest",
    "writeUpgradeResponse",
  ]);
});
