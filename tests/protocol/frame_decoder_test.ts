import type { Frame, Role } from "../../src/protocol/frame.ts";
import { Rsv } from "../../src/protocol/frame.ts";
import { FrameDecoder } from "../../src/protocol/frame_decoder.ts";
import { FrameEncoder } from "../../src/protocol/frame_encoder.ts";
import { assert, assertEquals, assertThrows, hex, test, toHex } from "../harness.ts";
import { CHUNKINGS, cut, decodeAll, frameText, randomBytes, ROLES, SIZES } from "./frames.ts";
import { join, utf8 } from "../support/bytes.ts";
import { rawFrame } from "../support/frames.ts";

const ALL_RSV = Rsv.Rsv1 | Rsv.Rsv2 | Rsv.Rsv3;

test("FrameDecoder passes on all fields of the header", () => {
  const [frame] = decodeAll([hex("d1 02 48 69")], { role: "client", rsv: ALL_RSV }) as [Frame];
  const { fin, rsv1, rsv2, rsv3, opcode, payload, payloadLength, payloadOffset } = frame;
  assertEquals([fin, rsv1, rsv2, rsv3, opcode], [true, true, false, true, 1]);
  assertEquals([toHex(payload), payloadLength, payloadOffset], ["48 69", 2, 0]);
});

for (const [name, bit] of [["RSV1", 0x40], ["RSV2", 0x20], ["RSV3", 0x10]] as const) {
  test(`FrameDecoder passes ${name} on where it is claimed`, () => {
    const [frame] = decodeAll([hex(`${(0x82 | bit).toString(16)} 01 07`)], {
      role: "client",
      rsv: bit,
    });
    assertEquals(frameText(frame!), `FIN ${name} 0x2 07`);
  });
}

for (const role of ROLES) {
  for (const chunking of CHUNKINGS) {
    test(`FrameDecoder as a ${role} accepts control frames between fragments, ${chunking}`, () => {
      const bytes = join(
        rawFrame({ first: 0x01, payload: "Hel" }, role),
        rawFrame({ first: 0x89, payload: "ping" }, role),
        rawFrame({ first: 0x00, payload: "" }, role),
        rawFrame({ first: 0x8a, payload: "" }, role),
        rawFrame({ first: 0x80, payload: "lo" }, role),
        rawFrame({ first: 0x88, payload: "\x03\x7f" }, role),
      );
      const seen = decodeAll(cut(bytes, chunking), { role })
        .filter((frame) => frame.payload.length > 0 || frame.payloadLength === 0)
        .map((frame) => `${frame.opcode} ${frame.fin} ${toHex(frame.payload)}`);
      // Data frames may arrive in parts, control frames never do.
      const parts = (opcode: number, fin: boolean, data: string) =>
        chunking === "whole"
          ? [`${opcode} ${fin} ${toHex(utf8(data))}`]
          : [...data].map((byte) => `${opcode} ${fin} ${toHex(utf8(byte))}`);
      if (chunking !== "random chunks") {
        assertEquals(seen, [
          ...parts(1, false, "Hel"),
          "9 true 70 69 6e 67",
          "0 false ",
          "10 true ",
          ...parts(0, true, "lo"),
          "8 true 03 7f",
        ]);
      }
      assertEquals(seen.filter((frame) => /^(8|9|10) /.test(frame)), [
        "9 true 70 69 6e 67",
        "10 true ",
        "8 true 03 7f",
      ]);
    });
  }

  test(`FrameDecoder as a ${role} accepts a control frame of 125 bytes, wherever it is cut`, () => {
    const payload = randomBytes(125);
    const bytes = rawFrame({ first: 0x8a, payload }, role);
    for (let at = 0; at <= bytes.length; at++) {
      const frames = decodeAll([bytes.slice(0, at), bytes.slice(at)], { role });
      assertEquals(frames.length, 1, `cut at ${at}`);
      assertEquals(frames[0]!.payload, payload);
      assertEquals([frames[0]!.payloadLength, frames[0]!.payloadOffset], [125, 0]);
    }
  });

  test(`FrameDecoder as a ${role} passes a cut frame on in parts that add up`, () => {
    for (const size of SIZES) {
      const payload = randomBytes(size);
      const bytes = rawFrame({ first: 0x82, payload }, role);
      const parts = decodeAll(cut(bytes, "random chunks", size), { role });
      let offset = 0;
      for (const part of parts) {
        assertEquals([part.payloadOffset, part.payloadLength, part.fin], [offset, size, true]);
        offset += part.payload.length;
      }
      assert(parts.slice(1).every((part) => part.payload.length > 0));
      assertEquals(join(...parts.map((part) => part.payload)), payload);
    }
  });
}

