// RFC 9112 §11.2: request smuggling. Each known technique, as a request whose length two recipients
// could read differently. It gets an error, and no byte after it is read as a request.
import { test } from "../harness.ts";
import { assertRejected } from "./http_servers.ts";

const POST = "POST /a HTTP/1.1\r\nHost: a\r\n";
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
const BODY = "5\r\nhello\r\n0\r\n\r\n";

const techniques: [name: string, request: string, status?: number][] = [
  ["CL.TE", `${POST}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX`],
  ["TE.CL", `${POST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${BODY}`],
  [
    "TE.0: a length of 0 with chunks",
    `${POST}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n`,
  ],
  ["CL.CL: two lengths", `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`],
  ["CL.CL: a length twice", `${POST}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`],
  ["CL.CL: a list of lengths", `${POST}Content-Length: 5, 5\r\n\r\nhello`],
  ["CL.0: a body of a GET", "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"],
  [
    "CL.0: chunks of a HEAD",
    `HEAD /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${BODY}`,
  ],
  ["CL: a sign", `${POST}Content-Length: +5\r\n\r\nhello`],
  ["CL: a negative length", `${POST}Content-Length: -5\r\n\r\nhello`],
  ["CL: hexadecimal", `${POST}Content-Length: 0x5\r\n\r\nhello`],
  ["CL: a fraction", `${POST}Content-Length: 5.0\r\n\r\nhello`],
  ["CL: two numbers", `${POST}Content-Length: 5 6\r\n\r\nhello`],
  ["CL: nothing", `${POST}Content-Length:\r\n\r\nhello`],
  ["CL: beyond 2^64", `${POST}Content-Length: 18446744073709551621\r\n\r\nhello`, 413],
  ["CL: a space before the colon", `${POST}Content-Length : 5\r\n\r\nhello`],
  ["CL: a vertical tab before the number", `${POST}Content-Length: \x0b5\r\n\r\nhello`],
  ["TE.TE: identity after chunked", `${POST}Transfer-Encoding: chunked, identity\r\n\r\n${BODY}`],
  ["TE.TE: two lines", `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n${BODY}`],
  ["TE.TE: chunked twice", `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n${BODY}`],
  ["TE.TE: another coding first", `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n${BODY}`, 501],
  ["TE.TE: identity alone", `${POST}Transfer-Encoding: identity\r\n\r\n${BODY}`],
  ["TE.TE: a name that contains chunked", `${POST}Transfer-Encoding: xchunked\r\n\r\n${BODY}`],
  ["TE.TE: a parameter", `${POST}Transfer-Encoding: chunked;a=b\r\n\r\n${BODY}`],
  ["TE.TE: quotes", `${POST}Transfer-Encoding: "chunked"\r\n\r\n${BODY}`],
  ["TE.TE: nothing", `${POST}Transfer-Encoding:\r\n\r\n${BODY}`],
  ["TE.TE: a comma first", `${POST}Transfer-Encoding: ,chunked\r\n\r\n${BODY}`],
  ["TE.TE: a space before the colon", `${POST}Transfer-Encoding : chunked\r\n\r\n${BODY}`],
  ["TE.TE: a vertical tab", `${POST}Transfer-Encoding: \x0bchunked\r\n\r\n${BODY}`],
  ["TE.TE: a NUL", `${POST}Transfer-Encoding: chunked\0\r\n\r\n${BODY}`],
  ["TE.TE: a no-break space", `${POST}Transfer-Encoding:\xa0chunked\r\n\r\n${BODY}`],
  ["TE.TE: a folded line", `${POST}Transfer-Encoding:\r\n chunked\r\n\r\n${BODY}`],
  [
    "TE.TE: a line before it that is folded into it",
    `${POST}X: y\r\n Transfer-Encoding: chunked\r\n\r\n`,
  ],
  ["TE with HTTP/1.0", `POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n${BODY}`],
  ["a bare LF after the request line", "POST /a HTTP/1.1\nHost: a\r\n\r\n"],
  ["a bare LF after a field", `POST /a HTTP/1.1\r\nHost: a\nContent-Length: 5\r\n\r\nhello`],
  ["a bare LF at the end of the head", `${POST}Content-Length: 5\r\n\nhello`],
  ["a bare CR in a field", `${POST}X: y\rContent-Length: 5\r\n\r\nhello`],
  ["a bare CR after the request line", "POST /a HTTP/1.1\rHost: a\r\n\r\n"],
  ["a NUL in a name", `${POST}X\0: y\r\n\r\n`],
  ["a NUL in a value", `${POST}X: y\0z\r\n\r\n`],
  ["a colon alone", `${POST}: y\r\n\r\n`],
  ["a field without a colon", `${POST}X\r\n\r\n`],
  ["a space before the first field", "POST /a HTTP/1.1\r\n Host: a\r\n\r\n"],
  ["a tab after the method", "POST\t/a HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["two spaces before the version", "POST /a  HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["two empty lines first", `\r\n\r\n${POST}\r\n`],
  ["no chunk size", `${CHUNKED}\r\nhello\r\n0\r\n\r\n`],
  ["a chunk size with a sign", `${CHUNKED}+5\r\nhello\r\n0\r\n\r\n`],
  ["a negative chunk size", `${CHUNKED}-5\r\nhello\r\n0\r\n\r\n`],
  ["a chunk size with 0x", `${CHUNKED}0x5\r\nhello\r\n0\r\n\r\n`],
  ["a chunk size with an underscore", `${CHUNKED}0_5\r\nhello\r\n0\r\n\r\n`],
  ["a chunk size in another base", `${CHUNKED}5g\r\nhello\r\n0\r\n\r\n`],
  ["a chunk size beyond 2^64", `${CHUNKED}10000000000000005\r\nhello\r\n0\r\n\r\n`, 413],
  ["a chunk size of 17 digits", `${CHUNKED}00000000000000005\r\nhello\r\n0\r\n\r\n`],
  ["a space before the chunk size", `${CHUNKED} 5\r\nhello\r\n0\r\n\r\n`],
  ["a space after the chunk size", `${CHUNKED}5 \r\nhello\r\n0\r\n\r\n`],
  ["a NUL after the chunk size", `${CHUNKED}5\0\r\nhello\r\n0\r\n\r\n`],
  ["a bare LF after the chunk size", `${CHUNKED}5\nhello\r\n0\r\n\r\n`],
  ["a bare CR after the chunk size", `${CHUNKED}5\rhello\r\n0\r\n\r\n`],
  ["TERM.EXT: a bare LF in an extension", `${CHUNKED}5;\nhello\r\n0\r\n\r\n`],
  ["TERM.EXT: a bare LF after an extension", `${CHUNKED}5;a\nhello\r\n0\r\n\r\n`],
  ["EXT.TERM: a bare CR in an extension", `${CHUNKED}5;a\rb\r\nhello\r\n0\r\n\r\n`],
  ["EXT.TERM: a line end in a quoted extension", `${CHUNKED}5;a="\r\n"\r\nhello\r\n0\r\n\r\n`],
  ["SPILL: data beyond its chunk", `${CHUNKED}5\r\nhello!\r\n0\r\n\r\n`],
  ["TERM.SPILL: a bare LF after the data", `${CHUNKED}5\r\nhello\n0\r\n\r\n`],
  ["ONE.TWO: one byte after the data", `${CHUNKED}5\r\nhelloX0\r\n\r\n`],
  ["TWO.TERM: two bytes after the data", `${CHUNKED}5\r\nhelloXX0\r\n\r\n`],
  ["a bare LF at the end of the body", `${CHUNKED}0\r\n\n`],
  ["a bare CR at the end of the body", `${CHUNKED}0\r\n\rX`],
  ["a folded trailer", `${CHUNKED}0\r\nX: y\r\n z\r\n\r\n`],
  ["a trailer with a space before the colon", `${CHUNKED}0\r\nX : y\r\n\r\n`],
  ["a request in place of the trailers", `${CHUNKED}0\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n`],
];

for (const [name, request, status = 400] of techniques) {
  test(`RFC 9112 §11.2: ${name} is refused with ${status}, and nothing is smuggled`, async () => {
    await assertRejected(request, status);
  });
}
