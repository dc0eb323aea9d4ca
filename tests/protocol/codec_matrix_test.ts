// The matrix: size x type x role x chunking, from the encoder through the decoder to the assembler.
import { FrameEncoder } from "../../src/protocol/frame_encoder.ts";
import type { Role } from "../../src/protocol/frame.ts";
import type { Message } from "../../src/protocol/message.ts";
import { assert, test } from "../harness.ts";
import {
  assembleAll,
  assertMessages,
  CHUNKINGS,
  cut,
  mixedText,
  randomBytes,
  ROLES,
  SIZES,
  writeFragments,
} from "./frames.ts";
import type { Chunking } from "./frames.ts";
import { utf8 } from "../support/bytes.ts";

const MIB = 1024 * 1024;

/** The ownership of the chunks, and that of the messages. */
const MODES = [
  ["kept", "shared"],
  ["given", "shared"],
  ["lent", "shared"],
  ["lent", "owned"],
  ["lent", "borrowed"],
] as const;

function check(message: Message, sender: Role, chunking: Chunking, fragmentSize?: number): void {
  const encoder = new FrameEncoder({ role: sender });
  for (const each of [message, "between", message]) {
    if (fragmentSize === undefined) encoder.write(each);
    else writeFragments(encoder, each, fragmentSize);
  }
  const bytes = encoder.take();
  const role = sender === "server" ? "client" : "server";
  for (const [chunks, payload] of MODES) {
    const received = assembleAll(cut(bytes, chunking, 42), { role, chunks, payload });
    assertMessages(received, [message, "between", message]);
  }
}

for (const size of SIZES) {
  const text = mixedText(size);
  assert(utf8(text).length === size);
  for (const [type, message] of [["text", text], ["binary", randomBytes(size)]] as const) {
    for (const role of ROLES) {
      for (const chunking of CHUNKINGS) {
        test(`codec carries ${size} bytes of ${type} from a ${role}, ${chunking}`, () => {
          check(message, role, chunking);
        });
      }
      test(`codec carries ${size} bytes of ${type} from a ${role} in fragments`, () => {
        for (const chunking of ["whole", "random chunks"] as const) {
          check(message, role, chunking, 1 + Math.floor(size / 7));
        }
      });
    }
  }
}

for (const role of ROLES) {
  for (const chunking of ["whole", "random chunks"] as const) {
    test(`codec carries 1 MiB of text and of bytes from a ${role}, ${chunking}`, () => {
      check(mixedText(MIB), role, chunking);
      check(randomBytes(MIB), role, chunking);
    });
  }
}
