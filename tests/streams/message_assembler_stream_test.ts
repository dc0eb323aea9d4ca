import { InvalidPayloadError, MessageTooBigError } from "../../src/protocol/errors.ts";
import type { Frame } from "../../src/protocol/frame.ts";
import type { MessageOptions } from "../../src/protocol/message_sequence.ts";
import { FrameDecoderStream } from "../../src/streams/frame_decoder_stream.ts";
import { MessageAssemblerStream } from "../../src/streams/message_assembler_stream.ts";
import { assert, assertEquals, assertRejects, hex, test } from "../harness.ts";
import { assertMessages, cut, mixedText, randomBytes } from "../protocol/frames.ts";
import { rawFrame } from "../support/frames.ts";
import { streamOf } from "../support/streams.ts";
import { countedSource, settled } from "./sources.ts";

function messagesOf(bytes: ReadableStream<Uint8Array>, options?: MessageOptions) {
  return bytes
    .pipeThrough(new FrameDecoderStream({ role: "client" }))
    .pipeThrough(new MessageAssemblerStream(options));
}

test("MessageAssemblerStream turns frames into messages, however the bytes are split", async () => {
  const messages = [mixedText(70_000), randomBytes(70_000), "", new Uint8Array(0)];
  async function* chunks() {
    for (const message of messages) {
      const first = typeof message === "string" ? 0x81 : 0x82;
      yield* cut(rawFrame({ first, payload: message }), "random chunks");
    }
  }
  assertMessages(await Array.fromAsync(messagesOf(streamOf(chunks()))), messages);
});

test("MessageAssemblerStream ends at a Close frame, and passes on the control frames before it", async () => {
  const seen: number[] = [];
  const source = countedSource(() => hex("81 01 41 89 00 88 02 03 e8 81 01 42"));
  const messages = messagesOf(source.readable, {
    onControlFrame: (frame: Frame) => seen.push(frame.opcode),
  });
  assertEquals(await Array.fromAsync(messages), ["A"]);
  assertEquals(seen, [9, 8]);
  await settled(() => source.pulled);
  assert(source.cancelled !== undefined, "the source goes on after the Close");
});

test("MessageAssemblerStream ends with its source", async () => {
  assertEquals(await Array.fromAsync(messagesOf(streamOf([hex("81 01 41")]))), ["A"]);
  assertEquals(await Array.fromAsync(messagesOf(streamOf([]))), []);
});

test("MessageAssemblerStream errors on what is not UTF-8, and cancels its source", async () => {
  const source = countedSource(() => hex("81 01 ff"));
  const error = await assertRejects(
    () => Array.fromAsync(messagesOf(source.readable)),
    InvalidPayloadError,
  );
  assertEquals(error.closeCode, 1007);
  await settled(() => source.pulled);
  assert(source.cancelled === error);
});

test("MessageAssemblerStream applies its limits", async () => {
  const messages = messagesOf(streamOf([hex("82 05")]), { maxMessageSize: 4 });
  const error = await assertRejects(() => Array.fromAsync(messages), MessageTooBigError);
  assertEquals(error.closeCode, 1009);
});

test("MessageAssemblerStream passes its source's own error on", async () => {
  const source = new ReadableStream<Uint8Array>({
    start: (controller) => controller.error(new RangeError("gone")),
  });
  await assertRejects(() => Array.fromAsync(messagesOf(source)), RangeError, "gone");
});

test("MessageAssemblerStream applies backpressure to its source, through both streams", async () => {
  const source = countedSource(() => hex("82 01 07"));
  const reader = messagesOf(source.readable).getReader();
  const ahead = await settled(() => source.pulled);
  // Three queues of up to 64 frames or messages each, and one of chunks.
  assert(ahead >= 64 && ahead <= 3 * 64 + 8, `${ahead} chunks pulled with nothing read`);
  for (let i = 0; i < 300; i++) await reader.read();
  const more = await settled(() => source.pulled) - ahead;
  assert(more >= 290 && more <= 310, `${more} chunks pulled for 300 read`);
  await reader.cancel();
});
