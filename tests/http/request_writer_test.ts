import { writeRequest } from "../../src/http/request_writer.ts";
import { assertEquals, assertThrows, test } from "../harness.ts";

test("writeRequest writes the request line and the fields in their order", () => {
  const bytes = writeRequest("GET", "/chat", [["Host", "example.com"], ["X-A", "caf\xe9"]]);
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  assertEquals(text, "GET /chat HTTP/1.1\r\nHost: example.com\r\nX-A: caf\xe9\r\n\r\n");
});

test("writeRequest refuses a method or a target that would end the line", () => {
  for (const method of ["", "GET ", "G\r\nT"]) {
    assertThrows(() => writeRequest(method, "/", []), TypeError, "method");
  }
  for (const target of ["", "/a b", "/a\r\nX: y", "/#a", "/\xe9", "/\0"]) {
    assertThrows(() => writeRequest("GET", target, []), TypeError, "request-target");
  }
  assertThrows(() => writeRequest("GET", "/", { A: "\n" }), TypeError, "Cannot write header A");
});
