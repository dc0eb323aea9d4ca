import "../../src/protocol/provide_fast_paths.ts";
import {
  MessageTooBigError,
  PolicyViolationError,
  ProtocolError,
} from "../../src/protocol/errors.ts";
import type { Frame, FrameInit } from "../../src/protocol/frame.ts";
import { FrameDecoder } from "../../src/protocol/frame_decoder.ts";
import { FrameEncoder } from "../../src/protocol/frame_encoder.ts";
import type { Message } from "../../src/protocol/message.ts";
import { MessageAssembler } from "../../src/protocol/message_assembler.ts";
import type { FrameDecoderOptions } from "../../src/protocol/frame_parser.ts";
import type { MessageOptions } from "../../src/protocol/message_sequence.ts";
import { assert, assertEquals, assertThrows, hex, test } from "../harness.ts";
import { assembleAll, assertMessages, cut, firstThrow, randomBytes, ROLES } from "./frames.ts";
import { writeFragments } from "./frames.ts";
import { join, utf8 } from "../support/bytes.ts";
import { rawFrame } from "../support/frames.ts";

const client = { role: "client" } as const;

/** A decoder and an assembler, and their messages so far. */
function pipeline(
  { chunks, ...options }: MessageOptions & Pick<FrameDecoderOptions, "chunks"> = {},
  received?: (message: Uint8Array<ArrayBuffer>) => void,
) {
  const { payload } = options;
  const decoder = new FrameDecoder({
    ...client,
    ...(chunks === undefined ? {} : { chunks }),
    ...(payload === undefined ? {} : { payload }),
  });
  const assembler = new MessageAssembler(options);
  const messages: Message[] = [];
  const sink = {
    enqueue(message: Message) {
      messages.push(message);
      received?.(message as Uint8Array<ArrayBuffer>);
    },
  };
  const take = (chunk: Uint8Array) =>
    decoder.transform(chunk, { enqueue: (frame) => assembler.transform(frame, sink) });
  return { take, messages };
}

/** Returns a frame as an extension would create it, for an assembler without a decoder. */
function frameOf(init: FrameInit & { payloadLength?: number; payloadOffset?: number }): Frame {
  const payload = init.payload ?? new Uint8Array(0);
  return {
    fin: true,
    rsv1: false,
    rsv2: false,
    rsv3: false,
    payloadLength: payload.length,
    payloadOffset: 0,
    ...init,
    payload,
  };
}

test("MessageAssembler passes on text as a string and binary as a Uint8Array", () => {
  assertEquals(assembleAll([hex("81 02 48 69 82 02 48 69")], client), ["Hi", hex("48 69")]);
});

test("MessageAssembler passes on empty messages, of one frame and of several", () => {
  const bytes = hex("81 00 82 00 01 00 00 00 80 00 02 00 80 00");
  for (const chunking of ["whole", "byte by byte"] as const) {
    assertMessages(assembleAll(cut(bytes, chunking), client), [
      "",
      new Uint8Array(0),
      "",
      new Uint8Array(0),
    ]);
  }
});

test("MessageAssembler accepts empty fragments anywhere in a message", () => {
  const bytes = hex("01 00 00 01 61 00 00 00 01 62 80 00  02 01 07 00 00 80 01 08");
  for (const chunking of ["whole", "byte by byte"] as const) {
    assertMessages(assembleAll(cut(bytes, chunking), client), ["ab", hex("07 08")]);
  }
});

test("MessageAssembler keeps a byte order mark", () => {
  const bytes = hex("81 05 ef bb bf 48 69  01 03 ef bb bf 80 02 48 69  01 02 ef bb 80 01 bf");
  assertEquals(assembleAll([bytes], client), ["\ufeffHi", "\ufeffHi", "\ufeff"]);
});

test("MessageAssembler passes control frames on in order with the messages", () => {
  const seen: string[] = [];
  const onControlFrame = ({ opcode, payload }: Frame) => seen.push(`${opcode} ${payload}`);
  const assembler = new MessageAssembler({ onControlFrame });
  const sink = {
    enqueue: (message: Message) => seen.push(`${message}`),
    terminate: () => seen.push("end"),
  };
  const bytes = hex("81 01 41 89 01 07 01 01 42 8a 00 80 01 43 81 01 44 88 02 03 e8 81 01 45");
  new FrameDecoder(client).transform(bytes, {
    enqueue: (frame) => assembler.transform(frame, sink),
  });
  assertEquals(seen, ["A", "9 7", "10 ", "BC", "D", "8 3,232", "end"]);
});

