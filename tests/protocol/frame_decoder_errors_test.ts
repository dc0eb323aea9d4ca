// Each way to violate RFC 6455 §5: the error, and that it is thrown at the first byte that proves it.
import { MessageTooBigError, ProtocolError, WebSocketError } from "../../src/protocol/errors.ts";
import type { Frame, Role } from "../../src/protocol/frame.ts";
import { FrameDecoder } from "../../src/protocol/frame_decoder.ts";
import { assertEquals, assertInstanceOf, assertThrows, hex, test } from "../harness.ts";
import { cut, firstThrow } from "./frames.ts";
import { join } from "../support/bytes.ts";

interface Violation {
  what: string;
  /** The bytes. The last one proves the violation. */
  bytes: string;
  /** The error message after "Cannot decode frame: ". */
  text: string;
  code: string;
  /** The end that decodes; "client" by default. */
  role?: Role;
  rsv?: number;
  tooBig?: true;
}

const unclaimed = "set, and no extension has claimed it";
const sign = "a 64-bit length with its most significant bit set";
const huge = "a length of more than 9007199254740991 bytes";
const wide = "a 64-bit length for less than 65536 bytes";

const violations: Violation[] = [
  ...[0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf].flatMap((opcode) => {
    const digit = opcode.toString(16);
    return [`8${digit}`, `0${digit}`].map((bytes) => ({
      what: `the reserved opcode 0x${digit}, first byte ${bytes}`,
      bytes,
      text: `reserved opcode 0x${digit}`,
      code: "ERR_RESERVED_OPCODE",
    }));
  }),
  ...[["RSV1", "c1"], ["RSV2", "a1"], ["RSV3", "91"], ["RSV1", "c9"], ["RSV2", "a0"]].map((
    [bit, bytes],
  ) => ({
    what: `an unclaimed ${bit}, first byte ${bytes}`,
    bytes: bytes!,
    text: `${bit} ${unclaimed}`,
    code: "ERR_RSV",
  })),
  ...[["RSV1", "c1", 0x30], ["RSV2", "a1", 0x50], ["RSV3", "91", 0x60]].map((
    [bit, bytes, rsv],
  ) => ({
    what: `${bit} where only the other two are claimed`,
    bytes: bytes as string,
    rsv: rsv as number,
    text: `${bit} ${unclaimed}`,
    code: "ERR_RSV",
  })),
  ...[["close", "08"], ["ping", "09"], ["pong", "0a"]].map(([name, bytes]) => ({
    what: `a fragmented ${name}`,
    bytes: bytes!,
    text: `fragmented control frame, opcode 0x${bytes![1]} without FIN`,
    code: "ERR_FRAGMENTED_CONTROL",
  })),
  ...["88", "89", "8a"].flatMap((first) =>
    ["7e", "7f"].map((length) => ({
      what: `a control frame of more than 125 bytes, ${first} ${length}`,
      bytes: `${first} ${length}`,
      text: `control frame, opcode 0x${first[1]}, of at least ${
        length === "7e" ? 126 : 127
      } bytes, at most 125 are allowed`,
      code: "ERR_CONTROL_TOO_LONG",
    }))
  ),
  ...["80", "00"].map((bytes) => ({
    what: `a continuation with nothing to continue, first byte ${bytes}`,
    bytes,
    text: "a continuation frame with no message to continue",
    code: "ERR_UNEXPECTED_CONTINUATION",
  })),
  {
    what: "a continuation after the end of a fragmented message",
    bytes: "01 00 80 00 80",
    text: "a continuation frame with no message to continue",
    code: "ERR_UNEXPECTED_CONTINUATION",
  },
  ...["01 00 81", "01 00 82", "01 00 01", "02 00 02", "02 01 07 00 00 89 00 82"].map((bytes) => ({
    what: `a new message inside another, ${bytes}`,
    bytes,
    text: `a new message, opcode 0x${bytes.at(-1)}, inside another`,
    code: "ERR_EXPECTED_CONTINUATION",
  })),
  ...["81 00", "81 7d", "81 7e", "89 00"].map((bytes): Violation => ({
    what: `a server getting a frame without a mask, ${bytes}`,
    bytes,
    role: "server",
    text: "not masked, and a client must mask",
    code: "ERR_NOT_MASKED",
  })),
  ...["81 80", "81 fd", "82 ff", "88 82"].map((bytes) => ({
    what: `a client getting a frame with a mask, ${bytes}`,
    bytes,
    text: "masked, and a server must not mask",
    code: "ERR_MASKED",
  })),
  ...[0, 1, 124, 125].map((size) => ({
    what: `a 16-bit length for ${size}`,
    bytes: `82 7e 00 ${size.toString(16).padStart(2, "0")}`,
    text: `a 16-bit length for ${size} bytes`,
    code: "ERR_LENGTH_NOT_MINIMAL",
  })),
  {
    what: "a masked 16-bit length for 5",
    bytes: "82 fe 00 05",
    role: "server",
    text: "a 16-bit length for 5 bytes",
    code: "ERR_LENGTH_NOT_MINIMAL",
  },
  {
    // Whatever its last two bytes are, 16 bits would be enough.
    what: "a 64-bit length below 65536",
    bytes: "82 7f 00 00 00 00 00 00",
    text: wide,
    code: "ERR_LENGTH_NOT_MINIMAL",
  },
  ...["80", "ff", "c0"].map((byte) => ({
    what: `a 64-bit length with its sign bit set, ${byte}`,
    bytes: `82 7f ${byte}`,
    text: sign,
    code: "ERR_LENGTH_SIGN",
  })),
  ...["7f", "01", "00 20", "00 ff", "00 40"].map((bytes): Violation => ({
    what: `a length of 2^53 or more, ${bytes}`,
    bytes: `82 7f ${bytes}`,
    text: huge,
    code: "ERR_MESSAGE_TOO_BIG",
    tooBig: true,
  })),
];

