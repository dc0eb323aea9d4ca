import "../../src/protocol/provide_fast_paths.ts";
import { isValidUtf8, Utf8Validator } from "../../src/protocol/utf8.ts";
import { assert, assertEquals, hex, test } from "../harness.ts";
import { join, utf8 } from "../support/bytes.ts";
import { random } from "./frames.ts";
import { UTF8_CASES } from "./utf8_cases.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Whether the platform decodes bytes that do not have U+FFFD. A decoder that throws is slower. */
function platformTakes(bytes: Uint8Array): boolean {
  return !decoder.decode(bytes).includes("\ufffd");
}

/** RFC 3629 §4 for a string with one character for each byte: whole characters, then a part of one. */
const beginnings =
  /^(?:[\0-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*(?:[\xc2-\xdf]|\xe0[\xa0-\xbf]?|[\xe1-\xec\xee\xef][\x80-\xbf]?|\xed[\x80-\x9f]?|\xf0(?:[\x90-\xbf][\x80-\xbf]?)?|[\xf1-\xf3][\x80-\xbf]{0,2}|\xf4(?:[\x80-\x8f][\x80-\xbf]?)?)?$/;

function canBegin(bytes: Uint8Array): boolean {
  return beginnings.test(String.fromCharCode(...bytes));
}

/** Returns the index at which a validator rejects the bytes, pushed one by one; -1 if it accepts all. */
function firstBad(bytes: Uint8Array, validator = new Utf8Validator()): number {
  return bytes.findIndex((_, i) => !validator.push(bytes.subarray(i, i + 1)));
}

// The edges of every range of RFC 3629 §4, and one value between.
const EDGES = hex("00 41 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ed ee f0 f1 f4 f5 ff");

/** Calls back with every sequence of edges: the same array each time, with other content. */
function forSequences(length: number, callback: (bytes: Uint8Array) => void): void {
  const bytes = new Uint8Array(length);
  for (let n = 0; n < EDGES.length ** length; n++) {
    for (let i = 0, rest = n; i < length; i++) {
      bytes[i] = EDGES[rest % EDGES.length]!;
      rest = Math.floor(rest / EDGES.length);
    }
    callback(bytes);
  }
}

/** Returns the pieces of `bytes`, as views, for each set of places to cut. */
function cutEverywhere(bytes: Uint8Array): Uint8Array[][] {
  const { length } = bytes;
  return Array.from({ length: 2 ** Math.max(0, length - 1) }, (_, cuts) => {
    const ends = Array.from({ length }, (_, i) => i + 1)
      .filter((end) => end === length || (cuts >> (end - 1) & 1) === 1);
    return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
  });
}

for (const length of [0, 1, 2, 3, 4]) {
  test(`Utf8Validator judges ${length} bytes as the platform does, at every split`, () => {
    let splits: Uint8Array[][] | undefined;
    forSequences(length, (bytes) => {
      splits ??= cutEverywhere(bytes);
      const valid = platformTakes(bytes);
      if (isValidUtf8(bytes) !== valid) assertEquals(isValidUtf8(bytes), valid, `${bytes}`);
      for (const pieces of splits) {
        const validator = new Utf8Validator();
        const judged = pieces.every((piece) => validator.push(piece)) && validator.isComplete;
        if (judged !== valid) assertEquals(judged, valid, `${pieces.join(" | ")}`);
      }
    });
    assertEquals(splits?.length, 2 ** Math.max(0, length - 1));
  });
}

for (const length of [1, 2, 3]) {
  test(`Utf8Validator finds the first bad of ${length} bytes at once`, () => {
    forSequences(length, (bytes) => {
      const bad = firstBad(bytes);
      const expected = bytes.findIndex((_, i) => !canBegin(bytes.subarray(0, i + 1)));
      if (bad !== expected) assertEquals(bad, expected, `${bytes}`);
    });
  });
}

test("Utf8Validator accepts every character, and only whole ones are complete", () => {
  for (let point = 0; point <= 0x10ffff; point += point < 0x3000 || point > 0x10fff0 ? 1 : 61) {
    if (point >= 0xd800 && point <= 0xdfff) continue;
    const bytes = utf8(String.fromCodePoint(point));
    const validator = new Utf8Validator();
    assert(validator.push(bytes) && validator.isComplete, `U+${point.toString(16)}`);
    for (let end = 1; end < bytes.length; end++) {
      const cut = new Utf8Validator();
      assert(cut.push(bytes.subarray(0, end)) && !cut.isComplete);
    }
  }
});

for (const { name, bytes, wrong } of UTF8_CASES) {
  test(`Utf8Validator ${wrong === "valid" ? "accepts" : "rejects"} ${name}`, () => {
    const validator = new Utf8Validator();
    assertEquals(firstBad(hex(bytes), validator), typeof wrong === "number" ? wrong : -1);
    if (typeof wrong !== "number") assertEquals(validator.isComplete, wrong === "valid");
    assertEquals(isValidUtf8(hex(bytes)), wrong === "valid");
  });
}

test("Utf8Validator finds an invalid byte at each position in a run of ASCII, at every alignment", () => {
  for (let align = 0; align < 4; align++) {
    for (let size = 1; size <= 90; size++) {
      const run = new Uint8Array(align + size).fill(0x61).subarray(align);
      assert(isValidUtf8(run), `${size} at ${align}`);
      for (let at = 0; at < size; at++) {
        for (const bad of [0x80, 0xff]) {
          run[at] = bad;
          assert(!isValidUtf8(run), `${size} at ${align}, ${bad} at ${at}`);
        }
        run[at] = 0x61;
      }
    }
  }
});

test("Utf8Validator accepts characters of 2 to 4 bytes at each position in a run of ASCII", () => {
  for (const character of ["\u00e9", "\u20ac", "\u{1f600}"].map(utf8)) {
    for (let align = 0; align < 4; align++) {
      for (let at = 0; at <= 80; at++) {
        const run = new Uint8Array(align + 80 + character.length).fill(0x61).subarray(align);
        run.set(character, at);
        assert(isValidUtf8(run), `${character} at ${align} + ${at}`);
        assert(!isValidUtf8(run.subarray(0, at + character.length - 1)));
      }
    }
  }
});

test("Utf8Validator does not read beyond its view", () => {
  const buffer = new Uint8Array(200).fill(0xff);
  for (let start = 0; start < 8; start++) {
    for (let size = 0; size < 80; size++) {
      buffer.fill(0x61, start, start + size);
      assert(isValidUtf8(buffer.subarray(start, start + size)));
      buffer.fill(0xff);
    }
  }
});

test("Utf8Validator accepts a long text in random pieces, and finds its one invalid byte", () => {
  const text = join(utf8("plain ".repeat(40)), utf8("\u00e9\u20ac\u{1f600}".repeat(40)));
  const next = random(3);
  for (let round = 0; round < 200; round++) {
    const bytes = text.slice();
    const bad = round % 2 === 0 ? -1 : next() % bytes.length;
    if (bad >= 0) bytes[bad] = 0xff;
    const validator = new Utf8Validator();
    for (let start = 0; start < bytes.length;) {
      const end = Math.min(bytes.length, start + next() % 100);
      const taken = validator.push(bytes.subarray(start, end));
      assertEquals(taken, !(bad >= start && bad < end));
      if (!taken) break;
      start = end;
    }
    if (bad < 0) assert(validator.isComplete);
  }
});