test("FrameDecoder announces a header at the end of a chunk, once, before any payload", () => {
  for (const role of ROLES) {
    const bytes = rawFrame({ first: 0x82, payload: randomBytes(300) }, role);
    const header = bytes.length - 300;
    const frames: Frame[] = [];
    const sink = { enqueue: (frame: Frame) => frames.push(frame) };
    const decoder = new FrameDecoder({ role });
    for (let i = 0; i < header; i++) decoder.transform(bytes.slice(i, i + 1), sink);
    assertEquals(frames.map((frame) => [frame.payloadLength, frame.payload.length]), [[300, 0]]);
    decoder.transform(new Uint8Array(0), sink);
    assertEquals(frames.length, 1);
    decoder.transform(bytes.slice(header), sink);
    assertEquals(frames.map((frame) => [frame.payloadOffset, frame.payload.length]), [
      [0, 0],
      [0, 300],
    ]);
  }
});

const lengths: [length: string, size: number][] = [
  ["7d", 125],
  ["7e 00 7e", 126],
  ["7e 01 00", 256],
  ["7e ff ff", 65535],
  ["7f 00 00 00 00 00 01 00 00", 65536],
  ["7f 00 00 00 00 ff ff ff ff", 2 ** 32 - 1],
  ["7f 00 00 00 01 00 00 00 00", 2 ** 32],
  ["7f 00 00 01 00 00 00 00 05", 2 ** 40 + 5],
  ["7f 00 10 00 00 00 00 00 00", 2 ** 52],
  ["7f 00 1f ff ff ff ff ff ff", 2 ** 53 - 1],
];

for (const [length, size] of lengths) {
  test(`FrameDecoder reads the length ${length} as ${size}, and allocates nothing for it`, () => {
    for (const chunking of ["whole", "byte by byte"] as const) {
      const frames: Frame[] = [];
      const decoder = new FrameDecoder({ role: "client" });
      for (const chunk of cut(hex(`82 ${length}`), chunking)) {
        decoder.transform(chunk, { enqueue: (frame) => frames.push(frame) });
      }
      assertEquals(frames.map((frame) => [frame.payloadLength, frame.payload.length]), [[size, 0]]);
    }
  });
}

test("FrameDecoder unmasks each frame with its own key, and a key of zeros", () => {
  const bytes = hex("82 83 01 02 03 04 01 02 03  82 83 00 00 00 00 01 02 03  82 81 ff 00 00 00 00");
  for (const chunking of CHUNKINGS) {
    const payloads = decodeAll(cut(bytes, chunking), { role: "server" }).map((frame) =>
      frame.payload
    );
    assertEquals(toHex(join(...payloads)), "00 00 00 01 02 03 ff");
  }
});

test("FrameDecoder unmasks a long payload that is cut at any offset of the key", () => {
  const payload = randomBytes(400);
  const bytes = rawFrame({ first: 0x82, payload }, "server");
  for (let at = 0; at <= 150; at++) {
    for (const mode of ["kept", "given"] as const) {
      const chunks = [bytes.slice(0, 8), bytes.slice(8, 8 + at), bytes.slice(8 + at)];
      const parts = decodeAll(chunks, { role: "server", chunks: mode });
      assertEquals(join(...parts.map((part) => part.payload)), payload, `cut at ${at}`);
    }
  }
});

test("FrameDecoder does not change chunks that it does not own", () => {
  const chunk = rawFrame({ first: 0x82, payload: randomBytes(200) }, "server");
  const before = chunk.slice();
  const [frame] = decodeAll([chunk], { role: "server" });
  assertEquals(chunk, before);
  assert(frame!.payload.buffer !== chunk.buffer);
  chunk.fill(0);
  assertEquals(frame!.payload, randomBytes(200));
});

