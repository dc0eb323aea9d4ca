import { HandshakeError, internalServerError } from "../../src/http/errors.ts";
import { WebSocketError } from "../../src/protocol/errors.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";

test("HandshakeError is a WebSocketError with an HTTP answer", () => {
  const cause = new Error("why");
  const error = new HandshakeError("Cannot accept handshake: full", {
    code: "ERR_HANDSHAKE_BUSY",
    status: 503,
    headers: [["Retry-After", "30"]],
    cause,
  });
  assert(error instanceof WebSocketError);
  assertEquals(error.name, "HandshakeError");
  assertEquals([error.code, error.closeCode, error.status], ["ERR_HANDSHAKE_BUSY", 1002, 503]);
  assertEquals(error.headers, [["Retry-After", "30"]]);
  assertEquals(error.cause, cause);
});

test("HandshakeError answers 400 unless told otherwise", () => {
  const error = new HandshakeError("x", { code: "ERR_HANDSHAKE_TEST" });
  assertEquals([error.status, error.headers], [400, []]);
  assert(!("cause" in error));
});

test("HandshakeError's retryAfter is whole seconds, 0 or more", () => {
  const make = (retryAfter?: number) =>
    new HandshakeError("full", {
      code: "ERR_HANDSHAKE_BUSY",
      status: 503,
      ...(retryAfter === undefined ? {} : { retryAfter }),
    });
  assertEquals(make().retryAfter, undefined);
  for (const seconds of [0, 1, 30, 86_400]) assertEquals(make(seconds).retryAfter, seconds);
  for (const seconds of [-1, 0.5, NaN, Infinity, "5" as unknown as number]) {
    assertThrows(
      () => make(seconds),
      RangeError,
      `got ${typeof seconds === "string" ? `"${seconds}"` : seconds}`,
    );
  }
});

test("internalServerError is a 500 that keeps its cause from the client", () => {
  const cause = new Error("secret");
  const error = internalServerError(cause);
  assertEquals([error.status, error.code], [500, "ERR_HANDSHAKE_INTERNAL"]);
  assertEquals(error.cause, cause);
  assertEquals(error.message, "The server has met an unexpected condition");
});
