// Offers and responses of permessage-deflate that other implementations make, each as a named case.
import { PerMessageDeflate } from "@sluice/websocket/extensions";
import type { ExtensionInUse, PerMessageDeflateOptions } from "@sluice/websocket/extensions";
import { parseExtensions, serializeExtensions } from "../../src/handshake/extensions_header.ts";
import { assert, assertEquals, test } from "../harness.ts";
import { join } from "../support/bytes.ts";
import { randomBytes } from "../protocol/frames.ts";
import { sendAll, toFrames } from "./deflate_helpers.ts";
import { readBlocks } from "./deflate_reader.ts";

const PMD = "permessage-deflate";

/** Returns the largest distance of a match in what the extension sends. */
function farthest(extension: ExtensionInUse): number {
  // A repetition within reach of each window; zlib reaches 262 bytes less than the whole window.
  const parts = [9, 10, 11, 12, 13, 14, 15].flatMap((bits) => {
    const bytes = randomBytes((1 << bits) - 300, bits);
    return [bytes, bytes];
  });
  const [frame] = sendAll(extension, toFrames(join(...parts)));
  extension.close();
  const stream = join(frame!.payload!, new Uint8Array([0x00, 0x00, 0xff, 0xff]));
  return Math.max(...readBlocks(stream).map(({ distance }) => distance));
}

/** Responses that servers give to the offers of a client with these options. */
const responses: [server: string, options: PerMessageDeflateOptions, response: string][] = [
  ...["faye", "Mojolicious", "Jetty 9.4", "websocketpp 0.8", "Haskell websockets 0.12"].map(
    (server): [string, PerMessageDeflateOptions, string] => [
      server,
      { serverMaxWindowBits: 15 },
      PMD,
    ],
  ),
  ["nhooyr 1.8.7", { serverMaxWindowBits: 15 }, PMD],
  ["Autobahn's fuzzing server", {}, `${PMD}; client_max_window_bits=15`],
  [
    "Autobahn's fuzzing server",
    {},
    `${PMD}; server_max_window_bits=9; client_max_window_bits=15; server_no_context_takeover`,
  ],
  ["Autobahn's fuzzing server", { clientMaxWindowBits: 9 }, `${PMD}; client_max_window_bits=15`],
];

for (const [server, options, response] of responses) {
  const given = JSON.stringify(options);
  test(`PerMessageDeflate ${given} accepts "${response}" of ${server}`, () => {
    const deflate = new PerMessageDeflate(options);
    const agreement = deflate.acceptResponse(parseExtensions(response)[0]!);
    assertEquals(serializeExtensions([agreement.response]), response);
    // RFC 7692 §7.1.2.2: the client "is not going to use an LZ77 sliding window size greater than the
    // size specified by the value in the extension negotiation offer".
    const bits = options.clientMaxWindowBits ?? 12;
    const distance = farthest(agreement.use({ maxMessageSize: Infinity }));
    assert(distance > 1 << (bits - 2) && distance <= 1 << bits, `${distance} back`);
  });
}

test("PerMessageDeflate offers nhooyr 1.8.7 and others no server_max_window_bits if it is 15", () => {
  const deflate = new PerMessageDeflate({ serverMaxWindowBits: 15 });
  assertEquals(serializeExtensions(deflate.offers()), `${PMD}; client_max_window_bits=12`);
});

test("PerMessageDeflate sends nhooyr 1.8.7 as a client no server_max_window_bits that it did not offer", () => {
  const offer = `${PMD}; client_no_context_takeover; server_no_context_takeover`;
  const deflate = new PerMessageDeflate({ announceServerMaxWindowBits: false });
  const agreement = deflate.acceptOffer(parseExtensions(offer)[0]!)!;
  assertEquals(
    serializeExtensions([agreement.response]),
    `${PMD}; server_no_context_takeover; client_no_context_takeover`,
  );
  // The smaller window is used all the same.
  const distance = farthest(agreement.use());
  assert(distance > 1 << 10 && distance <= 1 << 12, `${distance} back`);
});