test("FrameDecoder unmasks a chunk that it owns in place", () => {
  for (const first of [0x82, 0x89]) {
    const payload = randomBytes(100);
    const chunk = rawFrame({ first, payload }, "server");
    const [frame] = decodeAll([chunk], { role: "server", chunks: "given" });
    assert(frame!.payload.buffer === chunk.buffer);
    assertEquals(chunk.subarray(6), payload);
  }
});

test("FrameDecoder reads a chunk that is a view of a larger buffer", () => {
  for (const mode of ["kept", "given"] as const) {
    const inner = rawFrame({ first: 0x82, payload: randomBytes(99) }, "server");
    const outer = join(hex("ff ff ff"), inner, hex("ff"));
    const view = outer.subarray(3, 3 + inner.length);
    const [frame] = decodeAll([view], { role: "server", chunks: mode });
    assertEquals(frame!.payload, randomBytes(99));
    assertEquals([outer[2], outer.at(-1)], [0xff, 0xff]);
  }
});

test("FrameDecoder ignores any data after a Close frame", () => {
  for (const chunking of CHUNKINGS) {
    const bytes = join(hex("88 02 03 e8"), hex("81 01 41 88 00 ff ff ff"));
    const decoder = new FrameDecoder({ role: "client" });
    const frames: Frame[] = [];
    const sink = { enqueue: (frame: Frame) => frames.push(frame) };
    for (const chunk of cut(bytes, chunking)) decoder.transform(chunk, sink);
    decoder.flush();
    decoder.transform(hex("83"), sink);
    assertEquals(frames.map(frameText), ["FIN 0x8 03 e8"]);
  }
});

test("FrameDecoder decodes nothing more after its sink has thrown", () => {
  const decoder = new FrameDecoder({ role: "client" });
  let calls = 0;
  const sink = {
    enqueue: () => {
      calls++;
      throw new RangeError("the sink's own");
    },
  };
  let thrown: unknown;
  try {
    decoder.transform(hex("81 00 81 00"), sink);
  } catch (error) {
    thrown = error;
  }
  assert(thrown instanceof RangeError);
  decoder.transform(hex("81 00"), sink);
  decoder.flush();
  assertEquals(calls, 1);
});

test("FrameDecoder calls enqueueWhole for a message of one frame, unless its header was passed on", () => {
  for (
    const [size, chunks] of [[3, "given"], [3, "lent"], [200, "given"], [200, "lent"]] as const
  ) {
    const payload = "x".repeat(size);
    const text = rawFrame({ first: 0x81, payload });
    const binary = rawFrame({ first: 0x82, payload });
    const seen: string[] = [];
    const decoder = new FrameDecoder({ role: "client", chunks });
    const take = (bytes: Uint8Array) =>
      decoder.transform(bytes, {
        enqueue: ({ first, payloadOffset, payload }: Frame & { first?: number }) =>
          seen.push(`frame ${first?.toString(16)} ${payloadOffset} ${payload.length}`),
        enqueueWhole: (first, bytes, start, end) => {
          assertEquals(toHex(bytes.subarray(start, end)), toHex(utf8(payload)));
          seen.push(`whole ${first.toString(16)}`);
        },
      });
    take(join(text, binary, rawFrame({ first: 0x89, payload: "" }), binary));
    assertEquals(seen.splice(0), ["whole 81", "whole 82", "frame 89 0 0", "whole 82"]);
    const header = text.length - size;
    take(text.slice(0, header));
    assertEquals(seen.splice(0), ["frame 81 0 0"], "it's announced");
    take(join(text.slice(header), text));
    assertEquals(seen.splice(0), [`frame 81 0 ${size}`, "whole 81"]);
    take(binary.slice(0, 1));
    take(binary.slice(1));
    assertEquals(seen.splice(0), ["whole 82"], "but for a header in two parts");
    take(join(rawFrame({ first: 0x01, payload }), rawFrame({ first: 0x80, payload })));
    assertEquals(seen.splice(0), [`frame 1 0 ${size}`, `frame 80 0 ${size}`]);
  }
});

test("FrameDecoder and FrameEncoder refuse an unknown role", () => {
  for (const role of ["sever", undefined, ""]) {
    const options = { role: role as Role };
    assertThrows(
      () => new FrameDecoder(options),
      TypeError,
      "role of FrameDecoder: expected one of client, server, got",
    );
    assertThrows(
      () => new FrameEncoder(options),
      TypeError,
      "role of FrameEncoder: expected one of client, server, got",
    );
  }
});

