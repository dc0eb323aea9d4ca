import "../../src/protocol/provide_fast_paths.ts";
import { DecodedFrame, payloadSize } from "../../src/protocol/decoded_frame.ts";
import { mask, unmaskTo } from "../../src/protocol/mask.ts";
import { assert, assertEquals, test } from "../harness.ts";
import { randomBytes, sameBytes } from "./frames.ts";

const KEY = 0x3d21fa37;

/** Returns a part of a frame whose payload is masked, and the payload. */
function maskedPart(size: number): { frame: DecodedFrame; payload: Uint8Array; chunk: Uint8Array } {
  const payload = randomBytes(size, size);
  const chunk = new Uint8Array(size + 10);
  chunk.set(payload, 6);
  mask(chunk, 6, 6 + size, KEY);
  const frame = new DecodedFrame(0x82, size + 100, 0, chunk, 6, 6 + size, KEY);
  return { frame, payload, chunk };
}

for (const size of [0, 1, 31, 32, 4095, 4096, 20_001]) {
  test(`DecodedFrame.payload unmasks ${size} bytes once`, () => {
    const { frame, payload } = maskedPart(size);
    assertEquals([payloadSize(frame), frame.isWholeMessage], [size, false]);
    assert(sameBytes(frame.payload, payload));
    assert(sameBytes(frame.payload, payload));
    const target = new Uint8Array(size + 3);
    frame.moveTo(target, 3);
    assert(sameBytes(target.subarray(3), payload));
  });

  test(`DecodedFrame.moveTo copies ${size} bytes unmasked`, () => {
    const { frame, payload } = maskedPart(size);
    const target = new Uint8Array(size + 9);
    frame.moveTo(target, 5);
    assert(sameBytes(target.subarray(5, 5 + size), payload));
    assertEquals([...target.subarray(0, 5), ...target.subarray(5 + size)], Array(9).fill(0));
  });
}

test("payloadSize of any other frame is the length of its payload", () => {
  const rest = { fin: true, rsv1: false, rsv2: false, rsv3: false, opcode: 2 as const };
  const payload = randomBytes(7);
  assertEquals(payloadSize({ ...rest, payload, payloadLength: 9, payloadOffset: 0 }), 7);
});

test("unmaskTo of a long range leaves the range as it is", () => {
  const { chunk, payload } = maskedPart(8000);
  const before = chunk.slice();
  const target = new Uint8Array(8000);
  unmaskTo(chunk, 6, 8006, KEY, target, 0);
  assert(sameBytes(target, payload));
  assert(sameBytes(chunk, before));
});
