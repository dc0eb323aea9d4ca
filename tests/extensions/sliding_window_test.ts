import { SlidingWindow } from "../../src/extensions/sliding_window.ts";
import { random, randomBytes, sameBytes } from "../protocol/frames.ts";
import { assert, assertEquals, test } from "../harness.ts";

function contents(window: SlidingWindow): Uint8Array {
  const bytes = new Uint8Array(window.length + 3);
  window.copyTo(bytes, 3);
  return bytes.subarray(3);
}

for (const size of [256, 1024, 4096, 32768]) {
  test(`SlidingWindow of ${size} bytes keeps the last bytes that were appended`, () => {
    const next = random(size);
    for (const most of [7, size / 3, size, 3 * size]) {
      const window = new SlidingWindow(size);
      const all = randomBytes(5 * size);
      for (let position = 0; position < all.length;) {
        const end = Math.min(all.length, position + next() % Math.ceil(most + 1));
        window.append(all.subarray(position, end));
        position = end;
        assertEquals(window.length, Math.min(size, position));
        assert(window.capacity <= size);
        // Comparing all of a large window each time would take seconds.
        if (next() % size > 256) continue;
        assert(sameBytes(contents(window), all.subarray(Math.max(0, position - size), position)));
      }
    }
  });
}

test("SlidingWindow allocates memory as it fills, and frees it when it is cleared", () => {
  const window = new SlidingWindow(32768);
  assertEquals(window.capacity, 0);
  window.append(new Uint8Array(10));
  assertEquals(window.capacity, 1024);
  window.append(new Uint8Array(1015));
  assertEquals([window.capacity, window.length], [2048, 1025]);
  window.append(new Uint8Array(100_000));
  assertEquals([window.capacity, window.length], [32768, 32768]);
  window.clear();
  assertEquals([window.capacity, window.length], [0, 0]);
  window.append(new Uint8Array([1, 2]));
  assertEquals([...contents(window)], [1, 2]);
});

test("SlidingWindow continues at its start when it is exactly full", () => {
  const window = new SlidingWindow(256);
  window.append(randomBytes(256, 1));
  assertEquals(contents(window), randomBytes(256, 1));
  window.append(new Uint8Array([9]));
  assertEquals(contents(window)[255], 9);
  assertEquals(contents(window)[0], randomBytes(256, 1)[1]);
});
