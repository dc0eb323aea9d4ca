import { allocate } from "../../src/transport/allocate.ts";
import { assertEquals, test } from "../harness.ts";

for (const size of [0, 1, 4096, 1_000_000]) {
  test(`allocate returns ${size} bytes in a buffer of their own`, () => {
    const bytes = allocate(size);
    assertEquals(Object.getPrototypeOf(bytes), Uint8Array.prototype);
    assertEquals([bytes.length, bytes.byteOffset, bytes.buffer.byteLength], [size, 0, size]);
    bytes.fill(1);
    allocate(size).fill(2);
    assertEquals(bytes.includes(2), false);
  });
}
