import { freshMaskingKey } from "../../src/protocol/masking_key.ts";
import { assert, assertEquals, onTestEnd, test } from "../harness.ts";

test("freshMaskingKey gives 32-bit keys that differ", () => {
  const keys = Array.from({ length: 2000 }, freshMaskingKey);
  assert(keys.every((key) => Number.isInteger(key) && key === (key | 0)));
  // Among 2,000 of 2^32, two alike are a matter of 1 in 2,000 runs, three of 1 in 10 million.
  assert(new Set(keys).size >= keys.length - 1);
  for (let bit = 0; bit < 32; bit++) {
    const set = keys.filter((key) => (key >>> bit & 1) === 1).length;
    assert(set > 700 && set < 1300, `bit ${bit} is set in ${set} of 2,000`);
  }
});

test("freshMaskingKey draws each key once from crypto.getRandomValues", () => {
  const original = crypto.getRandomValues;
  onTestEnd(() => {
    crypto.getRandomValues = original;
  });
  const drawn: number[] = [];
  crypto.getRandomValues = <T extends ArrayBufferView | null>(array: T): T => {
    original.call(crypto, array as Int32Array<ArrayBuffer>);
    drawn.push(...array as unknown as Int32Array);
    return array;
  };
  // What an earlier draw left comes first; then each drawn key, in its turn.
  const given = Array.from({ length: 1024 }, freshMaskingKey);
  assert(drawn.length >= 768);
  const start = given.indexOf(drawn[0]!);
  assert(start >= 0 && start <= 256);
  assertEquals(given.slice(start), drawn.slice(0, given.length - start));
});
