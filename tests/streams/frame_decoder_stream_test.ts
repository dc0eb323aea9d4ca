import { ProtocolError, WebSocketError } from "../../src/protocol/errors.ts";
import { FrameDecoderStream } from "../../src/streams/frame_decoder_stream.ts";
import { assert, assertEquals, assertRejects, hex, test } from "../harness.ts";
import { cut, frameText, ROLES } from "../protocol/frames.ts";
import { join } from "../support/bytes.ts";
import { rawFrame } from "../support/frames.ts";
import { streamOf } from "../support/streams.ts";
import { countedSource, settled } from "./sources.ts";

for (const role of ROLES) {
  test(`FrameDecoderStream as a ${role} turns chunks into frames`, async () => {
    const bytes = join(
      rawFrame({ first: 0x81, payload: "Hi" }, role),
      rawFrame({ first: 0x89, payload: "ping" }, role),
      rawFrame({ first: 0x82, payload: hex("07") }, role),
    );
    const frames = await Array.fromAsync(
      streamOf([bytes]).pipeThrough(new FrameDecoderStream({ role })),
    );
    assertEquals(frames.map(frameText), ["FIN 0x1 48 69", "FIN 0x9 70 69 6e 67", "FIN 0x2 07"]);
  });
}

test("FrameDecoderStream applies its options rsv and chunks", async () => {
  const chunk = rawFrame({ first: 0xc2, payload: hex("07 08") }, "server");
  const [frame] = await Array.fromAsync(
    streamOf([chunk]).pipeThrough(
      new FrameDecoderStream({ role: "server", rsv: 0x40, chunks: "given" }),
    ),
  );
  assertEquals([frame!.rsv1, frame!.payload.buffer === chunk.buffer], [true, true]);
});

test("FrameDecoderStream errors and cancels its source if the bytes violate a rule", async () => {
  const source = countedSource(() => hex("81 00 83"));
  const frames = source.readable.pipeThrough(new FrameDecoderStream({ role: "client" }));
  const error = await assertRejects(() => Array.fromAsync(frames), ProtocolError, "opcode 0x3");
  assertEquals(error.closeCode, 1002);
  await settled(() => source.pulled);
  assert(source.cancelled === error);
});

test("FrameDecoderStream errors if the bytes end inside a frame or a message", async () => {
  for (const bytes of ["81 05 48", "01 01 48"]) {
    const frames = streamOf(cut(hex(bytes), "byte by byte"))
      .pipeThrough(new FrameDecoderStream({ role: "client" }));
    const error = await assertRejects(() => Array.fromAsync(frames), WebSocketError);
    assertEquals([error.code, error.closeCode], ["ERR_TRUNCATED", 1006]);
  }
});

test("FrameDecoderStream applies backpressure to its source", async () => {
  const source = countedSource(() => hex("81 01 41"));
  const reader = source.readable
    .pipeThrough(new FrameDecoderStream({ role: "client" }))
    .getReader();
  const ahead = await settled(() => source.pulled);
  assert(ahead >= 64 && ahead <= 70, `${ahead} chunks pulled with nothing read`);
  for (let i = 0; i < 200; i++) await reader.read();
  const more = await settled(() => source.pulled) - ahead;
  assert(more >= 195 && more <= 205, `${more} chunks pulled for 200 read`);
  await reader.cancel("enough");
  await settled(() => source.pulled); // The pipe hands the reason on in a later turn.
  assertEquals(source.cancelled, "enough");
});
