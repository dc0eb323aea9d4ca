import "../../src/protocol/provide_fast_paths.ts";
import type { FrameInit } from "../../src/protocol/frame.ts";
import { FrameEncoder } from "../../src/protocol/frame_encoder.ts";
import type { FrameEncoderOptions } from "../../src/protocol/frame_encoder.ts";
import type { Message } from "../../src/protocol/message.ts";
import type { Opcode } from "../../src/protocol/opcode.ts";
import { assert, assertEquals, assertLess, assertThrows, hex, test, toHex } from "../harness.ts";
import { assertMessages, mixedText, random, randomBytes, ROLES, sameBytes } from "./frames.ts";
import { join, utf8 } from "../support/bytes.ts";
import { parseFrames } from "../support/frames.ts";

const server: FrameEncoderOptions = { role: "server" };

function encode(options: FrameEncoderOptions, ...messages: (Message | FrameInit)[]): Uint8Array {
  const encoder = new FrameEncoder(options);
  for (const message of messages) encoder.write(message);
  return encoder.take();
}

const headers: [size: number, header: string][] = [
  [0, "82 00"],
  [1, "82 01"],
  [32, "82 20"],
  [33, "82 21"],
  [125, "82 7d"],
  [126, "82 7e 00 7e"],
  [127, "82 7e 00 7f"],
  [255, "82 7e 00 ff"],
  [256, "82 7e 01 00"],
  [65535, "82 7e ff ff"],
  [65536, "82 7f 00 00 00 00 00 01 00 00"],
  [1048577, "82 7f 00 00 00 00 00 10 00 01"],
];

for (const [size, header] of headers) {
  test(`FrameEncoder writes a length of ${size} in as few bytes as can be`, () => {
    const payload = randomBytes(size);
    const unmasked = encode(server, payload);
    assert(sameBytes(unmasked, join(hex(header), payload)));

    const [frame, ...more] = parseFrames(encode({ role: "client" }, payload));
    const masked = hex(header);
    masked[1]! |= 0x80;
    assertEquals([frame!.header, frame!.key.length, more.length], [toHex(masked), 11, 0]);
    assert(sameBytes(frame!.payload, payload));
  });
}

test("FrameEncoder masks each frame of a client with a new key", () => {
  const messages = Array.from({ length: 1000 }, () => "Hello");
  const keys = parseFrames(encode({ role: "client" }, ...messages)).map((frame) => frame.key);
  // 1,000 of 2^32 keys: two are equal in one of 8,600 runs.
  assert(new Set(keys).size >= 999);
});

test("FrameEncoder encodes views, and does not change them", () => {
  for (const role of ROLES) {
    for (const size of [5, 200]) {
      const buffer = randomBytes(size + 7);
      const before = buffer.slice();
      const [frame] = parseFrames(encode({ role }, buffer.subarray(3, 3 + size)));
      assertEquals(frame!.payload, before.subarray(3, 3 + size));
      assertEquals(buffer, before);
    }
  }
});

// The way of encoding changes at 48 characters, and the header at 125 and 65535 bytes. If a text has more
// bytes than characters, the header that is expected for its characters may be too short.
const lengths = [0, 1, 40, 41, 42, 43, 47, 48, 49, 50, 62, 63, 64, 124, 125, 126, 127, 128];
const longLengths = [5461, 5462, 16383, 16384, 16385, 21845, 21846, 32767, 32768, 65535, 65536];

for (const [kind, unit] of [["ASCII", "a"], ["2-byte", "\u00e9"], ["3-byte", "\u20ac"]] as const) {
  test(`FrameEncoder writes text of ${kind} characters of every length around the edges`, () => {
    for (const role of ROLES) {
      const texts = [...lengths, ...longLengths].map((length) => unit.repeat(length));
      const frames = parseFrames(encode({ role }, ...texts));
      assertMessages(frames.map((frame) => frame.payload), texts.map(utf8));
      assert(frames.every((frame) => frame.first === 0x81));
      // One at a time, so that the buffer is empty each time.
      for (const text of texts) {
        const [frame] = parseFrames(encode({ role }, text));
        assert(sameBytes(frame!.payload, utf8(text)), `${text.length} characters`);
      }
    }
  });
}

const edges: [text: string, bytes: number, header: string][] = [
  [`${"\u20ac".repeat(41)}ab`, 125, "81 7d"],
  ["\u20ac".repeat(42), 126, "81 7e 00 7e"],
  ["\u{1f600}".repeat(31) + "a", 125, "81 7d"],
  ["\u{1f600}".repeat(31) + "\u00e9", 126, "81 7e 00 7e"],
  ["a".repeat(124) + "\u00e9", 126, "81 7e 00 7e"],
  ["a".repeat(123) + "\u00e9", 125, "81 7d"],
  ["\u20ac".repeat(21845), 65535, "81 7e ff ff"],
  ["\u20ac".repeat(21845) + "a", 65536, "81 7f 00 00 00 00 00 01 00 00"],
  ["a".repeat(47) + "\u00e9", 49, "81 31"],
];

