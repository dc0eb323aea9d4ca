import type { Frame } from "../../src/protocol/frame.ts";
import { FrameDecoder } from "../../src/protocol/frame_decoder.ts";
import { assert, assertEquals, assertThrows, hex, test } from "../harness.ts";
import { CHUNKINGS, cut, frameText, ROLES } from "./frames.ts";
import { join } from "../support/bytes.ts";
import { rawFrame } from "../support/frames.ts";

/** A decoder that pauses at each frame for which `at` returns true, and its output. */
function pausing(
  options: ConstructorParameters<typeof FrameDecoder>[0],
  at: (n: number) => boolean,
) {
  const decoder = new FrameDecoder(options);
  const frames: Frame[] = [];
  const sink = {
    enqueue: (frame: Frame) => {
      frames.push(frame);
      if (at(frames.length)) decoder.pause();
    },
  };
  return { decoder, frames, sink };
}

test("FrameDecoder.pause stops before the next frame, and resume continues", () => {
  const { decoder, frames, sink } = pausing({ role: "client" }, (n) => n < 3);
  assert(!decoder.isPaused);
  decoder.transform(hex("81 01 41 81 01 42 81 01 43 81 01 44"), sink);
  assertEquals([frames.length, decoder.isPaused], [1, true]);
  decoder.resume(sink);
  assertEquals([frames.length, decoder.isPaused], [2, true]);
  decoder.resume(sink);
  assertEquals([frames.length, decoder.isPaused], [4, false]);
  assertEquals(frames.map(frameText), ["FIN 0x1 41", "FIN 0x1 42", "FIN 0x1 43", "FIN 0x1 44"]);
});

test("FrameDecoder keeps chunks in order while it is paused", () => {
  for (const mode of ["kept", "given"] as const) {
    const { decoder, frames, sink } = pausing({ role: "client", chunks: mode }, (n) => n === 1);
    decoder.transform(hex("81 01 41 81 02 42"), sink);
    decoder.transform(hex("43 81"), sink);
    decoder.transform(new Uint8Array(0), sink);
    decoder.transform(hex("01 44"), sink);
    assertEquals(frames.length, 1);
    decoder.resume(sink);
    decoder.flush();
    assertEquals(frames.map(frameText), ["FIN 0x1 41", "FIN 0x1 42 43", "FIN 0x1 44"]);
  }
});

test("FrameDecoder copies a chunk that it does not own when it is paused", () => {
  const { decoder, frames, sink } = pausing({ role: "client" }, (n) => n === 1);
  const first = hex("81 01 41 81 01 42");
  const second = hex("81 01 43");
  decoder.transform(first, sink);
  decoder.transform(second, sink);
  first.fill(0xff);
  second.fill(0xff);
  decoder.resume(sink);
  assertEquals(frames.map(frameText), ["FIN 0x1 41", "FIN 0x1 42", "FIN 0x1 43"]);
});

test("FrameDecoder.resume after a pause at the end of a chunk decodes the next chunk", () => {
  const { decoder, frames, sink } = pausing({ role: "client" }, (n) => n === 1);
  decoder.transform(hex("81 01 41"), sink);
  assert(decoder.isPaused);
  decoder.transform(hex("81 01 42"), sink);
  assertEquals(frames.length, 1);
  decoder.resume(sink);
  assertEquals([frames.length, decoder.isPaused], [2, false]);
  decoder.resume(sink);
  assertEquals(frames.length, 2);
});

test("FrameDecoder.resume within the frame that paused continues at once", () => {
  const decoder = new FrameDecoder({ role: "client" });
  const frames: string[] = [];
  const sink = {
    enqueue: (frame: Frame) => {
      frames.push(frameText(frame));
      decoder.pause();
      decoder.resume(sink);
    },
  };
  decoder.transform(hex("81 01 41 81 01 42"), sink);
  assertEquals(frames, ["FIN 0x1 41", "FIN 0x1 42"]);
});

