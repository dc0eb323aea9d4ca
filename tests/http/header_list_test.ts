import { HeaderList } from "../../src/http/header_list.ts";
import { assert, assertEquals, test } from "../harness.ts";

test("HeaderList.get matches names in any case and joins all values", () => {
  const headers = new HeaderList([["Accept", "a"], ["Host", "h"], ["ACCEPT", "b"], ["accept", ""]]);
  assertEquals(headers.get("aCCept"), "a, b, ");
  assertEquals(headers.get("host"), "h");
  assertEquals(headers.get("missing"), null);
  assertEquals([...headers].length, 4);
});

test("HeaderList.getAll gives one value for each line", () => {
  const headers = new HeaderList([["A", "1, 2"], ["b", "x"], ["a", "3"]]);
  assertEquals(headers.getAll("A"), ["1, 2", "3"]);
  assertEquals(headers.getAll("c"), []);
});

test("HeaderList.has and append", () => {
  const headers = new HeaderList();
  assert(!headers.has("x"));
  headers.append("X", "");
  assert(headers.has("x"));
  assertEquals(headers.get("x"), "");
});

test("HeaderList tells names apart that differ in a character's 0x20 alone", () => {
  const headers = new HeaderList([["x^y", "1"], ["x~y", "2"], ["a_b", "3"], ["x-1", "4"]]);
  assertEquals([headers.get("X^Y"), headers.get("X~Y"), headers.get("A_B")], ["1", "2", "3"]);
  assertEquals([headers.get("a\x7fb"), headers.get("x\r1"), headers.get("x-")], [null, null, null]);
  headers.append("X~Y", "5");
  assertEquals([headers.getAll("x~y"), [...headers].length], [["2", "5"], 5]);
});

test("HeaderList.entries gives every line in order, with names in lower case", () => {
  const headers = new HeaderList([["B", "1"], ["A", "2"], ["b", "3"]]);
  assertEquals([...headers.entries()], [["b", "1"], ["a", "2"], ["b", "3"]]);
  assertEquals([...headers], [...headers.entries()]);
});

test("HeaderList is safe with names of Object.prototype", () => {
  const names = ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"];
  const empty = new HeaderList();
  const full = new HeaderList(names.map((name) => [name, `value of ${name}`]));
  for (const name of names) {
    assert(!empty.has(name));
    assertEquals(empty.get(name), null);
    assertEquals(empty.getAll(name), []);
    assertEquals(full.get(name), `value of ${name}`);
  }
  assertEquals(({} as Record<string, unknown>)["value of __proto__"], undefined);
});
