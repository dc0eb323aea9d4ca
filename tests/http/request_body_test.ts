import { HeaderList } from "../../src/http/header_list.ts";
import { RequestBodyDecoder, requestBodyLength } from "../../src/http/request_body.ts";
import type { RequestBodyOptions } from "../../src/http/request_body.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";
import { assertLinear, assertRefused, latin1 } from "../handshake/helpers.ts";
import { fromLatin1 } from "../support/bytes.ts";

const FRAMING = "ERR_HTTP_FRAMING";
const CODING = "ERR_HTTP_TRANSFER_CODING";
const BODY = "ERR_HTTP_BODY";
const TOO_LARGE = "ERR_HTTP_BODY_TOO_LARGE";

function lengthOf(fields: [name: string, value: string][], minorVersion = 1): number | "chunked" {
  const headers = new HeaderList(fields);
  return requestBodyLength({ method: "POST", target: "/", minorVersion, headers });
}

/** Decodes bytes in pieces of `size`. Returns the body, and the bytes after it. */
function decode(
  bytes: Uint8Array,
  length: number | "chunked" = "chunked",
  size = Infinity,
  options?: RequestBodyOptions,
): [body: string, rest: string] | undefined {
  const decoder = new RequestBodyDecoder(length, options);
  let body = "";
  for (let i = 0; i < bytes.length; i += size) {
    const piece = bytes.slice(i, Math.min(bytes.length, i + size));
    const used = decoder.push(piece);
    body += fromLatin1(decoder.data);
    piece.fill(0xdd); // The chunk may be lent.
    if (used === -1) continue;
    assert(decoder.isDone);
    return [body, fromLatin1(bytes.subarray(i + used))];
  }
  assert(!decoder.isDone);
  return undefined;
}

/** Asserts that a chunked body fails exactly at the last byte of `body`, at any chunking. */
function assertMalformed(body: string, where: string, options?: RequestBodyOptions): void {
  const bytes = latin1(body);
  assertEquals(decode(bytes.subarray(0, -1), "chunked", Infinity, options), undefined, body);
  for (const size of [1, 2, Infinity]) {
    assertRefused(() => decode(bytes, "chunked", size, options), 400, BODY, where);
  }
}

// The framing of a request: RFC 9112 §6.3.

test("requestBodyLength is 0 without Content-Length and Transfer-Encoding", () => {
  assertEquals(lengthOf([]), 0);
  assertEquals(lengthOf([["content-type", "text/plain"]], 0), 0);
});

test("requestBodyLength reads a Content-Length of HTTP/1.1 and 1.0", () => {
  for (
    const [value, length] of [["0", 0], ["5", 5], ["007", 7], ["16777217", 16_777_217]] as const
  ) {
    assertEquals([lengthOf([["Content-Length", value]]), value], [length, value]);
    assertEquals(lengthOf([["Content-Length", value]], 0), length);
  }
});

test("requestBodyLength refuses a Content-Length that a number cannot hold with 413", () => {
  assertEquals(lengthOf([["content-length", "9007199254740991"]]), Number.MAX_SAFE_INTEGER);
  for (const value of ["9007199254740992", "9".repeat(400)]) {
    assertRefused(() => lengthOf([["content-length", value]]), 413, TOO_LARGE);
  }
});

test("requestBodyLength reads Transfer-Encoding: chunked in any case", () => {
  for (const value of ["chunked", "Chunked", "CHUNKED"]) {
    assertEquals(lengthOf([["transfer-encoding", value]]), "chunked");
  }
});

for (
  const value of [
    "",
    "+5",
    "-5",
    "5.0",
    "5e1",
    "0x5",
    "5 5",
    "5,5",
    "5, 5",
    "5;",
    "\xb2",
    "five",
    "5\t5",
  ]
) {
  test(`requestBodyLength refuses Content-Length ${JSON.stringify(value)} with 400`, () => {
    assertRefused(() => lengthOf([["content-length", value]]), 400, FRAMING, "Content-Length");
  });
}