test("FrameDecoder.resume throws the error of the pending bytes", () => {
  const { decoder, frames, sink } = pausing({ role: "client" }, (n) => n === 1);
  decoder.transform(hex("81 00 83"), sink);
  assertThrows(() => decoder.resume(sink), Error, "reserved opcode 0x3");
  decoder.resume(sink);
  decoder.transform(hex("81 00"), sink);
  assertEquals(frames.length, 1);
});

for (const role of ROLES) {
  for (const chunking of CHUNKINGS) {
    test(`FrameDecoder as a ${role} that pauses at each frame loses and changes none, ${chunking}`, () => {
      const payloads = Array.from({ length: 40 }, (_, i) => new Uint8Array(i * 9).fill(i));
      const bytes = join(
        ...payloads.map((payload, i) =>
          rawFrame({ first: i % 4 === 3 && payload.length <= 125 ? 0x89 : 0x82, payload }, role)
        ),
      );
      for (const mode of ["kept", "given"] as const) {
        const { decoder, frames, sink } = pausing({ role, chunks: mode }, () => true);
        for (const chunk of cut(bytes, chunking)) {
          const before = frames.length;
          decoder.transform(chunk, sink);
          assert(frames.length <= before + 1);
          // Every second chunk is queued together with the next one.
          if (chunk[0]! % 2 === 0) { while (decoder.isPaused) decoder.resume(sink); }
        }
        while (decoder.isPaused) decoder.resume(sink);
        decoder.flush();
        assertEquals(join(...frames.map((frame) => frame.payload)), join(...payloads));
      }
    });
  }
}

test("FrameDecoder throws where what a pause has left was transferred with a message", () => {
  for (const go of ["transform", "resume"] as const) {
    const { decoder, frames, sink } = pausing({ role: "client", chunks: "given" }, (n) => n === 1);
    decoder.transform(hex("82 01 41 82 01 42"), sink);
    const { buffer } = frames[0].payload as Uint8Array<ArrayBuffer>;
    structuredClone(buffer, { transfer: [buffer] });
    assertThrows(
      () => go === "resume" ? decoder.resume(sink) : decoder.transform(hex("82 01 43"), sink),
      TypeError,
      "Cannot decode frame: the buffer of a message has been transferred",
    );
    decoder.resume(sink);
    assertEquals(frames.length, 1);
  }
});

test("FrameDecoder.heldBytes counts an unfinished control frame and the pending input's buffer", () => {
  const { decoder, sink } = pausing({ role: "client", chunks: "given" }, (n) => n === 1);
  assertEquals(decoder.heldBytes, 0);
  decoder.transform(hex("89 05 01 02"), sink);
  assertEquals(decoder.heldBytes, 2);
  decoder.transform(hex("03 04 05 81 01 41"), sink);
  assertEquals([decoder.isPaused, decoder.heldBytes], [true, 6]);
  decoder.resume(sink);
  assertEquals([decoder.isPaused, decoder.heldBytes], [false, 0]);
});

test("FrameDecoder.discard drops the pending input, and ignores further bytes", () => {
  const { decoder, frames, sink } = pausing({ role: "client", chunks: "given" }, () => true);
  decoder.transform(hex("81 01 41 81 01 42"), sink);
  decoder.discard();
  assertEquals([decoder.isPaused, decoder.heldBytes], [false, 0]);
  decoder.resume(sink);
  decoder.transform(hex("81 01 43"), sink);
  assertEquals(frames.map(frameText), ["FIN 0x1 41"]);
});

test("FrameDecoder.hasRest is true while bytes wait for resume", () => {
  const { decoder, sink } = pausing({ role: "client" }, (n) => n < 3);
  assertEquals(decoder.hasRest, false);
  decoder.transform(hex("81 01 41 81 01 42"), sink);
  assertEquals([decoder.isPaused, decoder.hasRest], [true, true]);
  decoder.resume(sink);
  assertEquals([decoder.isPaused, decoder.hasRest], [true, false]);
  decoder.transform(hex("81 01 43"), sink);
  assertEquals([decoder.isPaused, decoder.hasRest], [true, true]);
  decoder.discard();
  assertEquals([decoder.isPaused, decoder.hasRest], [false, false]);
});
