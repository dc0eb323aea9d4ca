import {
  InvalidPayloadError,
  MessageTooBigError,
  PolicyViolationError,
} from "../../src/protocol/errors.ts";
import { Opcode } from "../../src/protocol/opcode.ts";
import { deflateRawSync } from "node:zlib";
import { assert, assertEquals, assertThrows, hex, test, toHex } from "../harness.ts";
import { CHUNKINGS, cut, firstThrow, randomBytes } from "../protocol/frames.ts";
import { join, utf8 } from "../support/bytes.ts";
import {
  compressed,
  CONTEXTS,
  farthestMatch,
  json,
  makeDeflate,
  Receiver,
} from "./deflate_helpers.ts";

const TAIL = hex("00 00 ff ff");

/** Invalid payloads of one message each, which follows a valid message. */
const invalid: [what: string, payload: string, code: string][] = [
  ["a match beyond all that came", toHex(farthestMatch(9)), "ERR_INVALID_DEFLATE"],
  ["a block of type 3", "07", "ERR_INVALID_DEFLATE"],
  [
    "a block of type 3 after a good one",
    "f2 48 cd c9 c9 07 00 00 00 ff ff 07",
    "ERR_INVALID_DEFLATE",
  ],
  [
    "a stored block whose lengths don't agree",
    "00 05 00 05 00 48 65 6c 6c 6f 00",
    "ERR_INVALID_DEFLATE",
  ],
  ["a dynamic block with too many codes", "fc ff", "ERR_INVALID_DEFLATE"],
  ["noise", "9d 3c a7 11 5e 80 42", "ERR_INVALID_DEFLATE"],
  ["garbage behind a final block", "f3 48 cd c9 c9 07 00 ff ff 00", "ERR_INVALID_DEFLATE"],
  ["a text that ends within a fixed block", "f2 48 cd c9", "ERR_TRUNCATED_DEFLATE"],
  ["a text that ends within a stored block", "00 09 00 f6 ff 48 65 6c", "ERR_TRUNCATED_DEFLATE"],
  [
    "a stored block that the tail would end",
    "00 09 00 f6 ff 48 65 6c 6c 6f",
    "ERR_TRUNCATED_DEFLATE",
  ],
  ["a final one that the tail would end", "01 09 00 f6 ff 48 65 6c 6c 6f", "ERR_TRUNCATED_DEFLATE"],
  ["a stored block that takes in more", "00 0a 00 f5 ff 48 65 6c 6c 6f", "ERR_TRUNCATED_DEFLATE"],
  ["a final one that takes in more", "01 0f 00 f0 ff 48 65 6c 6c 6f", "ERR_TRUNCATED_DEFLATE"],
  ["a final block without a byte behind it", "f3 48 cd c9 c9 07 00", "ERR_TRUNCATED_DEFLATE"],
  [
    "a cut within as many final blocks as may be",
    "03 00 ".repeat(64) + "03",
    "ERR_TRUNCATED_DEFLATE",
  ],
  ["nothing at all", "", "ERR_INVALID_DEFLATE"],
  ["a stored block's header, cut", "00 05", "ERR_INVALID_DEFLATE"],
];

