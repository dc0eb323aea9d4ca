// Text through each of the fast paths, and without them, compared with the platform's decoder and encoder.
import { type FastText, provideFastPaths } from "../../src/protocol/fast_paths.ts";
import { createFastText } from "../../src/protocol/fast_text.ts";
import { FrameEncoder } from "../../src/protocol/frame_encoder.ts";
import { SimdKernel } from "../../src/protocol/simd_kernel.ts";
import { sizedBufferPool } from "../../src/protocol/sized_buffer_pool.ts";
import { decodeText, Utf8Validator } from "../../src/protocol/utf8.ts";
import { assert, assertEquals, hex, test } from "../harness.ts";
import { join, utf8 } from "../support/bytes.ts";
import { rawFrame } from "../support/frames.ts";
import { random, sameBytes } from "./frames.ts";
import { UTF8_CASES } from "./utf8_cases.ts";

const isBun = "Bun" in globalThis;
const { prototype } = (globalThis as unknown as { Buffer: { prototype: object } }).Buffer;
/** The global object of a runtime whose `Buffer` is JavaScript, as Deno's is. */
const scripted = {
  Buffer: {
    prototype: Object.create(prototype, { utf8Write: { value: () => "[native code]" } }),
  },
};

/** The global object of a runtime whose `Buffer` is native code, as Bun's is: a proxy's text says so. */
const native = {
  Buffer: {
    prototype: Object.fromEntries(
      ["latin1Slice", "utf8Slice", "utf8Write"].map((name) => [
        name,
        new Proxy((prototype as Record<string, () => unknown>)[name]!, {}),
      ]),
    ),
  },
};

const own = createFastText();
const none: FastText = {
  decodeAscii: () => undefined,
  decode: () => undefined,
  encode: () => undefined,
};
const PATHS: [name: string, text: FastText][] = [
  ["with the runtime's Buffer", own],
  ["with a Buffer in JavaScript", createFastText(scripted)],
  ["with a Buffer in native code", createFastText(native)],
  ["without Buffer", createFastText({})],
  ["with the platform's decoder and encoder alone", none],
];

/** Runs a function on the codec with other functions for text. */
function using(text: FastText, callback: () => void): void {
  const provide = (text: FastText) =>
    provideFastPaths({
      loadKernel: () => SimdKernel.load(),
      createValidator: () => new Utf8Validator(),
      pool: sizedBufferPool,
      text,
    });
  provide(text);
  try {
    callback();
  } finally {
    provide(own);
  }
}

