import { writeRequest } from "../../src/http/request_writer.ts";
import { assertEquals, assertThrows, test } from "../harness.ts";
import { fromLatin1 } from "../support/bytes.ts";

test("writeRequest writes the request line and the fields in their order", () => {
  const bytes = writeRequest("GET", "/chat", [["Host", "example.com"], ["X-A", "caf\xe9"]]);
  assertEquals(
    fromLatin1(bytes),
    "GET /chat HTTP/1.1\r\nHost: example.com\r\nX-A: caf\xe9\r\n\r\n",
  );
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

test("writeRequest shows nothing of a header's value, which may be a secret", () => {
  const write = (value: string) => () => writeRequest("GET", "/", { Authorization: value });
  assertThrows(
    write("Bearer secret\n"),
    TypeError,
    "Cannot write header Authorization: U+000A at offset 13 of the value, expected no control",
  );
  assertThrows(write("secret\u20ac\n"), TypeError, "Authorization: U+20AC at offset 6 of the");
});

test("writeRequest refuses what is no header fields", () => {
  const fields = null as unknown as [];
  const expected = "Cannot write headers: expected header fields, got null";
  assertThrows(() => writeRequest("GET", "/", fields), TypeError, expected);
});