for (const [name, takesContextOver] of CONTEXTS) {
  for (const [what, payload, code] of invalid) {
    test(`Inflater (${name}) answers ${what} with 1007`, () => {
      for (const chunking of CHUNKINGS) {
        const receiver = new Receiver(makeDeflate({ takesContextOver }));
        receiver.take(compressed([hex("f2 48 cd c9 c9 07 00")]));
        const chunks = cut(compressed([hex(payload)]), chunking);
        const { error } = firstThrow(chunks, (chunk) => receiver.take(chunk));
        assert(error instanceof InvalidPayloadError, `${error}`);
        assertEquals(error.closeCode, 1007);
        assertEquals(error.code, code);
        assertEquals(receiver.messages, ["Hello"]);
      }
    });
  }

  test(`Inflater (${name}) answers any cut of a message with 1007`, () => {
    const whole = deflateRawSync(json(400), { finishFlush: 2 }).subarray(0, -4);
    for (let length = 0; length < whole.length; length++) {
      const receiver = new Receiver(makeDeflate({ takesContextOver }));
      const error = assertThrows(
        () => receiver.take(compressed([whole.slice(0, length)])),
        InvalidPayloadError,
      );
      assert(/^ERR_(TRUNCATED|INVALID)_DEFLATE$/.test(error.code), error.code);
    }
  });

  test(`Inflater (${name}) rejects a message with a changed byte with 1007, or inflates it to other bytes`, () => {
    const whole = deflateRawSync(json(200), { finishFlush: 2 }).subarray(0, -4);
    let refused = 0;
    for (let i = 0; i < whole.length; i++) {
      const damaged = new Uint8Array(whole);
      damaged[i] ^= 0x5b;
      const receiver = new Receiver(makeDeflate({ takesContextOver }));
      try {
        receiver.take(compressed([damaged], Opcode.Binary));
      } catch (error) {
        assert(error instanceof InvalidPayloadError, `${error}`);
        refused++;
      }
    }
    assert(refused > whole.length / 4, `${refused} of ${whole.length}`);
  });

  test(`Inflater (${name}) accepts a message of maxMessageSize, and rejects one byte more`, () => {
    for (const size of [1, 1000, 65535, 65536, 65537, 200_000]) {
      const payload = new Uint8Array(deflateRawSync(new Uint8Array(size), { finishFlush: 2 }));
      const message = compressed([payload.subarray(0, -4)], Opcode.Binary);
      const receiver = new Receiver(makeDeflate({ takesContextOver, maxMessageSize: size }));
      receiver.take(message);
      receiver.take(message);
      assertEquals(receiver.messages.map(({ length }) => length), [size, size]);
      if (size === 1) continue;
      const other = new Receiver(makeDeflate({ takesContextOver, maxMessageSize: size - 1 }));
      const error = assertThrows(() => other.take(message), MessageTooBigError);
      assertEquals(error.closeCode, 1009);
      assertEquals(other.messages, []);
    }
  });

  test(`Inflater (${name}) stops a bomb within its limit, whole and in fragments`, () => {
    const bomb = new Uint8Array(
      deflateRawSync(new Uint8Array(64 * 1024 * 1024), { finishFlush: 2 }),
    );
    assert(bomb.length < 66_000, "1:1000");
    const payload = bomb.subarray(0, -4);
    const third = Math.floor(payload.length / 3);
    const fragments = [0, 1, 2].map((i) =>
      payload.slice(i * third, i === 2 ? undefined : (i + 1) * third)
    );
    for (const payloads of [[payload], fragments]) {
      const receiver = new Receiver(makeDeflate({ takesContextOver, maxMessageSize: 1024 * 1024 }));
      assertThrows(() => receiver.take(compressed(payloads, Opcode.Binary)), MessageTooBigError);
      assert(receiver.produced <= 1024 * 1024, `${receiver.produced} bytes`);
    }
  });

  test(`Inflater (${name}) limits the number of final blocks`, () => {
    const receiver = new Receiver(makeDeflate({ takesContextOver }));
    // Empty final blocks with fixed codes.
    const many = (count: number) => join(...Array(count).fill(hex("03 00")), hex("00"));
    receiver.take(compressed([many(60)]));
    assertEquals(receiver.messages, [""]);
    const error = assertThrows(
      () => receiver.take(compressed([many(10_000)])),
      PolicyViolationError,
    );
    assertEquals([error.code, error.closeCode], ["ERR_TOO_MANY_FINAL_BLOCKS", 1008]);
  });
}

test("Inflater accepts a final block in every 64 bytes of a long message", () => {
  const blocks = Array.from({ length: 500 }, (_, i) => deflateRawSync(randomBytes(100, i)));
  const receiver = new Receiver(makeDeflate());
  receiver.take(compressed([join(...blocks, hex("00"))], Opcode.Binary));
  const expected = join(...Array.from({ length: 500 }, (_, i) => randomBytes(100, i)));
  assertEquals(receiver.messages, [expected]);
});

test("Inflater rethrows an error of its target, and ends", () => {
  const deflate = makeDeflate();
  const receiver = new Receiver(deflate);
  const [bad] = [deflateRawSync(new Uint8Array([0xff, 0xfe]), { finishFlush: 2 })];
  const error = assertThrows(
    () => receiver.take(compressed([new Uint8Array(bad).subarray(0, -4)])),
    InvalidPayloadError,
  );
  assertEquals(error.code, "ERR_INVALID_UTF8");
  assertEquals(toMessages(deflate), 0);
});

function toMessages(deflate: ReturnType<typeof makeDeflate>): number {
  const receiver = new Receiver(deflate);
  receiver.take(compressed([join(utf8(""), TAIL)]));
  return receiver.messages.length;
}