const fatal = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Returns the platform's text; `undefined` if the bytes are not UTF-8. */
function model(bytes: Uint8Array): string | undefined {
  try {
    return fatal.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Checks the text of a range of bytes, which other bytes surround. */
function check(payload: Uint8Array, before = 3): void {
  const bytes = new Uint8Array(before + payload.length + 2).fill(0xbf);
  bytes.set(payload, before);
  let text: string | undefined;
  try {
    text = decodeText(bytes, before, before + payload.length);
  } catch (error) {
    assertEquals((error as Error).message, "Cannot take message: text that is not UTF-8");
  }
  const expected = model(payload);
  if (text !== expected) assertEquals(text, expected, `${payload.length} bytes: ${payload}`);
}

/** Checks the frame of a text, which other frames surround. */
function checkEncoded(text: string): void {
  const encoder = new FrameEncoder({ role: "server" });
  encoder.write("a");
  encoder.write(text);
  encoder.write("b");
  const [a, b] = ["a", "b"].map((letter) => rawFrame({ first: 0x81, payload: utf8(letter) }));
  const expected = join(a!, rawFrame({ first: 0x81, payload: utf8(text) }), b!);
  const bytes = encoder.take();
  assert(sameBytes(bytes, expected), `${text.length} characters: ${JSON.stringify(text)}`);
  FrameEncoder.recycle(bytes);
}

/** The lengths on both sides of each change of the way to decode or encode. */
const LENGTHS = [...Array(51).keys(), 63, 64, 65, 124, 125, 126, 127, 255, 256, 257, 1024];

/** Returns which lengths of ASCII have a path of their own: decoded alone, in any text, and encoded. */
function lengthsOf(text: FastText): [ascii: number, decoded: number, encoded: number] {
  const bytes = new Uint8Array(3 * 20_000).fill(0x61);
  const longest = (takes: (length: number) => boolean) => {
    let length = -1;
    while (length < 17_000 && takes(length + 1)) length++;
    return length;
  };
  return [
    longest((length) => text.decodeAscii(bytes, 0, length) !== undefined),
    longest((length) => text.decode(bytes, 0, length) !== undefined),
    longest((length) => text.encode("a".repeat(length), bytes, 0) !== undefined),
  ];
}

test("createFastText() uses native code on Bun, and only functions that are faster elsewhere", () => {
  assertEquals(lengthsOf(own), isBun ? [48, 17_000, 16_384] : [24, 256, -1]);
  assertEquals(lengthsOf(createFastText(scripted)), [24, 256, -1]);
  assertEquals(lengthsOf(createFastText({})), [24, -1, -1]);
});

for (const [name, text] of PATHS) {
  test(`decodeText decodes every byte at every position of a text, ${name}`, () => {
    using(text, () => {
      for (const length of LENGTHS) {
        const payload = Uint8Array.from({ length }, (_, i) => 0x20 + i % 90);
        const isShort = [1, 2, 16, 24, 25, 48, 49].includes(length);
        const values = isShort ? [...Array(256).keys()] : [0, 0x7f, 0x80, 0xff];
        for (let at = 0; at < length; at += length > 130 ? 41 : 1) {
          const before = payload[at]!;
          for (const value of values) {
            payload[at] = value;
            check(payload);
          }
          payload[at] = before;
        }
        check(payload);
      }
    });
  });

  test(`decodeText decodes and refuses what is not ASCII, anywhere, ${name}`, () => {
    using(text, () => {
      for (const { bytes } of UTF8_CASES) {
        const special = hex(bytes);
        for (const length of LENGTHS) {
          const filler = utf8("a".repeat(length));
          for (const payload of [join(filler, special), join(special, filler)]) check(payload);
        }
        check(join(hex("ef bb bf"), special));
      }
    });
  });

  test(`decodeText decodes random bytes as the platform does, ${name}`, () => {
    const next = random(11);
    const pick = (count: number) => next() % count;
    const pieces = UTF8_CASES.map(({ bytes }) => hex(bytes));
    using(text, () => {
      for (let n = 0; n < 5000; n++) {
        const length = LENGTHS[pick(LENGTHS.length)]!;
        const payload = Uint8Array.from({ length }, () => pick(128));
        for (let changes = pick(4); changes > 0 && length > 0; changes--) {
          const piece = pieces[pick(pieces.length)]!;
          const at = pick(length);
          payload.set(piece.subarray(0, length - at), at);
          if (pick(2) === 0) payload[pick(length)] = pick(256);
        }
        check(payload, pick(9));
      }
    });
  });

  test(`FrameEncoder encodes every kind of character at every place of a text, ${name}`, () => {
    using(text, () => {
      const kinds = [
        "\0",
        "\x7f",
        "\x80",
        "\xff",
        "\u07ff",
        "\u0800",
        "\ud800",
        "\udc00",
        "\ud83d\ude00",
      ];
      for (const length of [...LENGTHS, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1]) {
        checkEncoded("x".repeat(length));
        const step = length > 130 ? Math.ceil(length / 9) : 1;
        for (const kind of kinds) {
          for (let at = 0; at < length; at += step) {
            checkEncoded("x".repeat(at) + kind + "y".repeat(length - at - 1));
          }
          checkEncoded(kind.repeat(length));
        }
      }
    });
  });

  test(`FrameEncoder encodes random text as the platform does, ${name}`, () => {
    const next = random(12);
    const ranges = [[0, 0x80], [0, 0x800], [0, 0x10000], [0xd800, 0x800]] as const;
    using(text, () => {
      for (let n = 0; n < 5000; n++) {
        let content = "";
        for (let left = LENGTHS[next() % LENGTHS.length]!; left > 0; left--) {
          const [from, count] = ranges[next() % (n % 4 + 1)]!;
          content += String.fromCharCode(from + next() % count);
        }
        checkEncoded(content);
      }
    });
  });
}
