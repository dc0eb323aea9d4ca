import { Receiver } from "../../src/connection/receiver.ts";
import { DEFAULT_LIMITS } from "../../src/connection/limits.ts";
import { InvalidPayloadError } from "../../src/protocol/errors.ts";
import type { Message, MessagePart } from "../../src/protocol/message.ts";
import { makeDeflate } from "../extensions/deflate_helpers.ts";
import { assertEquals, assertThrows, hex, test } from "../harness.ts";

test("Receiver holds nothing back, and takes nothing more, after an error behind a pause", () => {
  const taken: unknown[] = [];
  const target = {
    control: () => taken.push("control"),
    message: (message: Message) => taken.push(message) < 0,
    part: ({ data }: MessagePart) => taken.push(data) < 0,
  };
  const receiver = new Receiver({
    role: "client",
    limits: DEFAULT_LIMITS,
    extensions: makeDeflate(),
    lendsChunks: false,
  }, target);
  receiver.streamMessages();
  // "Hello" in a final block, a block of the type that is an error, a Ping.
  receiver.take(hex("c1 08 f3 48 cd c9 c9 07 00 ff 89 00"));
  assertEquals(taken, ["Hello"]);
  assertEquals(receiver.holdsBack, true);
  assertThrows(() => receiver.resume(), InvalidPayloadError);
  // What is held back keeps a connection from closing at its peer's end.
  assertEquals(receiver.holdsBack, false);
  receiver.take(hex("81 02 48 69 ff"));
  receiver.resume();
  assertEquals(taken, ["Hello"]);
});
