import {
  chooseProtocol,
  parseSubprotocols,
  selectProtocol,
} from "../../src/handshake/subprotocol.ts";
import { assertEquals, assertThrows, test } from "../harness.ts";
import { assertLinear, assertRefused } from "./helpers.ts";

const PROTOCOL = "ERR_HANDSHAKE_PROTOCOL";

test("parseSubprotocols reads tokens in order, case-sensitively", () => {
  assertEquals(parseSubprotocols("chat, superchat"), ["chat", "superchat"]);
  assertEquals(parseSubprotocols("v1.chat,Chat,chat"), ["v1.chat", "Chat", "chat"]);
  assertEquals(parseSubprotocols("__proto__"), ["__proto__"]);
  assertEquals(parseSubprotocols("a,,b"), ["a", "b"]);
});

test("parseSubprotocols rejects elements that are not tokens (RFC 6455 §4.1)", () => {
  for (const value of ["a b", "a;b", "a/b", '"a"', "caf\xe9", "a, b@c"]) {
    assertRefused(() => parseSubprotocols(value), 400, PROTOCOL, "expected tokens");
  }
});

test("parseSubprotocols rejects an empty list (RFC 6455 §4.1: non-empty strings)", () => {
  for (const value of ["", " ", ",", ", ,"]) {
    assertRefused(() => parseSubprotocols(value), 400, PROTOCOL, "at least one");
  }
});

test("parseSubprotocols rejects a repeated element (RFC 6455 §4.1: all unique)", () => {
  for (const value of ["a,a", "a, b, a"]) {
    assertRefused(() => parseSubprotocols(value), 400, PROTOCOL, "each token once");
  }
});

test("parseSubprotocols takes linear time", () => {
  assertLinear((size) => {
    parseSubprotocols(Array.from({ length: size }, (_, i) => `p${i}`).join());
  }, 2_000);
});

test("chooseProtocol takes the server's first that is offered", () => {
  assertEquals(chooseProtocol(["a", "b"], ["b", "a"]), "b");
  assertEquals(chooseProtocol(["a"], ["b"]), undefined);
  assertEquals(chooseProtocol(["a"], ["A"]), undefined);
  assertEquals(chooseProtocol([], ["a"]), undefined);
  assertEquals(chooseProtocol(["a"], []), undefined);
});

test("selectProtocol gives back a choice that was offered, or none", () => {
  assertEquals(selectProtocol(["a", "b"], "b"), "b");
  assertEquals(selectProtocol(["a"], undefined), undefined);
  assertEquals(selectProtocol([], undefined), undefined);
});

test("selectProtocol throws TypeError, naming both, for a choice that was not offered", () => {
  assertThrows(() => selectProtocol(["a", "b"], "c"), TypeError, '"c": the client offers "a", "b"');
  assertThrows(() => selectProtocol([], "c"), TypeError, "the client offers none");
  assertThrows(() => selectProtocol(["a"], ""), TypeError);
  assertThrows(() => selectProtocol(["a"], "A"), TypeError);
});
