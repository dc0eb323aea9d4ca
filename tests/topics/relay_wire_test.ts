import {
  byteLengthOf,
  decode,
  decodeControl,
  encodeBytes,
  encodeText,
  encodeTopic,
} from "../../src/topics/relay_wire.ts";
import { assert, assertEquals, test } from "../harness.ts";

const all = Uint8Array.from({ length: 256 }, (_, n) => n);

for (const data of ["", "a\nb\0é", all, new Uint8Array(0)]) {
  for (const id of [undefined, "-", "a b\nü"]) {
    test(`decode() reads what was encoded: ${JSON.stringify(data).slice(0, 20)}, id ${id}`, () => {
      const message = { node: "a-1", number: 12, id, data };
      assertEquals(decode(encodeText(message)), message);
      assertEquals(decode(encodeBytes(message)), message);
    });
  }
}

test("decode() takes no garbage", () => {
  const garbage = [
    "",
    "a",
    "a 1 t -",
    "a 1 x -\n",
    "a 1.5 t -\n",
    "a! 1 t -\n",
    "a 1 b -\n*",
    "a 1 t +%\n",
  ];
  for (const text of garbage) assertEquals(decode(text), undefined, text);
  assertEquals(decode(Uint8Array.of(0xff, 0x0a)), undefined);
  assertEquals(
    decode(
      new Uint8Array([...encodeBytes({ node: "a", number: 1, id: undefined, data: "" }), 0xff]),
    ),
    undefined,
  );
});

test("decodeControl() takes what nodes say, and no garbage", () => {
  const controls = [
    { type: "heartbeat", node: "a", instance: "i", numbers: { x: 1 } },
    { type: "question", node: "a", question: 1, topics: ["x"] },
    { type: "question", node: "a", to: "b", question: 1, topics: ["x"] },
    { type: "answer", node: "a", to: "b", question: 1, age: 1.5, numbers: {} },
    { type: "probe", node: "a", probe: 1 },
    { type: "bye", node: "a", age: 5, numbers: { x: 1 } },
  ];
  for (const control of controls) {
    const text = JSON.stringify(control);
    assertEquals(decodeControl(text), control as never);
    assertEquals(decodeControl(new TextEncoder().encode(text)), control as never);
  }
  const garbage = [
    "",
    "null",
    "1",
    "[]",
    "{}",
    '{"type":"bye"}',
    '{"type":"bye","node":"a"}',
    '{"type":"bye","node":"a","numbers":{}}',
    '{"type":"bye","node":"a b","age":1,"numbers":{}}',
    '{"type":"other","node":"a"}',
    '{"type":"heartbeat","node":"a","instance":"i"}',
    '{"type":"heartbeat","node":"a","numbers":{}}',
    '{"type":"heartbeat","node":"a","instance":"i","numbers":{"x":-1}}',
    '{"type":"question","node":"a","question":1,"topics":[1]}',
    '{"type":"question","node":"a","to":1,"question":1,"topics":[]}',
    '{"type":"answer","node":"a","question":1,"age":1,"numbers":{}}',
  ];
  for (const text of garbage) assertEquals(decodeControl(text), undefined, text);
  assertEquals(decodeControl(Uint8Array.of(0xff)), undefined);
});

test("encodeTopic() leaves nothing that a broker would read as its own", () => {
  for (const topic of ["a.b", "*", ">", "a b", "a\0", "(!)", "~'", "é", "a/b:{c}"]) {
    const encoded = encodeTopic(topic);
    assert(/^[\w%-]+$/.test(encoded), encoded);
    assertEquals(decodeURIComponent(encoded), topic);
  }
});

test("byteLengthOf() is the size of the data, text as UTF-8", () => {
  assertEquals([byteLengthOf("é"), byteLengthOf(all), byteLengthOf("")], [2, 256, 0]);
});