const smuggling: [name: string, fields: [string, string][], minorVersion?: number][] = [
  ["CL.TE and TE.CL: both fields", [["Content-Length", "6"], ["Transfer-Encoding", "chunked"]]],
  ["TE.CL, in the other order", [["Transfer-Encoding", "chunked"], ["Content-Length", "4"]]],
  ["TE.0: both fields, with a length of 0", [
    ["Transfer-Encoding", "chunked"],
    ["Content-Length", "0"],
  ]],
  ["CL.CL: two different lengths", [["Content-Length", "5"], ["Content-Length", "6"]]],
  ["CL.CL: a length twice", [["Content-Length", "5"], ["content-length", "5"]]],
  ["CL.CL: a list of lengths", [["Content-Length", "5, 6"]]],
  ["TE.TE: a coding after chunked", [["Transfer-Encoding", "chunked, identity"]]],
  ["TE.TE: two lines", [["Transfer-Encoding", "chunked"], ["Transfer-Encoding", "identity"]]],
  ["TE.TE: chunked twice", [["Transfer-Encoding", "chunked, chunked"]]],
  ["TE.TE: chunked twice, in two lines", [
    ["Transfer-Encoding", "chunked"],
    ["Transfer-encoding", "chunked"],
  ]],
  ["TE.TE: a name that contains chunked", [["Transfer-Encoding", "xchunked"]]],
  ["TE.TE: chunked with a parameter", [["Transfer-Encoding", "chunked;q=1"]]],
  ["TE.TE: chunked in quotes", [["Transfer-Encoding", '"chunked"']]],
  ["TE.TE: chunked after a space", [["Transfer-Encoding", "x chunked"]]],
  ["TE.TE: chunked after an empty element", [["Transfer-Encoding", ", chunked"]]],
  ["TE.TE: chunked before an empty element", [["Transfer-Encoding", "chunked,"]]],
  ["TE.TE: chunked after U+00A0", [["Transfer-Encoding", "\xa0chunked"]]],
  ["TE.TE: a letter that becomes k in lower case", [["Transfer-Encoding", "chun\u212aed"]]],
  ["TE.TE: an empty field", [["Transfer-Encoding", ""]]],
  ["TE.TE: identity alone", [["Transfer-Encoding", "identity"]]],
  ["TE.TE: gzip alone", [["Transfer-Encoding", "gzip"]]],
  ["Transfer-Encoding with HTTP/1.0", [["Transfer-Encoding", "chunked"]], 0],
];

for (const [name, fields, minorVersion] of smuggling) {
  test(`requestBodyLength refuses ${name} with 400`, () => {
    assertRefused(() => lengthOf(fields, minorVersion), 400, FRAMING);
  });
}

test("requestBodyLength refuses other codings before chunked with 501", () => {
  for (
    const value of ["gzip, chunked", "deflate ,\tCHUNKED", "x, y, chunked", "identity,chunked"]
  ) {
    assertRefused(() => lengthOf([["Transfer-Encoding", value]]), 501, CODING, "expected");
  }
});

// Bodies of a known length.

test("RequestBodyDecoder is done at once if the length is 0", () => {
  const decoder = new RequestBodyDecoder(0);
  assert(decoder.isDone);
  assertEquals(decoder.data.length, 0);
  assertThrows(() => decoder.push(latin1("x")), DOMException, "the body has ended");
});

test("RequestBodyDecoder reads a known length from pieces, and leaves the rest", () => {
  for (const size of [1, 2, 3, 5, 8, Infinity]) {
    assertEquals(decode(latin1("helloGET /"), 5, size), ["hello", "GET /"]);
  }
  assertEquals(decode(latin1("hell"), 5), undefined);
  const decoder = new RequestBodyDecoder(2);
  assertEquals([decoder.push(latin1("")), decoder.data.length, decoder.isDone], [-1, 0, false]);
  const chunk = latin1("ab");
  assertEquals(decoder.push(chunk), 2);
  assert(decoder.data === chunk);
});

test("RequestBodyDecoder refuses an announced length over maxBodySize with 413, at once", () => {
  assertEquals(new RequestBodyDecoder(16_777_216).isDone, false);
  for (const length of [16_777_217, Number.MAX_SAFE_INTEGER]) {
    assertRefused(() => new RequestBodyDecoder(length), 413, TOO_LARGE, "16777216 bytes");
  }
  assertRefused(() => new RequestBodyDecoder(6, { maxBodySize: 5 }), 413, TOO_LARGE);
  assertEquals(decode(latin1("hello"), 5, Infinity, { maxBodySize: 5 }), ["hello", ""]);
});

