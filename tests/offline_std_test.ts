// The stand-ins in offline/std, on known vectors. `deno task test:jsr` runs them on JSR's packages.
import { timingSafeEqual } from "@std/crypto/timing-safe-equal";
import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import {
  assert,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
  test,
} from "./harness.ts";

const ascii = (text: string) => new TextEncoder().encode(text);

test("timingSafeEqual compares bytes of any kind and length", () => {
  assert(timingSafeEqual(ascii("abc"), ascii("abc").buffer));
  assert(timingSafeEqual(new Uint8Array(), new ArrayBuffer(0)));
  assert(timingSafeEqual(ascii("xabc").subarray(1), new DataView(ascii("abc").buffer)));
  assertFalse(timingSafeEqual(ascii("abc"), ascii("abd")));
  assertFalse(timingSafeEqual(ascii("abc"), ascii("ab")));
});

// RFC 4648 §10.
const base64Vectors = [
  ["", ""],
  ["f", "Zg=="],
  ["fo", "Zm8="],
  ["foo", "Zm9v"],
  ["foob", "Zm9vYg=="],
  ["fooba", "Zm9vYmE="],
  ["foobar", "Zm9vYmFy"],
] as const;

test("encodeBase64 and decodeBase64 agree with RFC 4648's vectors", () => {
  for (const [text, encoded] of base64Vectors) {
    assertEquals(encodeBase64(text), encoded);
    assertEquals(encodeBase64(ascii(text)), encoded);
    assertEquals(encodeBase64(ascii(text).buffer), encoded);
    assertEquals(decodeBase64(encoded), ascii(text));
  }
  assertEquals(encodeBase64(new Uint8Array([0, 0xfb, 0xff, 0]).subarray(1, 3)), "+/8=");
});

test("decodeBase64 gives a buffer of its own and refuses other characters", () => {
  assertEquals(decodeBase64("Zm9v").buffer.byteLength, 3);
  for (const bad of ["Zm9*", "Zm9-", "Zm9v Zm9v", "Z"]) assertThrows(() => decodeBase64(bad));
});

test("encodeHex and decodeHex agree with RFC 4648's vectors", () => {
  assertEquals(encodeHex("foobar"), "666f6f626172");
  assertEquals(encodeHex(ascii("xfoobar").subarray(1)), "666f6f626172");
  assertEquals(encodeHex(new Uint8Array([0, 0x0f, 0xff]).buffer), "000fff");
  assertEquals(decodeHex("666F6f626172"), ascii("foobar"));
  assertEquals(decodeHex("666F").buffer.byteLength, 2);
  assertEquals(decodeHex(""), new Uint8Array());
  assertThrows(() => decodeHex("6"), RangeError);
  assertThrows(() => decodeHex("6x"), TypeError);
});

const fails = (fn: () => unknown, text = "") => assertThrows(fn, AssertionError, text);

test("the plain assertions pass and fail", () => {
  assert(1);
  fails(() => assert(0, "none"), "none");
  assertFalse("");
  fails(() => assertFalse("x"));
  assertExists(0);
  fails(() => assertExists(null));
  fails(() => assertExists(undefined));
  assertGreater(2, 1);
  fails(() => assertGreater(1, 1));
  assertGreaterOrEqual(1, 1);
  fails(() => assertGreaterOrEqual(0, 1));
  assertLess(1, 2);
  fails(() => assertLess(1, 1));
  assertLessOrEqual(1, 1);
  fails(() => assertLessOrEqual(1, 0));
  assertInstanceOf(new TypeError(), Error);
  fails(() => assertInstanceOf({}, Error));
  assertMatch("abc", /^a.c$/);
  fails(() => assertMatch("abd", /^a.c$/));
  assertStringIncludes("abc", "b");
  fails(() => assertStringIncludes("abc", "x"));
  fails(() => fail("gone"), "gone");
});

test("assertEquals compares deeply, assertStrictEquals by identity", () => {
  assertEquals({ a: [1, new Uint8Array([2])] }, { a: [1, new Uint8Array([2])] });
  assertEquals(NaN, NaN);
  fails(() => assertEquals({ a: 1 }, { a: 2 }));
  fails(() => assertEquals<unknown>({ a: undefined }, {}));
  fails(() => assertEquals<unknown>(new Uint8Array([1]), [1]));
  fails(() => assertEquals<unknown>(1, "1"));
  assertNotEquals([1], [2]);
  fails(() => assertNotEquals([1], [1]));
  const array = [1];
  assertStrictEquals(array, array);
  fails(() => assertStrictEquals(array, [1]));
});

test("assertThrows gives back the error and checks its class and text", () => {
  const thrown = new RangeError("too big");
  const thrower = () => {
    throw thrown;
  };
  assertStrictEquals(assertThrows(thrower), thrown);
  assertStrictEquals(assertThrows(thrower, RangeError), thrown);
  assertStrictEquals(assertThrows(thrower, Error, "big"), thrown);
  fails(() => assertThrows(thrower, TypeError));
  fails(() => assertThrows(thrower, RangeError, "small"));
  fails(() => assertThrows(() => {}));
  fails(() => assertThrows(() => {}, Error));
  fails(() =>
    assertThrows(() => {
      throw "text";
    }, Error)
  );
});

test("assertRejects gives back the error and checks its class and text", async () => {
  const reason = new RangeError("too big");
  const rejecter = () => Promise.reject(reason);
  const failsToo = (fn: () => Promise<unknown>) => assertRejects(fn, AssertionError);
  assertStrictEquals(await assertRejects(rejecter), reason);
  assertStrictEquals(await assertRejects(rejecter, RangeError, "big"), reason);
  await failsToo(() => assertRejects(rejecter, TypeError));
  await failsToo(() => assertRejects(rejecter, RangeError, "small"));
  await failsToo(() => assertRejects(() => Promise.resolve()));
  await failsToo(() =>
    assertRejects(() => {
      throw reason;
    })
  );
});
