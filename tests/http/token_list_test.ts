import { includesToken, parseTokenList } from "../../src/http/token_list.ts";
import { assert, assertEquals, test } from "../harness.ts";
import { assertLinear } from "../handshake/helpers.ts";

test("includesToken finds a token in any case, anywhere in the list", () => {
  for (const value of ["Upgrade", "upgrade", "keep-alive, UPGRADE", "upgrade,x", ", \tupgrade ,"]) {
    assert(includesToken(value, "Upgrade"), value);
  }
});

test("includesToken does not find parts, other forms or nothing", () => {
  for (
    const value of [
      "",
      "up grade",
      "upgrades",
      "x-upgrade",
      '"upgrade"',
      "upgrade/1",
      ";upgrade",
      "up,rade",
    ]
  ) {
    assert(!includesToken(value, "upgrade"), value);
  }
  assert(!includesToken(null, "upgrade"));
  // Only SP and HTAB are whitespace.
  assert(!includesToken("upgrade\xa0", "upgrade"));
});

test("parseTokenList reads tokens and ignores empty elements (RFC 9110 §5.6.1)", () => {
  assertEquals(parseTokenList("a"), ["a"]);
  assertEquals(parseTokenList("a,b ,\tc"), ["a", "b", "c"]);
  assertEquals(parseTokenList(",a,, ,b,"), ["a", "b"]);
  assertEquals(parseTokenList(""), []);
  assertEquals(parseTokenList(" , "), []);
});

test("parseTokenList gives null for an element that is not a token", () => {
  for (const value of ["a b", "a,b;c", '"a"', "a/b", "\xe9", "a,\u2603", "a\0"]) {
    assertEquals(parseTokenList(value), null, value);
  }
});

test("parseTokenList and includesToken take linear time", () => {
  for (const part of [",", "x,", "x;a,", "\\", " ", "a", '"']) {
    assertLinear((size) => {
      const value = part.repeat(size);
      parseTokenList(value);
      includesToken(value, "upgrade");
    }, 5_000);
  }
});
