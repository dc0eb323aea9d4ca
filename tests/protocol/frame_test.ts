import { ProtocolError } from "../../src/protocol/errors.ts";
import {
  checkFirstByte,
  checkSequence,
  MAX_CONTROL_PAYLOAD,
  Rsv,
} from "../../src/protocol/frame.ts";
import { assertEquals, assertThrows, test } from "../harness.ts";

const ALL = Rsv.Rsv1 | Rsv.Rsv2 | Rsv.Rsv3;

/** Returns the code of the error for a first byte by RFC 6455 §5.2 and §5.5, written independently of src. */
function wrong(first: number, claimed: number): string | undefined {
  const bits = first & ALL;
  const opcode = first & 0x0f;
  if ((bits & claimed) !== bits) return "ERR_RSV";
  if (![0, 1, 2, 8, 9, 10].includes(opcode)) return "ERR_RESERVED_OPCODE";
  if (opcode >= 8 && first < 0x80) return "ERR_FRAGMENTED_CONTROL";
  return undefined;
}

test("Rsv and MAX_CONTROL_PAYLOAD are the RFC's", () => {
  assertEquals({ ...Rsv }, { Rsv1: 0x40, Rsv2: 0x20, Rsv3: 0x10 });
  assertEquals(MAX_CONTROL_PAYLOAD, 125);
});

test("checkFirstByte checks all 256 bytes, with any reserved bits in use", () => {
  for (let claimed = 0; claimed <= ALL; claimed += 0x10) {
    for (let first = 0; first < 256; first++) {
      const code = wrong(first, claimed);
      if (code === undefined) checkFirstByte(first, claimed);
      else {
        const error = assertThrows(() => checkFirstByte(first, claimed), ProtocolError);
        assertEquals([error.code, error.closeCode], [code, 1002], `${first}, ${claimed} claimed`);
      }
    }
  }
});

const texts: [first: number, claimed: number, text: string][] = [
  [0xc1, 0, "Cannot decode frame: RSV1 set, and no extension has claimed it"],
  [0xa1, Rsv.Rsv1, "Cannot decode frame: RSV2 set, and no extension has claimed it"],
  [0xd1, Rsv.Rsv1, "Cannot decode frame: RSV3 set, and no extension has claimed it"],
  [0xf1, Rsv.Rsv2, "Cannot decode frame: RSV1 and RSV3 set, and no extension has claimed it"],
  [0x83, 0, "Cannot decode frame: reserved opcode 0x3"],
  [0x8f, 0, "Cannot decode frame: reserved opcode 0xf"],
  [0x09, 0, "Cannot decode frame: fragmented control frame, opcode 0x9 without FIN"],
];

for (const [first, claimed, text] of texts) {
  test(`checkFirstByte of 0x${first.toString(16)} names the value: ${text}`, () => {
    assertEquals(assertThrows(() => checkFirstByte(first, claimed), ProtocolError).message, text);
  });
}

test("checkSequence lets a message begin between messages, and go on inside one", () => {
  checkSequence(0x1, false);
  checkSequence(0x2, false);
  checkSequence(0x0, true);
});

test("checkSequence rejects a continuation with nothing to continue", () => {
  const error = assertThrows(() => checkSequence(0x0, false), ProtocolError);
  assertEquals(
    error.message,
    "Cannot decode frame: a continuation frame with no message to continue",
  );
  assertEquals([error.code, error.closeCode], ["ERR_UNEXPECTED_CONTINUATION", 1002]);
});

for (const opcode of [0x1, 0x2]) {
  test(`checkSequence rejects a new message, opcode 0x${opcode}, inside another`, () => {
    const error = assertThrows(() => checkSequence(opcode, true), ProtocolError);
    assertEquals(
      error.message,
      `Cannot decode frame: a new message, opcode 0x${opcode}, inside another`,
    );
    assertEquals([error.code, error.closeCode], ["ERR_EXPECTED_CONTINUATION", 1002]);
  });
}