for (const [text, bytes, header] of edges) {
  test(`FrameEncoder writes ${text.length} characters that make ${bytes} bytes`, () => {
    for (const before of ["", "before"]) {
      const encoded = encode(server, before, text);
      assertEquals(encoded.length, 2 + before.length + header.length / 3 + 1 / 3 + bytes);
      const frame = parseFrames(encoded)[1]!;
      assertEquals(frame.header, header);
      assert(sameBytes(frame.payload, utf8(text)));
    }
  });
}

test("FrameEncoder writes long text that needs more room than its characters, wherever that ends", () => {
  // A longer header than expected for the characters, in buffers that are nearly full.
  const late = "a".repeat(65_520) + "\u00e9".repeat(15);
  for (
    const text of [
      late,
      "a" + "\u{1f600}".repeat(9000),
      "\u{1f600}".repeat(9000),
      mixedText(50_000),
    ]
  ) {
    const bytes = utf8(text);
    for (const role of ROLES) {
      for (let before = 990; before < 1030; before++) {
        const frames = parseFrames(encode({ role }, "b".repeat(before), text, "after"));
        assert(sameBytes(frames[1]!.payload, bytes), `${text.length} characters after ${before}`);
        assertMessages(
          [frames[0]!.payload, frames[2]!.payload],
          ["b".repeat(before), "after"].map(utf8),
        );
      }
    }
  }
});

test("FrameEncoder writes a character that is not ASCII at each place of a short text", () => {
  for (const character of ["\u0080", "\u00e9", "\u20ac", "\u{1f600}"]) {
    for (let at = 0; at < 50; at++) {
      const text = "a".repeat(at) + character + "b".repeat(49 - at);
      const frames = parseFrames(encode({ role: "client" }, text, "next"));
      assertMessages(frames.map((frame) => frame.payload), [utf8(text), utf8("next")]);
    }
  }
});

test("FrameEncoder writes U+FFFD for a lone surrogate, as the platform does", () => {
  for (const length of [1, 60, 20_000]) {
    const text = "x".repeat(length);
    for (const lone of ["\ud800", "\udfff"]) {
      const [frame] = parseFrames(encode(server, text + lone + text));
      assert(sameBytes(frame!.payload, utf8(`${text}\ufffd${text}`)));
    }
  }
});

test("FrameEncoder.writeFrame writes every bit of a frame", () => {
  const encoder = new FrameEncoder({ role: "server" });
  encoder.writeFrame({ opcode: 1, fin: false, payload: utf8("abc") });
  encoder.writeFrame({ opcode: 0, rsv1: true });
  encoder.writeFrame({ opcode: 2, rsv2: true, rsv3: true, payload: hex("07") });
  encoder.writeFrame({ opcode: 8 });
  encoder.writeFrame({ opcode: 9, payload: hex("01") });
  encoder.writeFrame({ opcode: 10 });
  const expected = "01 03 61 62 63 c0 00 b2 01 07 88 00 89 01 01 8a 00";
  assertEquals(encoder.length, hex(expected).length);
  assertEquals(toHex(encoder.take()), expected);
});

test("FrameEncoder.writeFrame accepts a control payload of 125 bytes, and rejects 126", () => {
  for (const opcode of [8, 9, 10] as const) {
    assertEquals(encode(server, { opcode, payload: randomBytes(125) }).length, 127);
    assertThrows(
      () => encode(server, { opcode, payload: randomBytes(126) }),
      TypeError,
      `Cannot encode frame: control frame, opcode 0x${
        opcode.toString(16)
      }, of at least 126 bytes, ` +
        "at most 125 are allowed",
    );
  }
});

test("FrameEncoder.writeFrame rejects a frame that violates RFC 6455 §5", () => {
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    assertThrows(
      () => encode(server, { opcode: opcode as Opcode }),
      TypeError,
      `Cannot encode frame: reserved opcode 0x${opcode.toString(16)}`,
    );
  }
  for (const opcode of [8, 9, 10] as const) {
    assertThrows(
      () => encode(server, { opcode, fin: false }),
      TypeError,
      `Cannot encode frame: fragmented control frame, opcode 0x${opcode.toString(16)} without FIN`,
    );
  }
});

test("FrameEncoder.write rejects anything that is neither a message nor a frame, and writes nothing", () => {
  const encoder = new FrameEncoder(server);
  const wrong = [
    null,
    undefined,
    7,
    {},
    [],
    true,
    new ArrayBuffer(3),
    new DataView(new ArrayBuffer(3)),
    ...[16, 0x81, -1, 1.5, "1", NaN].map((opcode) => ({ opcode })),
    ...["text", new ArrayBuffer(3), [1, 2], 3].map((payload) => ({ opcode: 2, payload })),
  ];
  for (const value of wrong) {
    assertThrows(() => encoder.write(value as FrameInit), TypeError);
    assertEquals(encoder.length, 0, `${value}`);
  }
});

