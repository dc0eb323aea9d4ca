import type { FrameInit } from "../../src/protocol/frame.ts";
import type { Message } from "../../src/protocol/message.ts";
import { FrameDecoderStream } from "../../src/streams/frame_decoder_stream.ts";
import { FrameEncoderStream } from "../../src/streams/frame_encoder_stream.ts";
import { MessageAssemblerStream } from "../../src/streams/message_assembler_stream.ts";
import { assert, assertEquals, assertRejects, hex, test, toHex } from "../harness.ts";
import { assertMessages, mixedText, randomBytes, ROLES } from "../protocol/frames.ts";
import { streamOf } from "../support/streams.ts";
import { countedSource, settled } from "./sources.ts";

test("FrameEncoderStream turns messages and frames into bytes", async () => {
  const messages = streamOf<Message | FrameInit>(["Hi", hex("07"), { opcode: 9 }]);
  const bytes = await Array.fromAsync(
    messages.pipeThrough(new FrameEncoderStream({ role: "server" })),
  );
  assertEquals(bytes.map(toHex), ["81 02 48 69", "82 01 07", "89 00"]);
});

for (const role of ROLES) {
  test(`FrameEncoderStream as a ${role} is read by the other end's streams`, async () => {
    const messages = ["", "Hi", mixedText(70_000), randomBytes(126), randomBytes(70_000), "end"];
    const received = streamOf<Message>(messages)
      .pipeThrough(new FrameEncoderStream({ role }))
      .pipeThrough(new FrameDecoderStream({ role: role === "server" ? "client" : "server" }))
      .pipeThrough(new MessageAssemblerStream());
    assertMessages(await Array.fromAsync(received), messages);
  });
}

test("FrameEncoderStream enqueues chunks that the reader owns", async () => {
  const chunks = await Array.fromAsync(
    streamOf(["first", "second"]).pipeThrough(
      new FrameEncoderStream({ role: "server" }),
    ),
  );
  assert(chunks[0]!.buffer !== chunks[1]!.buffer);
  assertEquals(chunks.map((chunk) => chunk.buffer.byteLength), [7, 8]);
  assertEquals(new TextDecoder().decode(chunks[0]!.subarray(2)), "first");
});

test("FrameEncoderStream errors if a frame violates a rule", async () => {
  const frames = streamOf<FrameInit>([{ opcode: 9, fin: false }]);
  const bytes = frames.pipeThrough(new FrameEncoderStream({ role: "server" }));
  await assertRejects(() => Array.fromAsync(bytes), TypeError, "fragmented control frame");
});

test("FrameEncoderStream applies backpressure to its source", async () => {
  const source = countedSource((): Message => "Hi");
  const reader = source.readable.pipeThrough(new FrameEncoderStream({ role: "server" }))
    .getReader();
  const ahead = await settled(() => source.pulled);
  assert(ahead >= 2 && ahead <= 72, `${ahead} messages pulled with nothing read`);
  for (let i = 0; i < 200; i++) await reader.read();
  const more = await settled(() => source.pulled) - ahead;
  assert(more >= 195 && more <= 205, `${more} messages pulled for 200 read`);
  await reader.cancel();
});