// The chunked coding: RFC 9112 §7.1.

test("RequestBodyDecoder decodes chunks from pieces of any size", () => {
  const bytes = latin1("5\r\nhello\r\n1\r\n \r\n00a\r\nwide world\r\n0\r\n\r\nGET /");
  for (let size = 1; size <= bytes.length; size++) {
    assertEquals(decode(bytes, "chunked", size), ["hello wide world", "GET /"]);
  }
});

test("RequestBodyDecoder decodes an empty body", () => {
  assertEquals(decode(latin1("0\r\n\r\nrest")), ["", "rest"]);
  assertEquals(decode(latin1("000\r\n\r\n")), ["", ""]);
});

test("RequestBodyDecoder reads chunk sizes in any case, with leading zeros", () => {
  const data = "x".repeat(0xab);
  for (const size of ["ab", "AB", "aB", "00000000000000ab"]) {
    assertEquals(decode(latin1(`${size}\r\n${data}\r\n0\r\n\r\n`)), [data, ""]);
  }
});

test("RequestBodyDecoder gives a view of the chunk if it has one piece of data, else a copy", () => {
  const decoder = new RequestBodyDecoder("chunked");
  const chunk = latin1("5\r\nhello");
  assertEquals(decoder.push(chunk), -1);
  assert(decoder.data.buffer === chunk.buffer);
  const more = latin1("\r\n2\r\nab\r\n2\r\ncd\r\n");
  assertEquals(decoder.push(more), -1);
  assertEquals(fromLatin1(decoder.data), "abcd");
  assert(decoder.data.buffer !== more.buffer);
  assertEquals([decoder.push(latin1("0\r\n")), decoder.data.length], [-1, 0]);
});

const extensions: string[] = [
  ";a",
  ";a=b",
  ";a;b=c;d",
  ";name=value;other=1",
  ';a="b c; \\" \\\\ \xe9"',
  ' ; a = b ; c\t=\t"d"',
  ";a ;b",
  ';a="";b=""',
  ';a="b" ;c',
];

for (const extension of extensions) {
  test(`RequestBodyDecoder ignores the chunk extension ${JSON.stringify(extension)}`, () => {
    const bytes = latin1(`2${extension}\r\nhi\r\n0${extension}\r\n\r\nX`);
    for (const size of [1, 3, Infinity]) assertEquals(decode(bytes, "chunked", size), ["hi", "X"]);
  });
}

test("RequestBodyDecoder drops trailers", () => {
  const bytes = latin1("2\r\nhi\r\n0\r\nA: b\r\nContent-Length: 5\r\nC:\r\n\r\nX");
  for (let size = 1; size <= bytes.length; size++) {
    assertEquals(decode(bytes, "chunked", size), ["hi", "X"]);
  }
});

