import { isControl, Opcode } from "../../src/protocol/opcode.ts";
import { assertEquals, test } from "../harness.ts";

test("Opcode has the values of RFC 6455 §5.2", () => {
  assertEquals({ ...Opcode }, { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 });
});

test("isControl is true for the opcodes from 0x8", () => {
  for (let opcode = 0; opcode < 16; opcode++) assertEquals(isControl(opcode), opcode >= 8);
});