test("MessageAssembler needs neither a control frame's listener nor a sink that terminates", () => {
  assertEquals(assembleAll([hex("89 00 81 01 41 88 00")], client), ["A"]);
});

test("MessageAssembler checks the sequence of frames that no decoder has checked", () => {
  const assembler = new MessageAssembler();
  const sink = { enqueue: () => {} };
  const lone = assertThrows(() => assembler.transform(frameOf({ opcode: 0 }), sink), ProtocolError);
  assertEquals(lone.code, "ERR_UNEXPECTED_CONTINUATION");
  assembler.transform(frameOf({ opcode: 1, fin: false }), sink);
  const nested = assertThrows(
    () => assembler.transform(frameOf({ opcode: 2 }), sink),
    ProtocolError,
  );
  assertEquals(nested.code, "ERR_EXPECTED_CONTINUATION");
});

/** Returns the error that `pipeline` throws, and the index of the byte at which it does. */
function refusal(bytes: Uint8Array, options: MessageOptions) {
  const { take, messages } = pipeline(options);
  const { index, error } = firstThrow(cut(bytes, "byte by byte"), take);
  return { index, error, messages };
}

const claims: [header: string, size: number][] = [
  ["82 7f 00 00 00 00 00 10 00 01", 2 ** 20 + 1],
  ["81 7f 00 00 01 00 00 00 00 00", 2 ** 40],
  ["02 7f 00 1f ff ff ff ff ff ff", 2 ** 53 - 1],
];

for (const [header, size] of claims) {
  test(`MessageAssembler rejects a claim of ${size} bytes at the header's last byte`, () => {
    const bytes = hex(header);
    const { index, error } = refusal(bytes, {});
    assertEquals(index, bytes.length - 1);
    assert(error instanceof MessageTooBigError);
    assertEquals([error.code, error.closeCode], ["ERR_MESSAGE_TOO_BIG", 1009]);
    assertEquals(
      error.message,
      `Cannot take message: ${size} bytes and more, at most 1048576 are allowed`,
    );
  });

  test(`MessageAssembler allocates nothing like a claim of ${size} bytes`, () => {
    const { take, messages } = pipeline({ maxMessageSize: Infinity });
    for (const chunk of [hex(header), new Uint8Array(1), new Uint8Array(100_000)]) take(chunk);
    assertEquals(messages, []);
  });
}

for (const role of ROLES) {
  test(`MessageAssembler accepts 10 bytes and rejects 11 where 10 are allowed, as a ${role}`, () => {
    for (const first of [0x81, 0x82]) {
      const options = { role, maxMessageSize: 10 };
      const text = "0123456789";
      const message = first === 0x81 ? text : utf8(text);
      assertMessages(assembleAll([rawFrame({ first, payload: text }, role)], options), [message]);
      assertThrows(
        () => assembleAll([rawFrame({ first, payload: `${text}x` }, role)], options),
        MessageTooBigError,
        "11 bytes and more, at most 10 are allowed",
      );
    }
  });
}

test("MessageAssembler rejects the sum of the fragments at the header", () => {
  const fragments = hex("02 04 01 02 03 04 00 00 00 04 05 06 07 08 80 02 09 0a");
  const options = { maxMessageSize: 10 };
  assertEquals(assembleAll([fragments], { ...client, ...options }), [
    hex("01 02 03 04 05 06 07 08 09 0a"),
  ]);
  const more = fragments.slice();
  more[15] = 3;
  const { index, error } = refusal(more, options);
  assert(error instanceof MessageTooBigError);
  assertEquals([index, error.closeCode], [15, 1009]);
});

test("MessageAssembler counts each message separately", () => {
  const one = hex("02 04 01 02 03 04 80 04 05 06 07 08");
  assertEquals(assembleAll([one, one, one], { ...client, maxMessageSize: 8 }).length, 3);
});