test("FrameEncoder.take returns everything once", () => {
  const encoder = new FrameEncoder(server);
  assertEquals([encoder.length, encoder.take().length], [0, 0]);
  encoder.write("Hi");
  encoder.write("!");
  assertEquals(encoder.length, 7);
  const taken = encoder.take();
  assertEquals([encoder.length, encoder.take().length], [0, 0]);
  encoder.write("again");
  assertEquals(toHex(taken), "81 02 48 69 81 01 21");
});

test("FrameEncoder.writeRaw adds bytes as they are, before, between and after messages", () => {
  for (const role of ROLES) {
    const encoder = new FrameEncoder({ role });
    const raw = utf8("HTTP/1.1 101 \r\n\r\n".repeat(500)); // More than the first buffer holds.
    encoder.writeRaw(raw);
    raw.fill(0); // It has been copied.
    encoder.write("Hi");
    const between = encoder.length;
    encoder.writeRaw(new Uint8Array([1, 2]));
    encoder.writeRaw(new Uint8Array(0));
    encoder.write("!");
    const bytes = encoder.take();
    assertEquals(
      toHex(bytes.subarray(0, raw.length)),
      toHex(utf8("HTTP/1.1 101 \r\n\r\n".repeat(500))),
    );
    const messages = [bytes.subarray(raw.length, between), bytes.subarray(between + 2)];
    assertEquals(messages.map((each) => parseFrames(each)[0]!.payload), [utf8("Hi"), utf8("!")]);
    assertEquals(toHex(bytes.subarray(between, between + 2)), "01 02");
  }
});

test("FrameEncoder.recycle returns the buffer of each result, in any order", () => {
  const take = (text: string) => {
    const encoder = new FrameEncoder({ role: "server" });
    encoder.write(text);
    return encoder.take();
  };
  for (const order of [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]]) {
    const taken = ["a", "bb", "ccc"].map(take);
    const last = order.at(-1)!;
    const kept = taken[last]!.slice();
    for (const i of order.slice(0, 2)) FrameEncoder.recycle(taken[i]!);
    // The pool gives the buffer that was returned last, and none that is still taken.
    const reused = [take("dddd"), take("eeeee")];
    assertEquals(reused.map(({ buffer }) => taken.findIndex((each) => each.buffer === buffer)), [
      order[1],
      order[0],
    ]);
    assertEquals(taken[last], kept);
    for (const bytes of [...reused, taken[last]!]) FrameEncoder.recycle(bytes);
  }
});

test("FrameEncoder reuses a recycled buffer, and no other", () => {
  const encoder = new FrameEncoder(server);
  encoder.write("first");
  const first = encoder.take();
  encoder.write("second");
  const second = encoder.take();
  assert(first.buffer !== second.buffer);
  FrameEncoder.recycle(first);
  const other = new FrameEncoder({ role: "client" });
  other.write("third");
  const third = other.take();
  assert(third.buffer === first.buffer);
  assertEquals(parseFrames(third)[0]!.payload, utf8("third"));
  assertEquals(toHex(second.subarray(2)), toHex(utf8("second")));
  FrameEncoder.recycle(new FrameEncoder(server).take());
});

test("FrameEncoder keeps the encoded bytes when its buffer grows", () => {
  for (const role of ROLES) {
    const next = random(7);
    const messages = Array.from({ length: 300 }, (_, i): Message => {
      const size = next() % (i % 50 === 0 ? 90_000 : 3_000);
      return i % 2 === 0 ? mixedText(size) : randomBytes(size);
    });
    const frames = parseFrames(encode({ role }, ...messages));
    assertMessages(
      frames.map(({ first, payload }) =>
        first === 0x81 ? new TextDecoder().decode(payload) : payload
      ),
      messages,
    );
  }
});

test("FrameEncoder collects millions of bytes of small messages in linear time", () => {
  const encoder = new FrameEncoder(server);
  const message = new Uint8Array(16);
  const started = performance.now();
  for (let i = 0; i < 250_000; i++) encoder.write(message);
  assertEquals(encoder.take().length, 250_000 * 18);
  assertLess(performance.now() - started, 2_000);
});

test("FrameEncoder.length and heldBytes count the encoded bytes and their buffer, until take", () => {
  const encoder = new FrameEncoder(server);
  assertEquals([encoder.length, encoder.heldBytes], [0, 0]);
  encoder.write("Hello");
  assertEquals([encoder.length, encoder.heldBytes], [7, 4096]);
  FrameEncoder.recycle(encoder.take());
  assertEquals([encoder.length, encoder.heldBytes], [0, 0]);
});

for (const size of [256, 65_535, 65_536]) {
  test(`FrameEncoder encodes the first part of a message of ${size} bytes`, () => {
    const message = Uint8Array.from({ length: size }, (_, i) => i % 251);
    const whole = new FrameEncoder({ role: "server" });
    const parts = new FrameEncoder({ role: "server" });
    for (const encoder of [whole, parts]) encoder.write("a");
    whole.write(message);
    parts.writeFirst(message, 200);
    parts.writeRaw(message.subarray(200));
    assertEquals(parts.take(), whole.take());
  });
}
