import "../../src/protocol/provide_fast_paths.ts";
import { fileURLToPath } from "node:url";
import { mask, maskByWords } from "../../src/protocol/mask.ts";
import { simdKernel } from "../../src/protocol/fast_paths.ts";
import { SimdKernel } from "../../src/protocol/simd_kernel.ts";
import { Utf8Validator } from "../../src/protocol/utf8.ts";
import { assert, assertEquals, canRun, hex, run, test, testIf } from "../harness.ts";
import { join, utf8 } from "../support/bytes.ts";
import { random, randomBytes, sameBytes } from "./frames.ts";
import { UTF8_CASES } from "./utf8_cases.ts";

const kernel = simdKernel()!;
const KEY = 0x3d21fa37;

test("simdKernel is supported on this runtime, and loaded once", () => {
  assert(kernel instanceof SimdKernel);
  assertEquals(simdKernel() === kernel, true);
});

test("SimdKernel.load returns undefined if the module cannot be compiled", () => {
  // The magic number and the version, and then a section that does not exist.
  for (const base64 of ["", "AGFzbQEAAAD/", "not base64!"]) {
    assertEquals(SimdKernel.load(base64), undefined);
  }
});

testIf(
  canRun("node"),
  "simd_kernel_bytes.ts is what simd_kernel.wat builds",
  async () => {
    const tool = fileURLToPath(new URL("../../tools/build_kernel.mjs", import.meta.url));
    const { code, stderr } = await run("node", [tool, "--check"]);
    assertEquals([code, stderr], [0, ""]);
  },
);

test("SimdKernel.mask masks like TypeScript, for 32 to 300 bytes at every alignment", () => {
  for (let start = 0; start < 16; start++) {
    for (let size = 32; size < 300; size++) {
      const bytes = randomBytes(start + size + 20, size);
      const expected = bytes.slice();
      maskByWords(expected, start, start + size, KEY);
      kernel.mask(bytes, start, start + size, KEY, bytes, start);
      assert(sameBytes(bytes, expected), `${size} bytes from ${start}`);
    }
  }
});

test("mask masks large payloads with SIMD as without, at the edges of its pieces", () => {
  for (const size of [4095, 4096, 4097, 8191, 8192, 8193, 16_385, 100_003]) {
    for (const start of [0, 1, 6, 14]) {
      const bytes = randomBytes(start + size + 9, size);
      const expected = bytes.slice();
      maskByWords(expected, start, start + size, KEY);
      mask(bytes, start, start + size, KEY);
      assert(sameBytes(bytes, expected), `${size} bytes from ${start}`);
    }
  }
});

/** Returns whether TypeScript alone accepts the bytes: pieces of 32 bytes are too short for SIMD. */
function model(bytes: Uint8Array): { isValid: boolean; isComplete: boolean } {
  const validator = new Utf8Validator();
  for (let at = 0; at < bytes.length; at += 32) {
    if (!validator.push(bytes.subarray(at, at + 32))) return { isValid: false, isComplete: false };
  }
  return { isValid: true, isComplete: validator.isComplete };
}

for (const { name, bytes, wrong } of UTF8_CASES) {
  test(`Utf8Validator with SIMD ${wrong === "valid" ? "accepts" : "rejects"} ${name} anywhere`, () => {
    const special = hex(bytes);
    for (const filler of ["a", "\u00e9", "\u20ac", "\u{1f600}"]) {
      for (let before = 0; before < 40; before++) {
        // The first character is not ASCII, so that SIMD is used from there.
        const start = utf8("\u00e9" + "a".repeat(before));
        const end = utf8(filler.repeat(80));
        const text = join(start, special, end);
        const validator = new Utf8Validator();
        const isValid = validator.push(text);
        assertEquals({ isValid, isComplete: isValid && validator.isComplete }, model(text));
        // What is cut at the end may be completed by the next part.
        const tail = join(start, utf8(filler.repeat(80)), special);
        const cut = new Utf8Validator();
        assertEquals(cut.push(tail), typeof wrong !== "number", `${before} before, at the end`);
        if (wrong === "end") assert(!cut.isComplete);
      }
    }
  });
}

test("SimdKernel.validate agrees with TypeScript on damaged text of many pieces", () => {
  const next = random(7);
  const characters = ["a", "\u00e9", "\u20ac", "\u{1f600}", "\u07ff", "\ud7ff", "\u{10ffff}"];
  for (let round = 0; round < 300; round++) {
    let text = "";
    while (text.length < 200 + next() % 9000) text += characters[next() % characters.length];
    const bytes = utf8(text);
    if (round % 3 > 0) bytes[next() % bytes.length] = next();
    const { isValid } = model(bytes);
    const at = kernel.validate(bytes, 0, 16);
    const isValidByKernel = at >= 0 && new Utf8Validator().push(bytes.subarray(at));
    assertEquals(isValidByKernel, isValid, `round ${round}`);
    assert(at < 0 || bytes.length - at < 32, "all but the last bytes are validated");
  }
});
