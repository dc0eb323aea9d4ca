import "../../src/protocol/provide_fast_paths.ts";
import type { Frame } from "../../src/protocol/frame.ts";
import { FrameDecoder } from "../../src/protocol/frame_decoder.ts";
import type { FrameDecoderOptions } from "../../src/protocol/frame_parser.ts";
import type { Message, PayloadMode } from "../../src/protocol/message.ts";
import { MessageAssembler } from "../../src/protocol/message_assembler.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";
import { join } from "../support/bytes.ts";
import { rawFrame } from "../support/frames.ts";
import { randomBytes, ROLES, sameBytes } from "./frames.ts";

const SIZES = [0, 5, 125, 126, 4095, 4096, 70_000];

/** Returns a chunk of one binary frame of each size, as sent to `role`. */
function chunkOf(role: "server" | "client"): Uint8Array<ArrayBuffer> {
  const frames = SIZES.map((size) =>
    rawFrame({ first: 0x82, payload: randomBytes(size, size) }, role)
  );
  return join(...frames);
}

/** Decodes a chunk into messages, and passes each to `take` while it is valid. */
function decode(
  chunk: Uint8Array,
  options: FrameDecoderOptions,
  take: (message: Uint8Array) => void,
): void {
  const decoder = new FrameDecoder(options);
  const payload: PayloadMode = options.payload ?? "shared";
  const assembler = new MessageAssembler({ payload });
  const sink = { enqueue: (message: Message) => take(message as Uint8Array) };
  decoder.transform(chunk, { enqueue: (frame) => assembler.transform(frame, sink) });
}

for (const role of ROLES) {
  for (const chunks of ["given", "lent", "kept"] as const) {
    test(`FrameDecoder as a ${role} passes on owned messages with buffers of their own, chunks ${chunks}`, () => {
      const messages: Uint8Array[] = [];
      const options = { role, chunks, payload: "owned" as const };
      decode(chunkOf(role), options, (message) => messages.push(message));
      assertEquals(messages.map(({ length }) => length), SIZES);
      for (const [i, message] of messages.entries()) {
        assertEquals([message.byteOffset, message.buffer.byteLength], [0, SIZES[i]!]);
        assert(sameBytes(message, randomBytes(SIZES[i]!, SIZES[i]!)));
      }
      assertEquals(new Set(messages.map(({ buffer }) => buffer)).size, SIZES.length);
    });
  }

  for (const chunks of ["given", "lent"] as const) {
    test(`FrameDecoder as a ${role} passes on borrowed messages as views of the chunk, ${chunks}`, () => {
      const chunk = chunkOf(role);
      let count = 0;
      decode(chunk, { role, chunks, payload: "borrowed" }, (message) => {
        const isView = message.length === 0 || message.buffer === chunk.buffer;
        assert(isView, `${message.length} bytes are copied`);
        assert(sameBytes(message, randomBytes(SIZES[count]!, SIZES[count]!)));
        count++;
      });
      assertEquals(count, SIZES.length);
    });
  }

  test(`FrameDecoder as a ${role} copies a lent chunk once for all shared messages in it`, () => {
    const chunk = chunkOf(role);
    const messages: Uint8Array[] = [];
    decode(chunk, { role, chunks: "lent" }, (message) => messages.push(message));
    chunk.fill(0xff);
    const buffers = messages.filter(({ length }) => length > 0).map(({ buffer }) => buffer);
    assertEquals(new Set(buffers).size, 1);
    for (const [i, message] of messages.entries()) {
      assert(sameBytes(message, randomBytes(SIZES[i]!, SIZES[i]!)));
    }
  });
}

test("FrameDecoder gathers the copies of short chunks that are lent, and none is overwritten", () => {
  const decoder = new FrameDecoder({ role: "client", chunks: "lent" });
  const messages: Uint8Array[] = [];
  const sink = {
    enqueue: (frame: Frame) => void messages.push(frame.payload),
  };
  const payload = (i: number) => randomBytes(16 + i % 5, i);
  const receive = (i: number) => {
    const chunk = rawFrame({ first: 0x82, payload: payload(i) }, "client");
    decoder.transform(chunk, sink);
    chunk.fill(0xff);
  };
  for (let i = 0; i < 200; i++) receive(i);
  const buffers = new Set(messages.map(({ buffer }) => buffer));
  assert(buffers.size <= 200 * 22 / 256, `${buffers.size} buffers`);
  assertEquals(
    [...buffers].map(({ byteLength }) => byteLength <= 512),
    [...buffers].map(() => true),
  );
  for (const [i, message] of messages.entries()) assert(sameBytes(message, payload(i)));
  const { buffer } = messages.at(-1)!;
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
  receive(200);
  assert(sameBytes(messages.at(-1)!, payload(200)), "the buffer before has been transferred");
});