test("MessageAssembler checks the running sum where a frame's length is not known yet", () => {
  const assembler = new MessageAssembler({ maxMessageSize: 10 });
  const sink = { enqueue: () => {} };
  const part = (size: number, payloadOffset: number) =>
    frameOf({ opcode: 2, payload: new Uint8Array(size), payloadLength: Infinity, payloadOffset });
  assembler.transform(part(6, 0), sink);
  assembler.transform(part(4, 6), sink);
  const error = assertThrows(() => assembler.transform(part(1, 10), sink), MessageTooBigError);
  assertEquals(error.closeCode, 1009);
});

test("MessageAssembler accepts a message whose inflated parts end in an empty one", () => {
  const assembler = new MessageAssembler();
  const messages: Message[] = [];
  const sink = { enqueue: (message: Message) => messages.push(message) };
  const known = { opcode: 2, payloadOffset: 3, payloadLength: 3 } as const;
  const payload = hex("01 02 03");
  assembler.transform(frameOf({ opcode: 2, payload, payloadLength: Infinity }), sink);
  assembler.transform(frameOf(known), sink);
  assertEquals(messages, [payload]);
});

test("MessageAssembler accepts maxFragments fragments, and rejects the next", () => {
  for (const maxFragments of [1, 2, 5, undefined]) {
    const most = maxFragments ?? 1024;
    const options = maxFragments === undefined ? {} : { maxFragments };
    const start = most === 1 ? [hex("82 00")] : [hex("02 00")];
    for (let i = 2; i <= most; i++) start.push(hex(i === most ? "80 00" : "00 00"));
    assertEquals(assembleAll([...start, ...start], { ...client, ...options }).length, 2);

    const more = [hex("02 00"), ...Array.from({ length: most }, () => hex("00 00"))];
    const { take } = pipeline(options);
    const { index, error } = firstThrow(more, take);
    assertEquals(index, most);
    assert(error instanceof PolicyViolationError);
    assertEquals(error.message, `Cannot take message: more than ${most} fragments`);
    assertEquals([error.code, error.closeCode], ["ERR_TOO_MANY_FRAGMENTS", 1008]);
  }
});

const K = 1024;
for (const size of [16 * K - 1, 16 * K, 16 * K + 1, 64 * K - 1, 64 * K, 64 * K + 1, 300 * K]) {
  test(`MessageAssembler assembles ${size} bytes while its buffer grows`, () => {
    const payload = randomBytes(size);
    for (const piece of [1000, 16 * K, 16 * K + 1, size - 1]) {
      const frames: Uint8Array[] = [];
      for (let at = 0; at < size; at += piece) {
        const opcode = at === 0 ? 2 : 0;
        const first = opcode | (at + piece >= size ? 0x80 : 0);
        frames.push(rawFrame({ first, payload: payload.subarray(at, at + piece) }));
      }
      const whole = rawFrame({ first: 0x82, payload });
      for (const seed of [1, 2]) {
        const fragmented = cut(join(...frames), "random chunks", seed);
        assertMessages(assembleAll(fragmented, client), [payload]);
        assertMessages(assembleAll(cut(whole, "random chunks", seed), client), [payload]);
      }
    }
  });
}

test("MessageAssembler does not change binary messages that it has passed on", () => {
  for (const chunks of ["kept", "given", "lent"] as const) {
    const { take, messages } = pipeline({ chunks });
    const payloads = Array.from({ length: 60 }, (_, i) => randomBytes((i * 37) % 500));
    const bytes = join(...payloads.map((payload, i) => {
      if (i % 3 > 0) return rawFrame({ first: 0x82, payload });
      const half = payload.length >> 1;
      const [head, tail] = [payload.subarray(0, half), payload.subarray(half)];
      return join(rawFrame({ first: 2, payload: head }), rawFrame({ first: 0x80, payload: tail }));
    }));
    for (const chunk of cut(bytes, "random chunks")) {
      const own = chunk.slice();
      take(own);
      if (chunks === "lent") own.fill(0xff);
    }
    assertMessages(messages, payloads);
  }
});

