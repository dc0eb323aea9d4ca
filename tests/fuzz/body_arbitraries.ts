/** Request bodies and pipelined requests, valid and almost valid. */

import type { Random } from "./random.ts";

const EXTENSIONS = [
  ";a",
  ";a=b",
  " ; name = value",
  ';a="b;c\\""',
  '\t;\ta\t=\t"\xe9"',
  ";a;b;c",
  ";a=" + "b".repeat(40),
];
const TRAILERS = [
  "A: b\r\n",
  "x:\r\n",
  "Content-Length: 5\r\n",
  "Long: " + "y".repeat(40) + "\r\n",
];
const DATA = [
  "hello",
  "0\r\n\r\n",
  "\r\n",
  "\0\xff",
  "GET / HTTP/1.1\r\n\r\n",
  "x".repeat(70),
  "5\r\n",
];

/** Returns a chunked body. */
export function chunkedBody(random: Random): string {
  let text = "";
  for (let count = random.small(5); count > 0; count--) {
    const data = random.pick(DATA);
    text += `${sizeOf(random, data.length)}${extension(random)}\r\n${data}\r\n`;
  }
  text += `${"0".repeat(1 + random.small(3))}${extension(random)}\r\n`;
  for (let count = random.once(3) ? random.small(6) : 0; count > 0; count--) {
    text += random.pick(TRAILERS);
  }
  return `${text}\r\n`;
}

function sizeOf(random: Random, size: number): string {
  const digits = size.toString(16);
  const text = random.once(4) ? digits.toUpperCase() : digits;
  return random.once(6) ? text.padStart(random.once(3) ? 17 : 1 + random.below(16), "0") : text;
}

function extension(random: Random): string {
  return random.once(5) ? random.pick(EXTENSIONS) : "";
}

/** Changes a body as an attacker could. */
export function damageBody(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const [before, after] = [text.slice(0, at), text.slice(at)];
  const pieces = [
    "\r",
    "\n",
    "\r\n",
    "\0",
    " ",
    ";",
    "=",
    '"',
    "\\",
    "0",
    "f",
    "-",
    "0x",
    "\t",
    "g",
  ];
  switch (random.below(5)) {
    case 0:
      return before + random.pick(pieces) + after;
    case 1:
      return before + after.slice(1 + random.small(3));
    case 2:
      return before + String.fromCharCode(random.below(256)) + after.slice(1);
    case 3:
      return before + after.slice(0, random.small(20)) + after;
    default:
      return before;
  }
}

const FRAMINGS = [
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: Chunked",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: chunked, identity",
  "Transfer-Encoding: identity",
  "Transfer-Encoding: chunked, chunked",
  "Transfer-Encoding: xchunked",
  "Transfer-Encoding: \x0bchunked",
  "Transfer-Encoding:\tchunked ",
  "Transfer-Encoding: ,chunked",
  "Transfer-Encoding: chunked;q=1",
  "Transfer-Encoding : chunked",
  "Transfer-Encoding:\r\n chunked",
  "Content-Length: +5",
  "Content-Length: 5, 5",
  "Content-Length: 0x5",
  "Content-Length: 005",
  "Content-Length: ",
  "Content-Length: 5 ",
  "Content-Length: -1",
  "Content-Length: 99999999999999999999",
  "Content-Length : 5",
];
const FIELDS = [
  "Connection: close",
  "Connection: keep-alive",
  "Connection: Keep-Alive, x",
  "X: y",
  "X:",
  "x: z",
  "X:\t \tspace  inside\t \t",
  "X: obs\xe9text\xff",
  "X: a, b,, c",
  'X: "a\\"b\r\nX: c',
  "!#$%&'*+-.^_`|~09aZ: token",
  "Expect: 100-continue",
  "Cookie: a=b",
  "cookie: c=d",
  "Content-Type: text/plain",
  // More than Node's parser collects before it reports them.
  Array.from({ length: 40 }, (_, i) => `N${i % 7}: ${i}`).join("\r\n"),
];
const START_LINES = [
  "GET / HTTP/1.1",
  "POST /a?b=c HTTP/1.1",
  "PUT /x HTTP/1.1",
  "DELETE /x HTTP/1.1",
  "OPTIONS * HTTP/1.1",
  "POST http://a/x HTTP/1.1",
  "POST / HTTP/1.0",
  "GET / HTTP/1.0",
  "\r\nPOST / HTTP/1.1",
  "HEAD / HTTP/1.1",
  "PATCH /a/../b?c#d HTTP/1.1",
  "M-SEARCH * HTTP/1.1",
  "get / HTTP/1.1",
  "GET /%00%zz HTTP/1.1",
  "GET / HTTP/1.2",
];

/** Returns one to four requests after each other. */
export function pipeline(random: Random): string {
  let text = "";
  for (let count = 1 + random.small(4); count > 0; count--) text += request(random);
  return text;
}

function request(random: Random): string {
  const fields = ["Host: a"];
  let body = "";
  const kind = random.below(8);
  if (kind === 0) {
    fields.push(random.pick(FRAMINGS));
    body = random.pick(["hello", "5\r\nhello\r\n0\r\n\r\n", ""]);
  } else if (kind < 4) {
    fields.push("Transfer-Encoding: chunked");
    body = chunkedBody(random);
  } else if (kind < 6) {
    body = random.pick(DATA);
    fields.push(`Content-Length: ${body.length}`);
  }
  if (random.once(12)) fields.push(random.pick(FRAMINGS));
  for (let count = random.small(4); count > 0; count--) fields.push(random.pick(FIELDS));
  if (random.once(3)) fields.reverse();
  const start = random.pick(START_LINES);
  return `${start}\r\n${fields.join("\r\n")}\r\n\r\n${body}`;
}
