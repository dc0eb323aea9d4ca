import { constants, deflateRawSync } from "node:zlib";
import { Opcode } from "../../src/protocol/opcode.ts";
import { assert, assertEquals, hex, test } from "../harness.ts";
import { join, utf8 } from "../support/bytes.ts";
import { randomBytes, sameBytes } from "../protocol/frames.ts";
import {
  compressed,
  CONTEXTS,
  farthestMatch,
  json,
  makeDeflate,
  Receiver,
} from "./deflate_helpers.ts";
import { readBlocks } from "./deflate_reader.ts";

const { Z_SYNC_FLUSH, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE } = constants;
const HEADER = hex("00");

/** Compresses `bytes` up to a flush, whose last 4 octets are included. */
function blocks(bytes: Uint8Array, options: object): Uint8Array {
  return new Uint8Array(deflateRawSync(bytes, { finishFlush: Z_SYNC_FLUSH, ...options }));
}

const text = utf8(json(20_000));
const kinds: [name: string, stream: Uint8Array, type: string][] = [
  ["stored", blocks(text, { level: 0 }), "stored"],
  ["fixed", blocks(text, { strategy: Z_FIXED }), "fixed"],
  ["dynamic", blocks(text, { level: 9, memLevel: 9 }), "dynamic"],
  ["many dynamic", blocks(text, { memLevel: 1 }), "dynamic"],
  ["Huffman only", blocks(text, { strategy: Z_HUFFMAN_ONLY }), "dynamic"],
  ["run-length", blocks(text, { strategy: Z_RLE }), "dynamic"],
];
/** Streams that end with a final block, at a byte boundary. */
const finals: [name: string, stream: Uint8Array, type: string][] = [
  ["stored", new Uint8Array(deflateRawSync(text, { level: 0 })), "stored"],
  ["fixed", new Uint8Array(deflateRawSync(text, { strategy: Z_FIXED })), "fixed"],
  ["dynamic", new Uint8Array(deflateRawSync(text, { level: 9 })), "dynamic"],
];
/** RFC 7692 §7.2.3.2: "Hello", and "Hello" again by reference. */
const HELLO = hex("f2 48 cd c9 c9 07 00");
const HELLO_AGAIN = hex("f2 00 11 00 00");

for (const [name, takesContextOver] of CONTEXTS) {
  for (const [kind, stream, type] of kinds) {
    test(`Inflater (${name}) accepts ${kind} blocks`, () => {
      assert(readBlocks(stream).some((block) => block.type === type && block.length > 100));
      const receiver = new Receiver(makeDeflate({ takesContextOver }));
      receiver.take(compressed([stream.subarray(0, -4)], Opcode.Binary));
      receiver.take(compressed([stream.subarray(0, -4)], Opcode.Binary));
      for (const message of receiver.messages) assert(sameBytes(message as Uint8Array, text));
      assertEquals(receiver.messages.length, 2);
    });
  }

  test(`Inflater (${name}) accepts a final block a byte a fragment, and one at the end of a fragment`, () => {
    const receiver = new Receiver(makeDeflate({ takesContextOver }));
    const final = hex("f3 48 cd c9 c9 07 00 00");
    receiver.take(compressed(Array.from(final, (byte) => new Uint8Array([byte]))));
    receiver.take(compressed([final.subarray(0, 7), HELLO_AGAIN]));
    receiver.take(compressed([final.subarray(0, 7), new Uint8Array(0), final]));
    assertEquals(receiver.messages, ["Hello", "HelloHello", "HelloHello"]);
  });

  test(`Inflater (${name}) accepts a flush's tail that is split across fragments`, () => {
    const stream = join(HELLO, hex("00 00 ff ff"), HELLO_AGAIN);
    for (let at = 1; at < stream.length; at++) {
      const receiver = new Receiver(makeDeflate({ takesContextOver }));
      receiver.take(compressed([stream.slice(0, at), stream.slice(at)]));
      assertEquals(receiver.messages, ["HelloHello"]);
    }
  });

  test(`Inflater (${name}) accepts messages of empty blocks`, () => {
    const emptyStored = hex("00 00 00 ff ff");
    const receiver = new Receiver(makeDeflate({ takesContextOver }));
    receiver.take(compressed([join(emptyStored, emptyStored, HEADER)]));
    receiver.take(compressed([join(emptyStored, HELLO)]));
    receiver.take(compressed([new Uint8Array(0), HEADER]));
    receiver.take(compressed([HEADER, new Uint8Array(0)]));
    assertEquals(receiver.messages, ["", "Hello", "", ""]);
  });
}

for (const [kind, stream, type] of finals) {
  test(`Inflater accepts final ${kind} blocks, and continues with the context`, () => {
    const last = readBlocks(stream).at(-1)!;
    assertEquals([last.isFinal, last.type], [true, type]);
    const receiver = new Receiver(makeDeflate());
    receiver.take(compressed([HELLO]));
    // "Hello" is the last 5 bytes before this message.
    receiver.take(compressed([join(stream, HEADER)], Opcode.Binary));
    receiver.take(compressed([HELLO]));
    receiver.take(compressed([HELLO_AGAIN]));
    // Both in one message, with a final block in the middle.
    receiver.take(
      compressed([join(stream, HELLO, hex("00 00 ff ff"), stream, HEADER)], Opcode.Binary),
    );
    const [, first, , again, both] = receiver.messages;
    assert(sameBytes(first as Uint8Array, text));
    assertEquals(again, "Hello");
    assert(sameBytes(both as Uint8Array, join(text, utf8("Hello"), text)));
  });
}

test(`Inflater keeps all of the window over a final block`, () => {
  // 32 KiB that cannot be compressed, then a reference to their start, 32768 bytes back.
  for (const windowBits of [9, 12, 15]) {
    const size = 1 << windowBits;
    const noise = randomBytes(size, windowBits);
    const stored = new Uint8Array(deflateRawSync(noise, { level: 0 }));
    const receiver = new Receiver(makeDeflate({ windowBits }));
    receiver.take(compressed([join(stored, HEADER)], Opcode.Binary));
    receiver.take(compressed([join(farthestMatch(windowBits), HEADER)], Opcode.Binary));
    assert(sameBytes(receiver.messages[0] as Uint8Array, noise));
    assertEquals(receiver.messages[1], noise.slice(0, 3));
  }
});