test("FrameDecoder throws where a message's buffer is transferred that others are views of", () => {
  for (const chunks of ["kept", "given", "lent"] as const) {
    const { take, messages } = pipeline({ chunks }, ({ buffer }) => {
      structuredClone(buffer, { transfer: [buffer] });
    });
    assertThrows(
      () => take(hex("82 01 07 82 01 08 82 01 09")),
      TypeError,
      "Cannot decode frame: the buffer of a message has been transferred",
    );
    assertEquals(messages.length, 1);
  }
});

test("MessageAssembler works after the buffer of a message in fragments was transferred", () => {
  for (const fragments of ["02 00 80 00", "02 01 07 80 01 08"]) {
    const { take, messages } = pipeline();
    take(hex(fragments));
    const { buffer } = messages[0] as Uint8Array<ArrayBuffer>;
    structuredClone(buffer, { transfer: [buffer] });
    take(hex("02 01 01 80 01 02"));
    take(hex("02 00 80 00"));
    assertEquals(messages.slice(1), [hex("01 02"), new Uint8Array(0)]);
  }
});

test("MessageAssembler.heldBytes is the capacity for an unfinished message, and isIdle its absence", () => {
  const assembler = new MessageAssembler();
  const messages: Message[] = [];
  const sink = { enqueue: (message: Message) => messages.push(message) };
  assertEquals([assembler.isIdle, assembler.heldBytes], [true, 0]);
  assembler.transform(frameOf({ opcode: 2, fin: false, payload: hex("01 02") }), sink);
  assertEquals([assembler.isIdle, assembler.heldBytes], [false, 2]);
  assembler.transform(frameOf({ opcode: 0, payload: hex("03") }), sink);
  assertEquals([assembler.isIdle, assembler.heldBytes], [true, 0]);
  assertMessages(messages, [hex("01 02 03")]);
});

test("MessageAssembler allocates at most maxMessageSize for a message of unknown length", () => {
  const assembler = new MessageAssembler({ maxMessageSize: 100_000 });
  const messages: Message[] = [];
  const sink = { enqueue: (message: Message) => messages.push(message) };
  const part = (payloadOffset: number, size: number, payloadLength = Infinity) =>
    assembler.transform({
      ...frameOf({ opcode: 2, payload: new Uint8Array(size) }),
      payloadOffset,
      payloadLength,
    }, sink);
  part(0, 1000);
  assertEquals(assembler.heldBytes, 16 * 1024);
  part(1000, 30_000);
  assertEquals(assembler.heldBytes, 100_000);
  part(31_000, 1000, 32_000);
  assertEquals((messages as Uint8Array[]).map(({ length }) => length), [32_000]);
});

test("MessageAssembler.discard frees an unfinished message", () => {
  const assembler = new MessageAssembler();
  assembler.discard();
  assembler.transform(frameOf({ opcode: 2, fin: false, payload: randomBytes(1000) }), {
    enqueue: () => assert(false),
  });
  assertEquals(assembler.heldBytes, 1000);
  assembler.discard();
  assertEquals(assembler.heldBytes, 0);
});

test("MessageAssembler copies binary messages of up to copyUpTo bytes, and views larger ones", () => {
  const chunk = hex("82 03 01 02 03 82 04 01 02 03 04");
  const assembler = new MessageAssembler({}, 3);
  const messages: Uint8Array[] = [];
  const decoder = new FrameDecoder({ ...client, chunks: "given" });
  decoder.transform(chunk, {
    enqueue: (frame) =>
      assembler.transform(frame, { enqueue: (message) => messages.push(message as Uint8Array) }),
  });
  assertMessages(messages, [hex("01 02 03"), hex("01 02 03 04")]);
  assertEquals(messages.map(({ buffer }) => buffer === chunk.buffer), [false, true]);
});

test("MessageAssembler accepts 6 MiB in fragments of 4 KiB if maxMessageSize allows it", () => {
  const { take, messages } = pipeline({ maxMessageSize: 8 * 1024 * 1024 });
  const encoder = new FrameEncoder({ role: "server" });
  writeFragments(encoder, "a".repeat(6 * 1024 * 1024), 4096);
  take(encoder.take());
  assertEquals((messages[0] as string).length, 6 * 1024 * 1024);
});
