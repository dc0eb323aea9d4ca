import { assertEquals, hex, test, toHex } from "../harness.ts";
import { CHUNKINGS, cut } from "../protocol/frames.ts";
import { CONTEXTS, encode, makeDeflate, Receiver, sendAll, toFrames } from "./deflate_helpers.ts";
import { Opcode } from "../../src/protocol/opcode.ts";

/** The examples of RFC 7692 §7.2.3 that are whole messages, octet for octet. */
const examples: [name: string, bytes: string, messages: string[], needsContext?: boolean][] = [
  ["§7.2.3.1 one compressed block", "c1 07 f2 48 cd c9 c9 07 00", ["Hello"]],
  ["§7.2.3.1 one block in two fragments", "41 03 f2 48 cd 80 04 c9 c9 07 00", ["Hello"]],
  [
    "§7.2.3.2 sharing the LZ77 window",
    "c1 07 f2 48 cd c9 c9 07 00 c1 05 f2 00 11 00 00",
    ["Hello", "Hello"],
    true,
  ],
  [
    "§7.2.3.3 a block with no compression",
    "c1 0b 00 05 00 fa ff 48 65 6c 6c 6f 00",
    ["Hello"],
  ],
  ["§7.2.3.4 a block with BFINAL set to 1", "c1 08 f3 48 cd c9 c9 07 00 00", ["Hello"]],
  [
    "§7.2.3.5 two blocks in one message",
    "c1 0d f2 48 05 00 00 00 ff ff ca c9 c9 07 00",
    ["Hello"],
  ],
  ["§7.2.1 a last block, empty, with BFINAL set to 1", "c1 07 f2 48 cd c9 c9 07 04", ["Hello"]],
  ["§7.2.3.6 an empty fragment", "c1 01 00", [""]],
  [
    "all of them, on one connection",
    "c1 07 f2 48 cd c9 c9 07 00 41 03 f2 48 cd 80 04 c9 c9 07 00 c1 08 f3 48 cd c9 c9 07 00 00" +
    "c1 05 f2 00 11 00 00 c1 01 00 c1 0b 00 05 00 fa ff 48 65 6c 6c 6f 00 c1 05 f2 00 11 00 00",
    ["Hello", "Hello", "Hello", "Hello", "", "Hello", "Hello"],
    true,
  ],
];

for (const [contextName, takesContextOver] of CONTEXTS) {
  for (const [name, bytes, messages, needsContext] of examples) {
    if (needsContext && !takesContextOver) continue;
    test(`PerMessageDeflateCodec (${contextName}) receives RFC 7692 ${name}`, () => {
      for (const chunking of CHUNKINGS) {
        const receiver = new Receiver(makeDeflate({ takesContextOver }));
        for (const chunk of cut(hex(bytes), chunking)) receiver.take(chunk);
        assertEquals(receiver.messages, messages, chunking);
      }
    });
  }
}

test("PerMessageDeflateCodec sends RFC 7692 §7.2.3.1 and §7.2.3.2, octet for octet", () => {
  const deflate = makeDeflate();
  const first = sendAll(deflate, toFrames("Hello"));
  assertEquals(toHex(encode(first)), "c1 07 f2 48 cd c9 c9 07 00");
  const second = sendAll(deflate, toFrames("Hello"));
  assertEquals(toHex(encode(second)), "c1 05 f2 00 11 00 00");
  deflate.close();
});

test("PerMessageDeflateCodec without context takeover sends every message as §7.2.3.1's", () => {
  const deflate = makeDeflate({ takesContextOver: false });
  for (let i = 0; i < 3; i++) {
    const sent = sendAll(deflate, toFrames("Hello"));
    assertEquals(toHex(encode(sent)), "c1 07 f2 48 cd c9 c9 07 00");
  }
  deflate.close();
});

test("PerMessageDeflateCodec sends fragments of which only the first has RSV1, only the last no tail", () => {
  const deflate = makeDeflate();
  const sent = sendAll(deflate, toFrames("Hello", 2));
  assertEquals(toHex(encode(sent)), "41 09 f2 48 cd 01 00 00 00 ff ff 80 04 ca c9 07 00");
  const receiver = new Receiver(deflate);
  receiver.take(encode(sent));
  // An empty last fragment: RFC 7692 §7.2.3.6.
  const open = toFrames("Hello", 2).map((frame) => ({ ...frame, fin: false }));
  const third = sendAll(deflate, [...open, { opcode: Opcode.Continuation }]);
  assertEquals(toHex(encode(third.slice(2))), "80 01 00");
  receiver.take(encode(third));
  assertEquals(receiver.messages, ["Hello", "Hello"]);
  deflate.close();
});
