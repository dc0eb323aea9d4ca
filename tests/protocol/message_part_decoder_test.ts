import { MessageTooBigError, PolicyViolationError } from "../../src/protocol/errors.ts";
import { FrameDecoder } from "../../src/protocol/frame_decoder.ts";
import type { MessagePart } from "../../src/protocol/message.ts";
import { MessagePartDecoder } from "../../src/protocol/message_part_decoder.ts";
import type { MessageOptions } from "../../src/protocol/message_sequence.ts";
import { assert, assertEquals, assertThrows, hex, test } from "../harness.ts";
import { cut, firstThrow, randomBytes } from "./frames.ts";
import { join } from "../support/bytes.ts";
import { rawFrame } from "../support/frames.ts";

function pipeline(options?: MessageOptions) {
  const decoder = new FrameDecoder({ role: "client" });
  const parts: MessagePart[] = [];
  const sink = { enqueue: (part: MessagePart) => parts.push(part) };
  const messages = new MessagePartDecoder(options);
  const take = (chunk: Uint8Array) =>
    decoder.transform(chunk, { enqueue: (frame) => messages.transform(frame, sink) });
  return { take, parts };
}

function partsOf(...chunks: string[]): MessagePart[] {
  const { take, parts } = pipeline();
  for (const chunk of chunks) take(hex(chunk));
  return parts;
}

test("MessagePartDecoder passes on a message of one frame as one part", () => {
  assertEquals(partsOf("81 02 48 69 82 01 07"), [
    { type: "text", data: "Hi", fin: true },
    { type: "binary", data: hex("07"), fin: true },
  ]);
});

test("MessagePartDecoder passes on empty messages", () => {
  assertEquals(partsOf("81 00 82 00"), [
    { type: "text", data: "", fin: true },
    { type: "binary", data: new Uint8Array(0), fin: true },
  ]);
});

test("MessagePartDecoder passes bytes on in the parts in which they arrive", () => {
  assertEquals(partsOf("02 03 01", "02 03", "80 02", "04 05"), [
    { type: "binary", data: hex("01"), fin: false },
    { type: "binary", data: hex("02 03"), fin: false },
    { type: "binary", data: new Uint8Array(0), fin: false },
    { type: "binary", data: hex("04 05"), fin: true },
  ]);
});

test("MessagePartDecoder cuts text between characters", () => {
  assertEquals(partsOf("81 06 41 e2", "82", "ac 42", "43"), [
    { type: "text", data: "A", fin: false },
    { type: "text", data: "", fin: false },
    { type: "text", data: "\u20acB", fin: false },
    { type: "text", data: "C", fin: true },
  ]);
  assertEquals(partsOf("01 02 f0 9f", "80 02 98 80"), [
    { type: "text", data: "", fin: false },
    { type: "text", data: "\u{1f600}", fin: true },
  ]);
});

test("MessagePartDecoder ends the message only with the last part of the FIN frame", () => {
  const { take, parts } = pipeline();
  const payload = randomBytes(1000);
  const frames = [
    rawFrame({ first: 0x02, payload: payload.subarray(0, 400) }),
    rawFrame({ first: 0x00, payload: payload.subarray(400, 700) }),
    rawFrame({ first: 0x80, payload: payload.subarray(700) }),
  ];
  for (const chunk of cut(join(...frames), "random chunks")) take(chunk);
  assertEquals(join(...parts.map((part) => part.data as Uint8Array)), payload);
  assert(parts.length > 3);
  assertEquals(parts.map((part) => part.fin).indexOf(true), parts.length - 1);
});

test("MessagePartDecoder keeps a byte order mark", () => {
  assertEquals(partsOf("81 04 ef bb bf 41", "01 01 ef 80 02 bb bf").map((part) => part.data), [
    "\ufeffA",
    "",
    "\ufeff",
  ]);
});

test("MessagePartDecoder passes control frames on and ends at a Close", () => {
  const seen: string[] = [];
  const decoder = new MessagePartDecoder({
    onControlFrame: (frame) => seen.push(`${frame.opcode}`),
  });
  const sink = {
    enqueue: (part: MessagePart) => seen.push(`${part.data}`),
    terminate: () => seen.push("end"),
  };
  new FrameDecoder({ role: "client" }).transform(hex("01 01 41 89 00 80 01 42 88 00"), {
    enqueue: (frame) => decoder.transform(frame, sink),
  });
  assertEquals(seen, ["A", "9", "B", "8", "end"]);
});

test("MessagePartDecoder rejects an announced length over maxMessageSize", () => {
  assertThrows(() => partsOf("82 7f 00 00 00 00 00 10 00 01"), MessageTooBigError, "1048577 bytes");
});

test("MessagePartDecoder rejects too many fragments", () => {
  const { take } = pipeline({ maxFragments: 2 });
  const { index, error } = firstThrow([hex("02 00"), hex("00 00"), hex("00 00")], take);
  assertEquals(index, 2);
  assert(error instanceof PolicyViolationError);
});

test("MessagePartDecoder passes any size on if maxMessageSize is Infinity", () => {
  const { take, parts } = pipeline({ maxMessageSize: Infinity });
  take(hex("82 7f 00 1f ff ff ff ff ff ff"));
  for (let i = 0; i < 20; i++) take(new Uint8Array(100_000));
  assertEquals(parts.length, 21);
  assert(parts.every((part) => !part.fin));
});
