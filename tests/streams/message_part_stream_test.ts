import { InvalidPayloadError } from "../../src/protocol/errors.ts";
import { FrameDecoderStream } from "../../src/streams/frame_decoder_stream.ts";
import { MessagePartStream } from "../../src/streams/message_part_stream.ts";
import { assert, assertEquals, assertRejects, hex, test } from "../harness.ts";
import { cut } from "../protocol/frames.ts";
import { streamOf } from "../support/streams.ts";
import { countedSource, settled } from "./sources.ts";

function partsOf(bytes: ReadableStream<Uint8Array>) {
  return bytes
    .pipeThrough(new FrameDecoderStream({ role: "client" }))
    .pipeThrough(new MessagePartStream({ maxMessageSize: Infinity }));
}

test("MessagePartStream passes the parts on as they arrive", async () => {
  const bytes = streamOf([hex("01 03 48 65 e2"), hex("80 02 82"), hex("ac 82 01 07")]);
  assertEquals(await Array.fromAsync(partsOf(bytes)), [
    { type: "text", data: "He", fin: false },
    { type: "text", data: "", fin: false },
    { type: "text", data: "\u20ac", fin: true },
    { type: "binary", data: hex("07"), fin: true },
  ]);
});

test("MessagePartStream ends at a Close frame", async () => {
  const bytes = streamOf([hex("01 01 41 88 00")]);
  assertEquals((await Array.fromAsync(partsOf(bytes))).map((part) => part.data), ["A"]);
});

test("MessagePartStream errors on what is not UTF-8, after the parts before it", async () => {
  const reader = partsOf(streamOf(cut(hex("81 09 41 ff"), "byte by byte"))).getReader();
  let text = "";
  const error = await assertRejects(async () => {
    for (;;) text += (await reader.read()).value!.data;
  }, InvalidPayloadError);
  assertEquals([error.closeCode, text.length <= 1], [1007, true]);
});

test("MessagePartStream applies backpressure within an endless message", async () => {
  const header = hex("82 7f 00 1f ff ff ff ff ff ff");
  const source = countedSource((n) => n === 0 ? header : new Uint8Array(1000));
  const reader = partsOf(source.readable).getReader();
  const ahead = await settled(() => source.pulled);
  assert(ahead <= 3 * 64 + 8, `${ahead} chunks pulled with nothing read`);
  let size = 0;
  while (size < 2_000_000) size += ((await reader.read()).value!.data as Uint8Array).length;
  await reader.cancel();
});