const malformed: [name: string, body: string, where: string][] = [
  ["no size", "\r", "0x0d in the chunk size"],
  ["an empty line first", "2\r\nhi\r\n\r", "0x0d in the chunk size"],
  ["a space before the size", " ", "0x20 in the chunk size"],
  ["a sign", "+", "0x2b in the chunk size"],
  ["a negative size", "-", "0x2d in the chunk size"],
  ["a prefix of hexadecimal", "0x", "0x78 in the chunk size"],
  ["an underscore", "1_", "0x5f in the chunk size"],
  ["a letter beyond F", "1g", "0x67 in the chunk size"],
  ["a size of 17 digits", "00000000000000001", "0x31 in the chunk size"],
  ["a NUL in the size", "1\0", "0x00 in the chunk size"],
  ["a bare LF after the size", "2\n", "0x0a in the chunk size"],
  ["a bare CR after the size", "2\rh", "0x68 in the end of a chunk size line"],
  ["two CRs after the size", "2\r\r", "0x0d in the end of a chunk size line"],
  ["a space at the end of the size line", "2 \r", "0x0d in the chunk extension"],
  ["two sizes", "2 3", "0x33 in the chunk extension"],
  ["a comma after the size", "2,", "0x2c in the chunk size"],
  ["an extension without a name", "2;\r", "0x0d in the chunk extension"],
  ["an extension without a name, before another", "2;;", "0x3b in the chunk extension"],
  ["an extension with a value alone", "2;=", "0x3d in the chunk extension"],
  ["an extension without its value", "2;a=\r", "0x0d in the chunk extension"],
  ["an extension with two values", "2;a=b=", "0x3d in the chunk extension"],
  ["an extension with two names", "2;a b", "0x62 in the chunk extension"],
  ["an extension with a space at its end", "2;a \r", "0x0d in the chunk extension"],
  ["a bare LF in an extension (TERM.EXT)", "2;\n", "0x0a in the chunk extension"],
  ["a bare LF after an extension's name (TERM.EXT)", "2;a\n", "0x0a in the chunk extension"],
  ["a bare LF after an extension's value", "2;a=b\n", "0x0a in the chunk extension"],
  ["a bare LF in a quoted value", '2;a="\n', "0x0a in the chunk extension"],
  ["a CR in a quoted value (EXT.TERM)", '2;a="\r', "0x0d in the chunk extension"],
  ["an escaped LF in a quoted value", '2;a="\\\n', "0x0a in the chunk extension"],
  ["a NUL in a quoted value", '2;a="\0', "0x00 in the chunk extension"],
  ["text after a quoted value", '2;a="b"c', "0x63 in the chunk extension"],
  ["a bare CR after an extension (EXT.TERM)", "2;a\rb", "0x62 in the end of a chunk size line"],
  ["more data than the size", "2\r\nhi!", "0x21 in the end of a chunk"],
  ["a bare LF after the data (TERM.SPILL)", "2\r\nhi\n", "0x0a in the end of a chunk"],
  ["a bare CR after the data", "2\r\nhi\r0", "0x30 in the end of a chunk"],
  ["no line end after the data", "2\r\nhi0", "0x30 in the end of a chunk"],
];

for (const [name, body, where] of malformed) {
  test(`RequestBodyDecoder refuses ${name} in chunks with 400, at its byte`, () => {
    assertMalformed(body, where);
  });
}

const badTrailers: [name: string, trailers: string, where: string][] = [
  ["a bare LF at their end", "\n", "header name"],
  ["a bare CR at their end", "\rX", "line's end"],
  ["a bare LF after a field", "A: b\n", "header value"],
  ["a folded line", "A: b\r\n ", "header name"],
  ["a space before the colon", "A ", "header name"],
  ["a line without a colon", "A\r", "header name"],
  ["a NUL in a value", "A: \0", "header value"],
  ["a request in their place", "GET ", "header name"],
];

for (const [name, trailers, where] of badTrailers) {
  test(`RequestBodyDecoder refuses trailers with ${name}`, () => {
    const bytes = latin1(`0\r\n${trailers}`);
    assertEquals(decode(bytes.subarray(0, -1)), undefined);
    for (const size of [1, Infinity]) {
      const error = assertRefused(
        () => decode(bytes, "chunked", size),
        400,
        "ERR_HANDSHAKE_HEAD",
        where,
      );
      assert(error.message.startsWith("Cannot parse trailers: unexpected byte"));
    }
  });
}

test("RequestBodyDecoder refuses a chunk over maxBodySize with 413, at its size", () => {
  const options = { maxBodySize: 5 };
  assertEquals(decode(latin1("5\r\nhello\r\n0\r\n\r\n"), "chunked", 1, options), ["hello", ""]);
  for (const body of ["6", "10", "f", "3\r\nabc\r\n3", "5\r\nhello\r\n1", "ffffffffffffffff"]) {
    const bytes = latin1(body);
    for (const size of [1, Infinity]) {
      assertRefused(() => decode(bytes, "chunked", size, options), 413, TOO_LARGE, "5 bytes");
    }
  }
});

test("RequestBodyDecoder refuses sizes that a number cannot hold, without a limit", () => {
  const options = { maxBodySize: Infinity };
  const size = Number.MAX_SAFE_INTEGER.toString(16);
  assertEquals(decode(latin1(`${size}\r\nx`), "chunked", 1, options), undefined);
  assertRefused(
    () => decode(latin1("20000000000000"), "chunked", 1, options),
    413,
    TOO_LARGE,
  );
  const two = latin1(`1\r\nx\r\n${size}`);
  assertRefused(() => decode(two, "chunked", 1, options), 413, TOO_LARGE);
});

