import { parseExtensions, serializeExtensions } from "../../src/handshake/extensions_header.ts";
import type { ExtensionOffer } from "../../src/protocol/extension_offer.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";
import { assertLinear, assertRefused } from "./helpers.ts";

const EXTENSIONS = "ERR_HANDSHAKE_EXTENSIONS";

function offer(name: string, ...params: [string, string | true][]): ExtensionOffer {
  return { name, params };
}

test("parseExtensions reads the examples of RFC 6455 §9.1", () => {
  assertEquals(parseExtensions("foo"), [offer("foo")]);
  assertEquals(parseExtensions("bar; baz=2"), [offer("bar", ["baz", "2"])]);
  assertEquals(parseExtensions("foo, bar; baz=2"), [offer("foo"), offer("bar", ["baz", "2"])]);
  assertEquals(parseExtensions("deflate-stream"), [offer("deflate-stream")]);
  assertEquals(
    parseExtensions("mux; max-channels=4; flow-control, deflate-stream"),
    [offer("mux", ["max-channels", "4"], ["flow-control", true]), offer("deflate-stream")],
  );
  assertEquals(parseExtensions("private-extension"), [offer("private-extension")]);
});

test("parseExtensions keeps the order, repeated extensions and repeated parameters", () => {
  const value = "permessage-deflate; client_max_window_bits; server_max_window_bits=10, " +
    "permessage-deflate; a; a; a=1";
  assertEquals(parseExtensions(value), [
    offer("permessage-deflate", ["client_max_window_bits", true], ["server_max_window_bits", "10"]),
    offer("permessage-deflate", ["a", true], ["a", true], ["a", "1"]),
  ]);
});

test("parseExtensions reads quoted values with escapes", () => {
  assertEquals(parseExtensions('x; a="10"; b="\\1\\0"; c'), [
    offer("x", ["a", "10"], ["b", "10"], ["c", true]),
  ]);
  assertEquals(parseExtensions('x; a="b" , y'), [offer("x", ["a", "b"]), offer("y")]);
});

test("parseExtensions takes whitespace around every separator (implied *LWS)", () => {
  assertEquals(
    parseExtensions(' \tx\t; a = 1 ;b\t=\t"2" , y ;c '),
    [offer("x", ["a", "1"], ["b", "2"]), offer("y", ["c", true])],
  );
  assertEquals(parseExtensions("x;a=1,y"), [offer("x", ["a", "1"]), offer("y")]);
});

test("parseExtensions ignores empty elements (RFC 9110 §5.6.1)", () => {
  assertEquals(parseExtensions(",, x ,,\t, y,"), [offer("x"), offer("y")]);
});

test("parseExtensions keeps names such as __proto__", () => {
  assertEquals(parseExtensions("constructor; __proto__=1"), [
    offer("constructor", ["__proto__", "1"]),
  ]);
});

test("parseExtensions rejects a list without an extension", () => {
  for (const value of ["", " ", ",", " , ,"]) {
    assertRefused(() => parseExtensions(value), 400, EXTENSIONS, "expected an extension");
  }
});

test("parseExtensions rejects what does not fit the grammar", () => {
  for (
    const value of [
      ";",
      "=",
      "x;",
      "x;;a",
      "x; ;a",
      "x;=1",
      "x;a=",
      "x;a=;b",
      "x;a=,y",
      "x y",
      "x=1",
      "x;a b",
      "x;a=1 2",
      "x;a==1",
      '"x"',
      'x;"a"',
      'x;a="1"2',
      'x;a="1""2"',
      "x/1",
      "x;a=b/c",
      "\xe9",
      "x;\xe9",
      "x\0",
      "x;a=1,;",
      "x;a=(1)",
    ]
  ) {
    assertRefused(() => parseExtensions(value), 400, EXTENSIONS);
  }
});

test("parseExtensions rejects a quoted value that is not closed", () => {
  for (const value of ['x;a="', 'x;a="1', 'x;a="1\\', 'x;a="1\\"', 'x;a="1\0"', 'x;a="1\\\n"']) {
    assertRefused(() => parseExtensions(value), 400, EXTENSIONS, "the end of the quoted value");
  }
});

test("parseExtensions rejects a quoted value that is not a token after unescaping", () => {
  for (const value of ['x;a=""', 'x;a="1 2"', 'x;a="1,2"', 'x;a="\\""', 'x;a="\xe9"', 'x;a=" 1"']) {
    assertRefused(() => parseExtensions(value), 400, EXTENSIONS, "a token in the quoted value");
  }
});

test("parseExtensions says where the value is wrong, in 64 characters", () => {
  assertRefused(() => parseExtensions("foo; bar baz"), 400, EXTENSIONS, '"baz" at offset 9');
  assertRefused(() => parseExtensions("foo; bar="), 400, EXTENSIONS, "the end at offset 9");
  const error = assertRefused(
    () => parseExtensions("x (" + '\\"\r\n\u2603'.repeat(1000)),
    400,
    EXTENSIONS,
  );
  assert(error.message.includes('"(\\\\\\"\\x0d\\x0a\\u2603'));
  assert(error.message.length < 400);
});

test("parseExtensions takes linear time", () => {
  for (const part of [",", "x,", "x;a,", ' ;a="\\b"', "\\", " ", "a", '"', "x;a="]) {
    assertLinear((size) => {
      const value = part.repeat(size);
      for (const prefix of ["", 'x;a="', "x"]) {
        try {
          parseExtensions(prefix + value);
        } catch { /* Only the time counts. */ }
      }
    }, 5_000);
  }
});

test("serializeExtensions writes what parseExtensions reads", () => {
  const extensions = [
    offer("permessage-deflate", ["a", true], ["b", "15"], ["b", "x"]),
    offer("other"),
  ];
  const value = "permessage-deflate; a; b=15; b=x, other";
  assertEquals(serializeExtensions(extensions), value);
  assertEquals(parseExtensions(value), extensions);
  assertEquals(serializeExtensions([]), "");
});

test("serializeExtensions throws TypeError for what is not a token", () => {
  for (const bad of ["", "a b", "a,b", 'a"', "a\r\nb", "\xe9"]) {
    assertThrows(() => serializeExtensions([offer(bad)]), TypeError, "is not a token");
    assertThrows(() => serializeExtensions([offer("x", [bad, true])]), TypeError);
    assertThrows(() => serializeExtensions([offer("x", ["a", bad])]), TypeError);
  }
});
