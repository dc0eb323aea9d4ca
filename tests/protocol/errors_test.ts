import {
  closeCodeOf,
  InvalidPayloadError,
  MessageTooBigError,
  PolicyViolationError,
  ProtocolError,
  WebSocketError,
} from "../../src/protocol/errors.ts";
import { assert, assertEquals, assertInstanceOf, assertThrows, test } from "../harness.ts";

const table = [
  [new ProtocolError("text", "ERR_X"), "ProtocolError", "ERR_X", 1002],
  [new InvalidPayloadError("text", "ERR_X"), "InvalidPayloadError", "ERR_X", 1007],
  [new PolicyViolationError("text", "ERR_X"), "PolicyViolationError", "ERR_X", 1008],
  [new MessageTooBigError("text"), "MessageTooBigError", "ERR_MESSAGE_TOO_BIG", 1009],
  [new MessageTooBigError("text", "ERR_X"), "MessageTooBigError", "ERR_X", 1009],
  [new WebSocketError("text", { code: "ERR_X", closeCode: 1013 }), "WebSocketError", "ERR_X", 1013],
] as const;

for (const [error, name, code, closeCode] of table) {
  test(`${name} carries code ${code} and close code ${closeCode}`, () => {
    assertInstanceOf(error, WebSocketError);
    assertInstanceOf(error, Error);
    assertEquals([error.name, error.message, error.code, error.closeCode], [
      name,
      "text",
      code,
      closeCode,
    ]);
    assertEquals(String(error), `${name}: text`);
    assert(!("cause" in error));
    assertEquals(closeCodeOf(error), closeCode);
  });
}

test("WebSocketError keeps its cause", () => {
  const cause = new RangeError("behind");
  assertEquals(new WebSocketError("text", { code: "ERR_X", closeCode: 1011, cause }).cause, cause);
});

test("closeCodeOf returns 1011 for any other error", () => {
  for (const error of [new TypeError("no"), undefined, null, "text", { closeCode: 1002 }]) {
    assertEquals(closeCodeOf(error), 1011);
  }
});

test("WebSocketError has default values for code and reason", () => {
  const bare = new WebSocketError("text", { closeCode: 4000 });
  assertEquals([bare.code, bare.closeCode, bare.reason], ["ERR_WEBSOCKET", 4000, ""]);
  const full = new WebSocketError("text", { closeCode: 4000, reason: "bye" });
  assertEquals([full.closeCode, full.reason], [4000, "bye"]);
});

test("WebSocketError without a code of its own follows the WHATWG standard", () => {
  const empty = new WebSocketError();
  assertEquals([empty.message, empty.closeCode, empty.reason], ["", null, ""]);
  assertEquals(new WebSocketError("m").closeCode, null);
  assertEquals(new WebSocketError("m", { closeCode: 3333 }).reason, "");
  assertEquals(new WebSocketError("m", { reason: "why" }).closeCode, 1000);
  for (const closeCode of [0, 999, 1001, 1006, 2999, 5000]) {
    const error = assertThrows(() => new WebSocketError("", { closeCode }), DOMException);
    assertEquals(error.name, "InvalidAccessError");
  }
  for (const reason of ["x".repeat(124), "\u{1F50C}".repeat(32)]) {
    const error = assertThrows(() => new WebSocketError("", { reason }), DOMException);
    assertEquals(error.name, "SyntaxError");
  }
  assertThrows(() => new WebSocketError("", { closeCode: NaN }), TypeError);
  assertEquals(closeCodeOf(new WebSocketError("m")), 1011);
});