test("RequestBodyDecoder bounds all chunk extensions of a body together", () => {
  const chunk = (extension: string) => `1${extension}\r\nx\r\n`;
  const options = { maxHeadSize: 100 };
  const allowed = chunk(`;${"a".repeat(49)}`).repeat(2) + "0\r\n\r\n";
  assertEquals(decode(latin1(allowed), "chunked", 1, options), ["xx", ""]);
  for (const body of [`1;${"a".repeat(100)}`, chunk(";a").repeat(51), `1;a="${"b".repeat(97)}`]) {
    for (const size of [1, Infinity]) {
      assertRefused(
        () => decode(latin1(body), "chunked", size, options),
        413,
        TOO_LARGE,
        "chunk extensions of more than 100 bytes",
      );
    }
  }
  const byDefault = latin1(`1;${"a".repeat(16_384)}`);
  assertEquals(decode(byDefault.subarray(0, -1)), undefined);
  assertRefused(() => decode(byDefault), 413, TOO_LARGE);
});

test("RequestBodyDecoder bounds whitespace in extensions, which counts as their size", () => {
  const options = { maxHeadSize: 100 };
  for (const start of ["1 ", "1; ", "1;a ", "1;a= ", '1;a="b" ']) {
    const body = latin1(start + " ".repeat(100));
    assertRefused(() => decode(body, "chunked", 1, options), 413, TOO_LARGE);
  }
});

test("RequestBodyDecoder bounds trailers with 431", () => {
  const tooLarge = "ERR_HANDSHAKE_HEAD_TOO_LARGE";
  const lines = "A: b\r\n".repeat(5);
  const many = latin1(`0\r\n${lines}\r\n`);
  assertEquals(decode(many, "chunked", 1, { maxHeaders: 5 }), ["", ""]);
  assertRefused(() => decode(many, "chunked", 1, { maxHeaders: 4 }), 431, tooLarge, "trailers");
  assertEquals(decode(many, "chunked", 1, { maxHeadSize: 32 }), ["", ""]);
  assertRefused(() => decode(many, "chunked", 1, { maxHeadSize: 31 }), 431, tooLarge);
  const endless = latin1(`0\r\nA: ${"b".repeat(16_384)}`);
  assertRefused(() => decode(endless), 431, tooLarge, "16384 bytes");
});

test("RequestBodyDecoder takes no bytes after it is done or has failed", () => {
  const done = new RequestBodyDecoder("chunked");
  done.push(latin1("0\r\n\r\n"));
  const failed = new RequestBodyDecoder("chunked");
  assertThrows(() => failed.push(latin1("1\r\nx\r\nx")));
  for (const decoder of [done, failed]) {
    assertEquals(decoder.data.length, 0);
    assertThrows(() => decoder.push(latin1("0")), DOMException, "the body has ended");
  }
});

test("RequestBodyDecoder takes linear time", () => {
  const limits = { maxHeadSize: Infinity };
  const whole = (text: string) => {
    const bytes = latin1(text);
    return () => void new RequestBodyDecoder("chunked", limits).push(bytes);
  };
  const byByte = (text: string) => {
    const bytes = latin1(text);
    return () => {
      const decoder = new RequestBodyDecoder("chunked", limits);
      for (let i = 0; i < bytes.length; i++) decoder.push(bytes.subarray(i, i + 1));
    };
  };
  for (
    const make of [
      (size: number) => whole("1\r\nx\r\n".repeat(size)),
      (size: number) => whole("1;a=b\r\nx\r\n".repeat(size)),
      (size: number) => byByte("1;" + "a".repeat(size)),
      (size: number) => byByte("0\r\nA: " + "b".repeat(size)),
    ]
  ) {
    const runs = new Map<number, () => void>();
    assertLinear((size) => {
      let run = runs.get(size);
      if (run === undefined) runs.set(size, run = make(size));
      run();
    }, 2_000);
  }
});

test("RequestBodyDecoder.missing counts down to the end, and is undefined for chunks", () => {
  const decoder = new RequestBodyDecoder(5);
  assertEquals(decoder.missing, 5);
  assertEquals([decoder.push(latin1("abc")), decoder.missing], [-1, 2]);
  assertEquals([decoder.push(latin1("deGET")), decoder.missing, decoder.isDone], [2, 0, true]);
  const chunked = new RequestBodyDecoder("chunked");
  assertEquals([chunked.push(latin1("3\r\nabc")), chunked.missing], [-1, undefined]);
});
