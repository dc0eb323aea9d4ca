import { SegmentQueue } from "../../src/connection/segment_queue.ts";
import { SharedFrameEncoder } from "../../src/protocol/shared_frame_encoder.ts";
import { assert, assertEquals, test } from "../harness.ts";

test("SegmentQueue writes shared frames that lie one behind the other at once, in order with others", () => {
  const encoder = new SharedFrameEncoder();
  const queue = new SegmentQueue();
  queue.push(Uint8Array.of(1, 2));
  queue.pushShared(encoder.encode("a"));
  queue.pushShared(encoder.encode("b"));
  queue.push(Uint8Array.of(3));
  queue.pushShared(encoder.encode("c"));
  assertEquals(queue.memoryUsage, 2 + 6 + 1 + 3);
  assertEquals([queue.shift(), queue.isShared], [Uint8Array.of(1, 2), false]);
  assertEquals([queue.shift(), queue.isShared], [
    Uint8Array.of(0x81, 1, 0x61, 0x81, 1, 0x62),
    true,
  ]);
  assertEquals([queue.shift(), queue.isShared], [Uint8Array.of(3), false]);
  assertEquals([queue.shift(), queue.isShared], [Uint8Array.of(0x81, 1, 0x63), true]);
  assertEquals([queue.shift(), queue.memoryUsage], [undefined, 0]);
});

test("SegmentQueue begins anew behind a run that is being written", () => {
  const encoder = new SharedFrameEncoder();
  const queue = new SegmentQueue();
  queue.pushShared(encoder.encode("a"));
  assertEquals(queue.shift(), Uint8Array.of(0x81, 1, 0x61));
  queue.pushShared(encoder.encode("b"));
  assertEquals(queue.shift(), Uint8Array.of(0x81, 1, 0x62));
});

test("queues that hold the same frames write the same view", () => {
  const encoder = new SharedFrameEncoder();
  const frames = [encoder.encode("a"), encoder.encode("b")];
  const views = [1, 2].map(() => {
    const queue = new SegmentQueue();
    for (const frame of frames) queue.pushShared(frame);
    return queue.shift();
  });
  assert(views[0] === views[1]);
});

for (const size of [0, 125, 126, 4000, 4096, 65535, 65536]) {
  test(`SharedFrameEncoder encodes ${size} bytes, and never writes over them`, () => {
    const encoder = new SharedFrameEncoder();
    const frames = Array.from(
      { length: 50 },
      (_, n) => encoder.encode(new Uint8Array(size).fill(n)),
    );
    for (const [n, { block, start, end }] of frames.entries()) {
      const frame = block.subarray(start, end);
      const header = size <= 125 ? 2 : size <= 0xffff ? 4 : 10;
      assertEquals([frame[0], frame.length], [0x82, header + size]);
      assert(frame.subarray(header).every((byte) => byte === n));
    }
  });
}
