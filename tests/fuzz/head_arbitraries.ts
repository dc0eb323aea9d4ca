/** Generates heads of requests and responses that are valid, or nearly. */

import type { Random } from "./random.ts";

/** The key of the request to which responses belong, and the answer to it: RFC 6455 §1.3. */
export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const PARAMETERS = [
  "client_max_window_bits",
  "client_max_window_bits=10",
  'server_max_window_bits="9"',
  "server_max_window_bits=15",
  "server_no_context_takeover",
  "client_no_context_takeover",
  "x=y",
  "server_max_window_bits=8",
];

/** Returns a value of Sec-WebSocket-Extensions. */
export function extensions(random: Random): string {
  const elements = Array.from({ length: 1 + random.small(4) }, () => {
    if (random.once(10)) return "";
    const name = random.once(4) ? "x-other" : "permessage-deflate";
    const space = random.pick(["", " ", "\t", "  "]);
    const parameters = Array.from({ length: random.small(4) }, () => random.pick(PARAMETERS));
    return [name, ...parameters].join(`${space};${space}`);
  });
  return elements.join(random.pick([",", ", ", " , "]));
}

/** The required fields of a client's handshake, with alternative values. */
const REQUEST: readonly (readonly string[])[] = [
  [
    "Host: example.com",
    "host:localhost:8080",
    "Host: [::1]",
    "Host: a b",
    "Host:",
    "HOST: a:99999",
    "Host: me@example.com",
    "Host: example.com/x",
  ],
  ["Upgrade: websocket", "upgrade:WebSocket", "Upgrade: h2c, websocket", "Upgrade: h2c"],
  ["Connection: Upgrade", "connection: keep-alive, Upgrade", "Connection: close"],
  [`Sec-WebSocket-Key: ${KEY}`, `sec-websocket-key:  ${KEY} `, "Sec-WebSocket-Key: short"],
  ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"],
];
/** The optional fields. */
const MORE_OF_REQUEST = [
  "Origin: http://example.com",
  "Origin: https://example.com:8443",
  "Origin: null",
  "Origin: \xe9",
  "Sec-WebSocket-Protocol: chat, superchat",
  "Sec-WebSocket-Protocol: chat, chat",
  "Sec-WebSocket-Protocol: ,",
  "Cookie: a=b; c=\xff",
  "Content-Length: 0",
  "Content-Length: 5",
  "Transfer-Encoding: chunked",
  "__proto__: x",
  "User-Agent: \t x \t",
  "X:",
];
const REQUEST_LINES = [
  "GET /chat HTTP/1.1",
  "GET / HTTP/1.1",
  "GET /?a=b&c=%20|{} HTTP/1.2",
  "\r\nGET /chat HTTP/1.1",
  "GET http://example.com/chat HTTP/1.1",
  "GET wss://localhost:8080?x HTTP/1.1",
  "GET http://other.com/ HTTP/1.1",
  "GET * HTTP/1.1",
  " / HTTP/1.1",
  "\r\n / HTTP/1.1",
  "OPTIONS * HTTP/1.1",
  "POST / HTTP/1.1",
  "HEAD / HTTP/1.1",
  "TRACE / HTTP/1.1",
  "CONNECT example.com:80 HTTP/1.1",
  "GET / HTTP/1.0",
  "GET / HTTP/2.0",
  "GET //evil.com/ HTTP/1.1",
  "GET /\\..//@x:y HTTP/1.1",
];

const RESPONSE: readonly (readonly string[])[] = [
  ["Upgrade: websocket", "upgrade:WebSocket", "Upgrade: h2c"],
  ["Connection: Upgrade", "connection: keep-alive, upgrade", "Connection: close"],
  [`Sec-WebSocket-Accept: ${ACCEPT}`, `sec-websocket-accept:${ACCEPT}`, "Sec-WebSocket-Accept: x"],
];
const MORE_OF_RESPONSE = [
  "Sec-WebSocket-Protocol: chat",
  "Sec-WebSocket-Protocol: other",
  "Set-Cookie: a=b",
  "Date: today",
  "Content-Length: 5",
  "Content-Length: 0",
  "Content-Length: 99999999999999999999",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: gzip",
];
const STATUS_LINES = [
  "HTTP/1.1 101 Switching Protocols",
  "HTTP/1.1 101 ",
  "HTTP/1.1 101",
  "HTTP/1.0 101 x",
  "HTTP/1.1 200 OK",
  "HTTP/1.1 204 No Content",
  "HTTP/1.1 403 Verboten \xe4",
  "HTTP/1.1 999 x",
  "HTTP/1.1 099 x",
];
const BODIES = [
  "hello",
  "5\r\nhello\r\n0\r\n\r\n",
  "3;a=b\r\nabc\r\nG",
  "\x81\x02hi",
  "FFFFFFFFFFFF\r\nx",
];

/** Returns a head that is right in most fields, with further ones, in any order, and data after it. */
export function head(random: Random, isRequest: boolean): string {
  const usual = (from: readonly string[]) => from[random.once(5) ? random.below(from.length) : 0]!;
  const fields = (isRequest ? REQUEST : RESPONSE)
    .filter(() => !random.once(25))
    .map(usual);
  for (let count = random.small(5); count > 0; count--) {
    fields.push(random.pick(isRequest ? MORE_OF_REQUEST : MORE_OF_RESPONSE));
  }
  if (random.once(3)) fields.push(`Sec-WebSocket-Extensions: ${extensions(random)}`);
  if (random.once(20)) fields.push(random.pick(fields));
  if (random.once(2)) {
    const at = random.below(fields.length);
    fields.push(...fields.splice(0, at));
  }
  const lines = isRequest ? REQUEST_LINES : STATUS_LINES;
  const start = random.once(3) ? random.pick(lines) : lines[0]!;
  const end = random.once(4) ? random.pick(BODIES) : "";
  return `${[start, ...fields].join("\r\n")}\r\n\r\n${end}`;
}

/** Changes a head as an attacker might. */
export function damageHead(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const [before, after] = [text.slice(0, at), text.slice(at)];
  switch (random.below(5)) {
    case 0:
      return before + random.pick(["\r", "\n", "\r\n", "\0", " ", "\t", ":", "\x7f", "\xff", "#"]) +
        after;
    case 1:
      return before + after.slice(1 + random.small(8));
    case 2:
      return before + String.fromCharCode(random.below(256)) + after.slice(1);
    case 3:
      return before + after.slice(0, random.small(30)) + after;
    default:
      return before;
  }
}
