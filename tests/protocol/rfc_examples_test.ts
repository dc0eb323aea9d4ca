// RFC 6455 §5.7 "Examples", byte by byte, in both directions.
import { mask } from "../../src/protocol/mask.ts";
import { FrameEncoder } from "../../src/protocol/frame_encoder.ts";
import type { FrameInit, Role } from "../../src/protocol/frame.ts";
import { assertEquals, hex, test, toHex } from "../harness.ts";
import { assembleAll, CHUNKINGS, cut, decodeAll, frameText } from "./frames.ts";
import { parseFrames } from "../support/frames.ts";
import { utf8 } from "../support/bytes.ts";

const bytes256 = Uint8Array.from({ length: 256 }, (_, i) => i);
const bytes64k = Uint8Array.from({ length: 65536 }, (_, i) => i);

interface Example {
  name: string;
  /** The receiving end. */
  to: Role;
  bytes: string;
  /** The frames, as `frameText` returns them. */
  frames: string[];
  /** The input of the encoder for the same bytes. */
  sent: FrameInit[];
}

const examples: Example[] = [
  {
    name: "a single-frame unmasked text message",
    to: "client",
    bytes: "81 05 48 65 6c 6c 6f",
    frames: ["FIN 0x1 48 65 6c 6c 6f"],
    sent: [{ opcode: 1, payload: utf8("Hello") }],
  },
  {
    name: "a single-frame masked text message",
    to: "server",
    bytes: "81 85 37 fa 21 3d 7f 9f 4d 51 58",
    frames: ["FIN 0x1 48 65 6c 6c 6f"],
    sent: [{ opcode: 1, payload: utf8("Hello") }],
  },
  {
    name: "a fragmented unmasked text message",
    to: "client",
    bytes: "01 03 48 65 6c 80 02 6c 6f",
    frames: ["0x1 48 65 6c", "FIN 0x0 6c 6f"],
    sent: [{ opcode: 1, fin: false, payload: utf8("Hel") }, { opcode: 0, payload: utf8("lo") }],
  },
  {
    name: "an unmasked ping",
    to: "client",
    bytes: "89 05 48 65 6c 6c 6f",
    frames: ["FIN 0x9 48 65 6c 6c 6f"],
    sent: [{ opcode: 9, payload: utf8("Hello") }],
  },
  {
    name: "a masked pong",
    to: "server",
    bytes: "8a 85 37 fa 21 3d 7f 9f 4d 51 58",
    frames: ["FIN 0xa 48 65 6c 6c 6f"],
    sent: [{ opcode: 10, payload: utf8("Hello") }],
  },
  {
    name: "256 bytes in an unmasked binary frame",
    to: "client",
    bytes: `82 7e 01 00 ${toHex(bytes256)}`,
    frames: [`FIN 0x2 ${toHex(bytes256)}`],
    sent: [{ opcode: 2, payload: bytes256 }],
  },
  {
    name: "64 KiB in an unmasked binary frame",
    to: "client",
    bytes: `82 7f 00 00 00 00 00 01 00 00 ${toHex(bytes64k)}`,
    frames: [`FIN 0x2 ${toHex(bytes64k)}`],
    sent: [{ opcode: 2, payload: bytes64k }],
  },
];

for (const { name, to, bytes, frames, sent } of examples) {
  test(`FrameDecoder decodes the RFC's example of ${name}`, () => {
    assertEquals(decodeAll([hex(bytes)], { role: to }).map(frameText), frames);
  });

  test(`FrameDecoder decodes the RFC's example of ${name} byte by byte`, () => {
    const parts = decodeAll(cut(hex(bytes), "byte by byte"), { role: to });
    // The parts of a frame, joined.
    const whole: string[] = [];
    for (const part of parts) {
      if (part.payloadOffset > 0) whole.push(`${whole.pop()} ${toHex(part.payload)}`);
      else if (part.payload.length > 0 || part.payloadLength === 0) whole.push(frameText(part));
    }
    assertEquals(whole, frames);
  });

  test(`FrameEncoder encodes the RFC's example of ${name}`, () => {
    const encoder = new FrameEncoder({ role: to === "server" ? "client" : "server" });
    for (const frame of sent) encoder.write(frame);
    const encoded = encoder.take();
    if (to === "client") return assertEquals(toHex(encoded), toHex(hex(bytes)));
    // The key is random, so it is replaced by that of the example.
    const [{ header, key, payload }] = parseFrames(encoded) as [ReturnType<typeof parseFrames>[0]];
    assertEquals(key.length, "37 fa 21 3d".length);
    mask(payload, 0, payload.length, 0x3d21fa37);
    assertEquals(`${header} 37 fa 21 3d ${toHex(payload)}`, bytes);
  });
}

for (const chunking of CHUNKINGS) {
  test(`MessageAssembler reads the RFC's text examples, ${chunking}`, () => {
    for (const { to, bytes } of examples.slice(0, 3)) {
      assertEquals(assembleAll(cut(hex(bytes), chunking), { role: to }), ["Hello"]);
    }
  });
}
