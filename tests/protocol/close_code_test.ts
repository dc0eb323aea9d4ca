import {
  CloseCode,
  decodeClosePayload,
  encodeClosePayload,
  isCloseCode,
} from "../../src/protocol/close_code.ts";
import { MAX_REASON_LENGTH } from "../../src/protocol/close_info_init.ts";
import { InvalidPayloadError, ProtocolError } from "../../src/protocol/errors.ts";
import { assertEquals, assertInstanceOf, assertThrows, hex, test, toHex } from "../harness.ts";
import { join, utf8 } from "../support/bytes.ts";

// RFC 6455 §7.4 and IANA's registry of close codes, range by range.
const ranges: [from: number, to: number, allowed: boolean, what: string][] = [
  [0, 999, false, "not used"],
  [1000, 1003, true, "RFC 6455"],
  [1004, 1004, false, "reserved"],
  [1005, 1006, false, "never sent: no status, abnormal closure"],
  [1007, 1011, true, "RFC 6455"],
  [1012, 1014, true, "IANA: service restart, try again later, bad gateway"],
  [1015, 1015, false, "never sent: TLS handshake"],
  [1016, 2999, false, "reserved for the protocol's future"],
  [3000, 3999, true, "libraries and frameworks"],
  [4000, 4999, true, "private use"],
  [5000, 65535, false, "not used"],
];

for (const [from, to, allowed, what] of ranges) {
  test(`isCloseCode, encode and decode ${allowed ? "accept" : "reject"} ${from}-${to}: ${what}`, () => {
    for (let code = from; code <= to; code++) {
      assertEquals(isCloseCode(code), allowed, `${code}`);
      const payload = new Uint8Array([code >> 8, code & 0xff]);
      if (allowed) {
        assertEquals(encodeClosePayload(code), payload);
        assertEquals(decodeClosePayload(payload), { closeCode: code, reason: "" });
        continue;
      }
      assertThrows(
        () => encodeClosePayload(code),
        RangeError,
        `Cannot close with code ${code}: expected 1000-1003, 1007-1014 or 3000-4999`,
      );
      const error = assertThrows(
        () => decodeClosePayload(payload),
        ProtocolError,
        `Cannot decode Close frame: code ${code} may not be sent`,
      );
      assertEquals([error.code, error.closeCode], ["ERR_CLOSE_CODE", 1002]);
    }
  });
}

test("CloseCode has the values of the registry", () => {
  assertEquals(Object.values(CloseCode), [
    ...[1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015],
  ]);
});

test("encodeClosePayload writes nothing without a code", () => {
  assertEquals(encodeClosePayload(), new Uint8Array(0));
  assertEquals(encodeClosePayload(undefined, ""), new Uint8Array(0));
});

test("encodeClosePayload writes the code big-endian, then the reason in UTF-8", () => {
  assertEquals(toHex(encodeClosePayload(1000, "h\u00e9")), "03 e8 68 c3 a9");
  assertEquals(toHex(encodeClosePayload(4999)), "13 87");
  assertEquals(toHex(encodeClosePayload(1000, "\ud800")), "03 e8 ef bf bd");
});

test("encodeClosePayload rejects a reason without a code", () => {
  assertThrows(
    () => encodeClosePayload(undefined, "bye"),
    TypeError,
    'Cannot close: reason "bye" has no code with it',
  );
});

test("encodeClosePayload rejects a code that is no integer", () => {
  for (const code of [1000.5, NaN, Infinity, "1000"]) {
    assertThrows(
      () => encodeClosePayload(code as number),
      TypeError,
      `Cannot close: expected an integer as the code, got ${code}`,
    );
  }
});

const longest = ["r".repeat(123), "\u20ac".repeat(41), `${"\u00e9".repeat(61)}r`];
const tooLong: [reason: string, size: number][] = [
  ["r".repeat(124), 124],
  ["\u00e9".repeat(62), 124],
  ["\u20ac".repeat(42), 126],
  ["\u{1f600}".repeat(31), 124],
];

test("encodeClosePayload accepts a reason of 123 bytes, which is read back", () => {
  assertEquals(MAX_REASON_LENGTH, 123);
  for (const reason of longest) {
    const payload = encodeClosePayload(1001, reason);
    assertEquals(payload.length, 125);
    assertEquals(decodeClosePayload(payload), { closeCode: 1001, reason });
  }
});

test("encodeClosePayload rejects a reason of 124 bytes, however few characters it has", () => {
  for (const [reason, size] of tooLong) {
    const error = assertThrows(
      () => encodeClosePayload(1000, reason),
      DOMException,
      `Cannot close: the reason has ${size} bytes of UTF-8, at most 123 fit`,
    );
    assertEquals(error.name, "SyntaxError");
  }
});

test("decodeClosePayload reads an empty payload as 1005", () => {
  assertEquals(decodeClosePayload(new Uint8Array(0)), { closeCode: 1005, reason: "" });
});

test("decodeClosePayload keeps a byte order mark, and reads a view of a larger buffer", () => {
  const payload = join(hex("ff 03 e8 ef bb bf"), utf8("bye")).subarray(1);
  assertEquals(decodeClosePayload(payload), { closeCode: 1000, reason: "\ufeffbye" });
});

test("decodeClosePayload rejects a payload of one byte", () => {
  const error = assertThrows(
    () => decodeClosePayload(hex("03")),
    ProtocolError,
    "Cannot decode Close frame: a payload of 1 byte, expected none or 2 and more",
  );
  assertEquals([error.code, error.closeCode], ["ERR_CLOSE_PAYLOAD", 1002]);
});

test("decodeClosePayload rejects a reason that is not UTF-8", () => {
  for (const reason of ["ff", "c3", "ed a0 80", "c0 af", "68 e2 82"]) {
    const error = assertThrows(() => decodeClosePayload(join(hex("03 e8"), hex(reason))));
    assertInstanceOf(error, InvalidPayloadError);
    assertEquals(error.message, "Cannot decode Close frame: the reason is not valid UTF-8");
    assertEquals([error.code, error.closeCode], ["ERR_CLOSE_REASON", 1007]);
  }
});

test("decodeClosePayload looks at the code before the reason", () => {
  assertThrows(() => decodeClosePayload(hex("03 ed ff")), ProtocolError, "code 1005");
});
