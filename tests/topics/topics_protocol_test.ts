import {
  formatPosition,
  parseControl,
  parsePosition,
  unwrap,
  wrap,
} from "../../src/topics/topics_protocol.ts";
import { assertEquals, test } from "../harness.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

for (const offset of [undefined, 0, 1, Number.MAX_SAFE_INTEGER]) {
  for (const data of ["", "a\nb", "{}", "é", bytes(""), bytes("1 2\n"), Uint8Array.of(0xff, 0)]) {
    test(`unwrap() gives back what wrap() took: ${offset}, ${JSON.stringify(data)}`, () => {
      const wrapped = wrap(12, offset, data);
      assertEquals(typeof wrapped, typeof data);
      assertEquals(unwrap(wrapped), { number: 12, offset, data });
    });
  }
}

for (
  const message of ["", "\n", "1", "a\n", "-1\n", "1  2\n", "1 \n", "1.5\n", " 1\n", "1 2 3\n"]
) {
  test(`unwrap() finds no header in ${JSON.stringify(message)}`, () => {
    assertEquals(unwrap(message), undefined);
    assertEquals(unwrap(bytes(message)), undefined);
  });
}

test("parsePosition() reads what formatPosition() wrote, and nothing else", () => {
  const position = { epoch: "x7Kq-_", offset: 1043 };
  assertEquals(parsePosition(formatPosition(position)), position);
  const none = [
    "",
    ":",
    "a:",
    ":1",
    "a:-1",
    "a:1.5",
    "a:1e3",
    "a:9007199254740992",
    "a:1 ",
    5,
    null,
  ];
  for (const text of none) assertEquals(parsePosition(text), undefined, `${text}`);
});

test("parseControl() reads JSON objects of text alone", () => {
  assertEquals(parseControl('{"subscribe":"a"}'), { subscribe: "a" });
  for (const text of ["", "[]", "1\n{}", "{", '{"a"}']) assertEquals(parseControl(text), undefined);
  assertEquals(parseControl(bytes("{}")), undefined);
});
