import "../../src/protocol/provide_fast_paths.ts";
import { acquireBuffer, releaseBuffer } from "../../src/protocol/fast_paths.ts";
import { assert, assertEquals, assertStrictEquals, test } from "../harness.ts";

const LARGE = 65 * 1024;
const LARGER = 257 * 1024;
const LARGEST = 1025 * 1024;

test("acquireBuffer returns the next larger size", () => {
  const table: [wanted: number, lent: number][] = [
    [0, 4096],
    [1, 4096],
    [4096, 4096],
    [4097, LARGE],
    [LARGE, LARGE],
    [LARGE + 1, LARGER],
    [LARGER + 1, LARGEST],
    [LARGEST, LARGEST],
  ];
  for (const [wanted, lent] of table) {
    const buffer = acquireBuffer(wanted);
    assertEquals(buffer.length, lent, `for ${wanted}`);
    releaseBuffer(buffer);
  }
});

test("acquireBuffer allocates a larger buffer exactly", () => {
  assertEquals(acquireBuffer(LARGEST + 1).length, LARGEST + 1);
});

test("acquireBuffer reuses a released buffer, for one borrower only", () => {
  const buffer = acquireBuffer(100);
  releaseBuffer(buffer);
  assertStrictEquals(acquireBuffer(100), buffer);
  assert(acquireBuffer(100) !== buffer);
});

test("releaseBuffer keeps no buffer of another size", () => {
  const odd = new Uint8Array(5000);
  releaseBuffer(odd);
  const large = new Uint8Array(LARGEST + 1);
  releaseBuffer(large);
  releaseBuffer(new Uint8Array(0));
  assert(acquireBuffer(5000) !== odd);
  assert(acquireBuffer(LARGEST + 1) !== large);
  assertEquals(acquireBuffer(0).length, 4096);
});

test("releaseBuffer keeps a bounded number of each size", () => {
  for (const [size, kept] of [[4096, 256], [LARGE, 28], [LARGER, 8], [LARGEST, 2]] as const) {
    const given = Array.from({ length: kept + 5 }, () => new Uint8Array(size));
    const before = Array.from({ length: kept + 5 }, () => acquireBuffer(size)); // empties the pool
    for (const buffer of given) releaseBuffer(buffer);
    const known = new Set(given);
    const again = given.map(() => acquireBuffer(size));
    assertEquals(again.filter((buffer) => known.has(buffer)).length, kept, `of ${size} bytes`);
    assertEquals(new Set(again).size, again.length);
    assertEquals(before.length, again.length);
  }
});
