import { SharedFrameEncoder } from "../../src/protocol/shared_frame_encoder.ts";
import type { SharedFrame } from "../../src/protocol/shared_frame_encoder.ts";
import { Opcode } from "../../src/protocol/opcode.ts";
import { assert, assertEquals, assertThrows, test, toHex } from "../harness.ts";
import { randomBytes } from "./frames.ts";

const text = ({ block, start, end }: SharedFrame) => toHex(block.subarray(start, end));

test("SharedFrameEncoder puts successive frames one behind the other in one block", () => {
  const encoder = new SharedFrameEncoder();
  const frames = [
    encoder.encode("A"),
    encoder.encode(new Uint8Array([7])),
    encoder.encode({ opcode: Opcode.Text, rsv1: true, payload: new Uint8Array([1, 2]) }),
  ];
  assertEquals(frames.map(text), ["81 01 41", "82 01 07", "c1 02 01 02"]);
  assertEquals(frames.map(({ start, end }) => [start, end]), [[0, 3], [3, 6], [6, 10]]);
  assert(frames.every(({ block }) => block === frames[0]!.block), "one block");
});

test("SharedFrameEncoder never writes over a frame that it has returned", () => {
  const encoder = new SharedFrameEncoder();
  const messages = Array.from({ length: 40 }, (_, i) => randomBytes(1000, i + 1));
  const frames = messages.map((message) => encoder.encode(message));
  for (const [i, { block, start, end }] of frames.entries()) {
    assertEquals(block.subarray(start + 4, end), messages[i]!);
  }
  // 16 frames of 1,004 bytes fit in a block of 16 KiB.
  assertEquals(new Set(frames.map(({ block }) => block)).size, 3);
});

test("SharedFrameEncoder gives a large message a block of its size", () => {
  const encoder = new SharedFrameEncoder();
  const before = encoder.encode("A");
  const large = randomBytes(4096);
  const { block, start, end } = encoder.encode(large);
  assertEquals([block.buffer.byteLength, start, end], [4100, 0, 4100]);
  assertEquals(block.subarray(4), large);
  const after = encoder.encode("B");
  assertEquals([after.block === before.block, after.start], [true, before.end]);
});

test("SharedFrameEncoder throws for a frame that violates RFC 6455 §5, and encodes the next one", () => {
  const encoder = new SharedFrameEncoder();
  assertThrows(() => encoder.encode({ opcode: Opcode.Ping, fin: false }), TypeError, "fragmented");
  assertEquals(text(encoder.encode("A")), "81 01 41");
});
