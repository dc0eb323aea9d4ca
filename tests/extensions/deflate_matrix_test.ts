import {
  acceptOffers,
  acceptResponses,
  PerMessageDeflate,
  useExtensions,
} from "@sluice/websocket/extensions";
import type { ExtensionInUse, PerMessageDeflateOptions } from "@sluice/websocket/extensions";
import type { Message } from "../../src/protocol/message.ts";
import { assert, assertEquals, test } from "../harness.ts";
import { assertMessages, cut, random } from "../protocol/frames.ts";
import { join, utf8 } from "../support/bytes.ts";
import {
  CONTEXTS,
  corpus,
  encode,
  inflateIndependently,
  makeDeflate,
  Receiver,
  sendAll,
  toFrames,
} from "./deflate_helpers.ts";

const SIZES = [
  0,
  1,
  100,
  125,
  126,
  1000,
  1024,
  5000,
  65535,
  65536,
  100_000,
  262_144,
  30,
  4096,
  700,
];

/** Returns the extension at both ends, after a negotiation. */
function connect(
  options: PerMessageDeflateOptions,
): { client: ExtensionInUse; server: ExtensionInUse } {
  const own = [new PerMessageDeflate({ threshold: 0, ...options })];
  const agreements = acceptOffers(own, own[0]!.offers());
  const use = { maxMessageSize: 300_000 };
  const server = useExtensions(agreements, use)!;
  const client = useExtensions(acceptResponses(own, agreements.map((a) => a.response)), use)!;
  return { client, server };
}

/** Sends the messages, some of them in fragments, and returns those that arrive. */
function transfer(from: ExtensionInUse, to: ExtensionInUse, messages: Message[]): Message[] {
  const next = random(messages.length);
  const receiver = new Receiver(to);
  for (const message of messages) {
    const frames = toFrames(message, message.length > 3 && next() % 3 === 0 ? 1 + next() % 4 : 1);
    for (
      const chunk of cut(encode(sendAll(from, frames)), next() % 2 ? "whole" : "random chunks")
    ) {
      receiver.take(chunk);
    }
  }
  return receiver.messages;
}

let seed = 0;
for (const serverNoContextTakeover of [false, true]) {
  for (const clientNoContextTakeover of [false, true]) {
    for (
      const [serverMaxWindowBits, clientMaxWindowBits] of [[9, 15], [12, 12], [15, 9], [10, 8]]
    ) {
      const options = {
        serverNoContextTakeover,
        clientNoContextTakeover,
        serverMaxWindowBits: serverMaxWindowBits!,
        clientMaxWindowBits: clientMaxWindowBits!,
      };
      const messages = corpus(++seed, SIZES);
      test(`PerMessageDeflate round-trips a corpus with ${JSON.stringify(options)}`, () => {
        const { client, server } = connect({
          ...options,
          level: 1 + seed % 9,
          memLevel: 1 + seed % 9,
        });
        assertMessages(transfer(client, server, messages), messages);
        assertMessages(transfer(server, client, messages), messages);
        client.close();
        server.close();
      });
    }
  }
}

test("PerMessageDeflate with its defaults round-trips in both directions of one connection", () => {
  const { client, server } = connect({});
  for (let i = 0; i < 20; i++) {
    const messages = corpus(100 + i, [1200, 20, 3000]);
    assertMessages(transfer(client, server, messages), messages);
    assertMessages(transfer(server, client, messages), messages);
  }
  client.close();
  server.close();
});

for (const [name, takesContextOver] of CONTEXTS) {
  test(`Deflater (${name}) is understood by zlib itself`, () => {
    const deflate = makeDeflate({ takesContextOver, windowBits: 11, memLevel: 3 });
    const messages = corpus(7, SIZES.filter((size) => size > 0));
    const payloads = messages.map((message) => sendAll(deflate, toFrames(message))[0]!.payload!);
    deflate.close();
    const whole = join(...messages.map((m) => typeof m === "string" ? utf8(m) : m));
    assertEquals(inflateIndependently(payloads).length, whole.length);
    assert(inflateIndependently(payloads).every((byte, i) => byte === whole[i]));
    if (takesContextOver) return;
    // Each one alone, since none refers to another.
    for (const [i, payload] of payloads.entries()) {
      const message = messages[i]!;
      const bytes = typeof message === "string" ? utf8(message) : message;
      assertEquals(inflateIndependently([payload]).length, bytes.length);
    }
  });
}

test("PerMessageDeflate keeps contexts between messages, unless that was negotiated away", () => {
  const text = "A context is what the messages before have left behind. ".repeat(3);
  const sizes = (deflate: ExtensionInUse) =>
    [1, 2, 3].map(() => sendAll(deflate, toFrames(text))[0]!.payload!.length);
  const kept = connect({});
  const [first, second, third] = sizes(kept.client) as [number, number, number];
  assert(second < first / 3 && third < first / 3, `${first}, ${second}, ${third}`);
  const dropped = connect({ serverNoContextTakeover: true });
  assertEquals(new Set(sizes(dropped.server)).size, 1);
  assertEquals(new Set(sizes(dropped.client)).size, 2);
  for (const end of [kept.client, kept.server, dropped.client, dropped.server]) end.close();
});

for (const [name, takesContextOver] of CONTEXTS) {
  test(`Inflater (${name}) understands a sender without context takeover`, () => {
    const messages = corpus(12, SIZES);
    const ends = [makeDeflate({ takesContextOver: false }), makeDeflate({ takesContextOver })];
    assertMessages(transfer(ends[0]!, ends[1]!, messages), messages);
    for (const end of ends) end.close();
  });
}