for (const { what, bytes, text, code, role = "client", rsv = 0, tooBig } of violations) {
  test(`FrameDecoder rejects ${what}`, () => {
    const wrong = hex(bytes);
    for (const before of ["", "82 01 07 89 00"]) {
      const valid = role === "client" ? hex(before) : new Uint8Array(0);
      const stream = join(valid, wrong, hex("00 00 00 00 00 00 00 00 82 01 07"));
      const inMessage = decodeUntilError(cut(stream, "byte by byte"), role, rsv);
      assertEquals(inMessage.index, valid.length + wrong.length - 1, "the byte that proves it");
      const whole = decodeUntilError(cut(stream, "whole"), role, rsv);
      for (const { error } of [inMessage, whole]) {
        assertInstanceOf(error, tooBig ? MessageTooBigError : ProtocolError);
        assertEquals(error.message, `Cannot decode frame: ${text}`);
        assertEquals([error.code, error.closeCode], [code, tooBig ? 1009 : 1002]);
      }
      assertEquals(whole.frames.length, inMessage.frames.filter((frame) => frame.whole).length);
    }
  });
}

/** Decodes up to the first error, then decodes a valid frame, which must be ignored. */
function decodeUntilError(chunks: Iterable<Uint8Array>, role: Role, rsv: number) {
  const frames: { whole: boolean }[] = [];
  const sink = {
    enqueue: ({ payload, payloadOffset, payloadLength }: Frame) =>
      frames.push({ whole: payloadOffset + payload.length === payloadLength }),
  };
  const decoder = new FrameDecoder({ role, rsv });
  const { index, error } = firstThrow(chunks, (chunk) => decoder.transform(chunk, sink));
  const before = frames.length;
  for (const more of ["82 01 07", "82 81 00 00 00 00 07", "83"]) decoder.transform(hex(more), sink);
  decoder.flush();
  assertEquals(frames.length, before, "a frame after the error");
  return { index, error, frames };
}

test("FrameDecoder passes on the frames before an invalid one in the same chunk", () => {
  const { frames, index } = decodeUntilError([hex("82 01 07 89 00 83")], "client", 0);
  assertEquals([frames.length, index], [2, 0]);
});

const truncated: [bytes: string, inside: string][] = [
  ["81", "frame"],
  ["81 05", "frame"],
  ["81 05 48 65", "frame"],
  ["81 7e", "frame"],
  ["81 7e 01", "frame"],
  ["82 7f 00 00", "frame"],
  ["89 02 48", "frame"],
  ["01 00 89", "frame"],
  ["01 03 48 65 6c", "message"],
  ["02 00 00 00 89 00", "message"],
];

for (const [bytes, inside] of truncated) {
  test(`FrameDecoder's flush tells that ${bytes} ends inside a ${inside}`, () => {
    const decoder = new FrameDecoder({ role: "client" });
    decoder.transform(hex(bytes), { enqueue: () => {} });
    const error = assertThrows(() => decoder.flush(), WebSocketError);
    assertEquals(error.message, `Cannot decode frame: the bytes end inside a ${inside}`);
    assertEquals([error.code, error.closeCode], ["ERR_TRUNCATED", 1006]);
    decoder.transform(hex("80 00"), { enqueue: () => assertEquals("a frame", "none") });
    decoder.flush();
  });
}

test("FrameDecoder's flush passes between two messages", () => {
  for (const bytes of ["", "81 00", "01 00 80 00", "89 01 07", "01 00 88 00 81"]) {
    const decoder = new FrameDecoder({ role: "client" });
    decoder.transform(hex(bytes), { enqueue: () => {} });
    decoder.flush();
  }
});