/** Returns a part of a binary message as an extension would make it. */
function part(payload: Uint8Array, fin: boolean, opcode: 0 | 2): Frame {
  const rest = { rsv1: false, rsv2: false, rsv3: false, payloadOffset: 0 };
  return { ...rest, fin, opcode, payload, payloadLength: payload.length };
}

test("MessageAssembler copies a message that shares its buffer if it is to be owned", () => {
  const assembler = new MessageAssembler({ payload: "owned" });
  const messages: Uint8Array[] = [];
  const sink = { enqueue: (message: Message) => messages.push(message as Uint8Array) };
  const bytes = randomBytes(100);
  const own = randomBytes(50);
  assembler.transform(part(bytes.subarray(10, 30), true, 2), sink);
  assembler.transform(part(own, true, 2), sink);
  assembler.transform(part(bytes.subarray(0, 10), false, 2), sink);
  assembler.transform(part(bytes.subarray(10, 13), true, 0), sink);
  assertEquals(messages.map(({ buffer }) => buffer.byteLength), [20, 50, 13]);
  assert(messages[1] === own, "it has a buffer of its own already");
  assert(sameBytes(join(messages[2]!), bytes.slice(0, 13)));
});

test("MessageAssembler assembles borrowed messages in a buffer that is used again", () => {
  const assembler = new MessageAssembler({ payload: "borrowed" });
  const buffers: ArrayBufferLike[] = [];
  const bytes = randomBytes(60_000);
  for (let round = 0; round < 3; round++) {
    let seen = 0;
    const sink = {
      enqueue(message: Message) {
        assert(sameBytes(message as Uint8Array, bytes), `round ${round}`);
        buffers.push((message as Uint8Array).buffer);
        seen++;
      },
    };
    assembler.transform(part(bytes.subarray(0, 40_000), false, 2), sink);
    assert(assembler.heldBytes >= 40_000);
    assembler.transform(part(bytes.subarray(40_000), true, 0), sink);
    assertEquals([seen, assembler.heldBytes], [1, 0]);
  }
  assertEquals(new Set(buffers).size, 1);
});

test("MessageAssembler releases a borrowed buffer when its sink throws, or it is discarded", () => {
  const bytes = randomBytes(60_000);
  const seen: ArrayBufferLike[] = [];
  const first = new MessageAssembler({ payload: "borrowed" });
  const failing = {
    enqueue(message: Message) {
      seen.push((message as Uint8Array).buffer);
      throw new RangeError("the sink's own");
    },
  };
  first.transform(part(bytes, false, 2), failing);
  assertThrows(() => first.transform(part(bytes.subarray(0, 5), true, 0), failing), RangeError);
  const second = new MessageAssembler({ payload: "borrowed" });
  second.transform(part(bytes, false, 2), failing);
  second.discard();
  assertEquals(second.heldBytes, 0);
  const third = new MessageAssembler({ payload: "borrowed" });
  const sink = { enqueue: (message: Message) => seen.push((message as Uint8Array).buffer) };
  third.transform(part(bytes, false, 2), sink);
  third.transform(part(bytes.subarray(0, 5), true, 0), sink);
  assert(seen[0] === seen[1], "the same buffer");
});

test("MessageAssembler assembles text in buffers of the pool, and frees others at once", () => {
  const sizes: number[] = [];
  const assembler = new MessageAssembler();
  const sink = { enqueue: (message: Message) => sizes.push(message.length) };
  const text = (size: number, fin: boolean, opcode: 0 | 1): Frame => ({
    ...part(new Uint8Array(size).fill(0x61), fin, 2),
    opcode,
  });
  const held: number[] = [];
  for (const size of [3, 20_000, 40_000, 70_000, 200_000]) {
    assembler.transform(text(size, false, 1), sink);
    held.push(assembler.heldBytes);
    assembler.transform(text(1, true, 0), sink);
    assertEquals(assembler.heldBytes, 0);
  }
  assertEquals(sizes, [4, 20_001, 40_001, 70_001, 200_001]);
  // 20,000 and 70,000 bytes would leave most of the next larger buffer empty.
  assertEquals(held, [3, 20_000, 66_560, 70_000, 263_168]);
});

test("MessageAssembler.discard frees an unfinished text", () => {
  const assembler = new MessageAssembler();
  const frame = { ...part(new Uint8Array(40_000), false, 2), opcode: 1 as const };
  assembler.transform(frame, { enqueue: () => assert(false) });
  assembler.discard();
  assertEquals(assembler.heldBytes, 0);
});