/** A frame of 256 KiB in two chunks, with buffers of their own. */
function largeChunks(): [Uint8Array, Uint8Array] {
  const frame = rawFrame({ first: 0x82, payload: "x".repeat(256 * 1024) }, "client");
  return [frame.slice(0, 128 * 1024), frame.slice(128 * 1024)];
}

test("FrameDecoder frees a large chunk that it owns when its sink has copied all of it", () => {
  const chunks = largeChunks();
  const decoder = new FrameDecoder({ role: "client", chunks: "given" });
  let size = 0;
  const sink = { copiesParts: true, enqueue: (frame: Frame) => size += frame.payload.length };
  for (const chunk of chunks) decoder.transform(chunk, sink);
  assertEquals(size, 256 * 1024);
  assertEquals(chunks.map((chunk) => chunk.buffer.byteLength), [0, 0]);
});

for (const size of [1000, 65_535, 65_536]) {
  test(`FrameDecoder frees a large chunk of texts of ${size} bytes that its sink decodes`, () => {
    for (const second of [0x81, 0x82]) {
      const frame = (first: number) => rawFrame({ first, payload: "x".repeat(size) }, "server");
      const chunk = join(...Array.from({ length: 70 }, () => frame(0x81)));
      const last = join(chunk, frame(second));
      const decoder = new FrameDecoder({ role: "server", chunks: "given" });
      let count = 0;
      const sink = {
        copiesParts: true,
        enqueue: () => assert(false, "each frame is whole"),
        enqueueWhole: (_first: number, bytes: Uint8Array, start: number) => {
          assertEquals(bytes[start], 0x78);
          count++;
        },
      };
      decoder.transform(chunk, sink);
      decoder.transform(last, sink);
      assertEquals(count, 70 + 71);
      assertEquals(chunk.length, 0);
      assertEquals(last.length === 0, second === 0x81, "binary messages are views");
    }
  });
}

for (
  const [name, options, copiesParts, following] of [
    ["with a whole text that its sink keeps", { chunks: "given" }, true, "81 01 07"],
    ["that it does not own", {}, true, ""],
    ["that its sink keeps", { chunks: "given" }, false, ""],
    ["with a whole short message", { chunks: "given" }, true, "82 01 07"],
    ["with a whole message", { chunks: "given" }, true, `82 7e 00 7e${" 07".repeat(126)}`],
    ["with a control frame", { chunks: "given" }, true, "89 01 07"],
  ] as const
) {
  test(`FrameDecoder does not free a large chunk ${name}`, () => {
    const [first, last] = largeChunks();
    const after = hex(following);
    const chunk = join(last, after);
    const decoder = new FrameDecoder({ role: "client", ...options });
    const kept: Uint8Array[] = [];
    const sink = { copiesParts, enqueue: (frame: Frame) => kept.push(frame.payload) };
    for (const each of [first, chunk]) decoder.transform(each, sink);
    assertEquals(chunk.length, 128 * 1024 + 10 + after.length);
    if (following !== "") assertEquals(kept.at(-1)![0], 7);
  });
}

test("FrameDecoder does not free a chunk that is a part of a buffer", () => {
  const [first, last] = largeChunks();
  const buffer = join(first, last);
  const decoder = new FrameDecoder({ role: "client", chunks: "given" });
  const sink = { copiesParts: true, enqueue: (_: Frame) => {} };
  decoder.transform(buffer.subarray(0, first.length), sink);
  assertEquals(buffer.length, 256 * 1024 + 10);
});

test("FrameDecoder does not free a chunk whose rest waits", () => {
  const [first, last] = largeChunks();
  const chunk = join(last, hex("82 01 07"));
  const decoder = new FrameDecoder({ role: "client", chunks: "given" });
  const payloads: string[] = [];
  const sink = {
    copiesParts: true,
    enqueue(frame: Frame) {
      if (frame.payload.length === 1) payloads.push(toHex(frame.payload));
      else decoder.pause();
    },
  };
  decoder.transform(first, { ...sink, enqueue() {} });
  decoder.transform(chunk, sink);
  decoder.resume(sink);
  assertEquals(payloads, ["07"]);
});
