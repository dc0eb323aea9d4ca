// RFC 9112 §2 to §7: messages, as a server must read and write them. Each test quotes the clause that it
// checks. Requests that are refused for their framing are in http_smuggling_test.ts.
import { assert, assertEquals, delay, test } from "../harness.ts";
import { latin1 } from "../support/bytes.ts";
import {
  assertPersists,
  assertRejected,
  readOne,
  serveHttp,
  talk,
  talkToEnd,
  valuesOf,
} from "./http_servers.ts";
import { RawClient } from "./raw_client.ts";

const HOST = "Host: a\r\n";
const CLOSE = "Connection: close\r\n";

/** Requests that get a response, by the clause: the request, and the response's body. */
const accepted: [clause: string, name: string, request: string, body: string][] = [
  [
    '§2.2: "A recipient MUST parse an HTTP message as a sequence of octets in an encoding that is a superset of US-ASCII"',
    "a field of other bytes",
    `GET /a HTTP/1.1\r\n${HOST}X: \xe9\xff\r\n\r\n`,
    "GET /a ",
  ],
  [
    '§2.2: "a server [...] SHOULD ignore at least one empty line (CRLF) received prior to the request-line"',
    "an empty line first",
    `\r\nGET /a HTTP/1.1\r\n${HOST}\r\n`,
    "GET /a ",
  ],
  [
    '§2.3, RFC 9110 §2.5: "a recipient [...] SHOULD process the message as if it was in the highest minor version [...] to which the recipient is conformant"',
    "HTTP/1.2",
    `GET /a HTTP/1.2\r\n${HOST}\r\n`,
    "GET /a ",
  ],
  ["§3.1", "a method of any token", `X-foo~1 /a HTTP/1.1\r\n${HOST}\r\n`, "X-foo~1 /a "],
  ["§3.2.1", "origin-form with a query", `GET /a?b=c HTTP/1.1\r\n${HOST}\r\n`, "GET /a "],
  [
    '§3.2.2: "a server MUST accept the absolute-form in requests"',
    "absolute-form",
    `GET http://a/b HTTP/1.1\r\n${HOST}\r\n`,
    "GET /b ",
  ],
  ["§3.2.4", "asterisk-form", `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, "OPTIONS /* "],
  [
    '§5.1: "A field line value might be preceded and/or followed by optional whitespace"',
    "whitespace around a value",
    `POST /a HTTP/1.1\r\n${HOST}Content-Length: \t 2 \t\r\n\r\nhi`,
    "POST /a hi",
  ],
  [
    "§6.2",
    "a length",
    `POST /a HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`,
    "POST /a hello",
  ],
  ["§6.2", "a length of 0", `POST /a HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`, "POST /a "],
  [
    '§6.3: "If this is a request message and none of the above are true, then the message body length is zero"',
    "no length",
    `POST /a HTTP/1.1\r\n${HOST}\r\n`,
    "POST /a ",
  ],
  [
    '§7.1: "A recipient MUST be able to parse and decode the chunked transfer coding"',
    "chunks",
    `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n`,
    "POST /a hello",
  ],
  [
    '§7: "All transfer-coding names are case-insensitive"',
    "chunks in upper case",
    `POST /a HTTP/1.1\r\n${HOST}TRANSFER-ENCODING: CHUNKED\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n`,
    "POST /a 0123456789",
  ],
  [
    '§7.1: "recipients MUST anticipate potentially large hexadecimal numerals"',
    "leading zeros",
    `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0000000000000002\r\nhi\r\n0\r\n\r\n`,
    "POST /a hi",
  ],
  [
    '§7.1.1: "A recipient MUST ignore unrecognized chunk extensions"',
    "chunk extensions",
    `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n2;a;b=c ; d="e\\"f"\r\nhi\r\n0;x\r\n\r\n`,
    "POST /a hi",
  ],
  [
    "§7.1.2",
    "trailers",
    `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\nHost: b\r\n\r\n`,
    "POST /a hi",
  ],
];

for (const [clause, name, request, body] of accepted) {
  test(`RFC 9112 ${clause}: ${name}`, async () => {
    await using server = serveHttp();
    const [client, [response]] = await talk(server, request);
    await using _ = client;
    assertEquals([response!.statusLine, response!.body], ["HTTP/1.1 200 OK", body]);
    await assertPersists(client);
  });
}

const LONG = "x".repeat(20_000);

/** Requests that are refused, by the clause, and the status. */
const refused: [clause: string, name: string, request: string, status: number][] = [
  [
    '§2.2: "A recipient of such a bare CR MUST consider that element to be invalid"',
    "a bare CR",
    `GET /a HTTP/1.1\r\n${HOST}X: y\rz\r\n\r\n`,
    400,
  ],
  [
    '§2.2: "A recipient that receives whitespace between the start-line and the first header field MUST either reject the message as invalid or"',
    "whitespace before the first field",
    `GET /a HTTP/1.1\r\n X: y\r\n${HOST}\r\n`,
    400,
  ],
  [
    '§2.2: "the server SHOULD respond with a 400 (Bad Request) response and close the connection"',
    "what is not HTTP",
    "\x16\x03\x01\x02\x00\x01",
    400,
  ],
  ["§2.3, RFC 9110 §15.6.6", "HTTP/2.0", `GET /a HTTP/2.0\r\n${HOST}\r\n`, 505],
  ["§3", "a request line of two words", `GET /a\r\n${HOST}\r\n`, 400],
  ["§3", "a request line of four words", `GET /a b HTTP/1.1\r\n${HOST}\r\n`, 400],
  [
    '§3: "a request-target longer than any URI it wishes to parse MUST" get 414',
    "a long target",
    `GET /${LONG} HTTP/1.1\r\n${HOST}\r\n`,
    414,
  ],
  [
    '§3: "a method longer than any that it implements SHOULD" get 501',
    "a long method",
    `${LONG} / HTTP/1.1\r\n${HOST}\r\n`,
    501,
  ],
  ["§5, RFC 6585 §5", "a long field", `GET / HTTP/1.1\r\n${HOST}X: ${LONG}\r\n\r\n`, 431],
  [
    '§3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a Host header field"',
    "no Host",
    "GET /a HTTP/1.1\r\n\r\n",
    400,
  ],
  [
    '§3.2: the same "to any request message that contains more than one Host header field line"',
    "two Hosts",
    `GET /a HTTP/1.1\r\n${HOST}${HOST}\r\n`,
    400,
  ],
  [
    '§3.2: the same for "a Host header field with an invalid field value"',
    "an invalid Host",
    "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n",
    400,
  ],
  // §3.2.2 has an origin server ignore the Host then. It is refused, since a proxy may have chosen by it.
  ["§3.2.2", "another Host than the target's", `GET http://b/ HTTP/1.1\r\n${HOST}\r\n`, 400],
  ["§3.2.3", "CONNECT", `CONNECT a:80 HTTP/1.1\r\n${HOST}\r\n`, 501],
  ["§3.2.4", "asterisk-form of a GET", `GET * HTTP/1.1\r\n${HOST}\r\n`, 400],
  ["RFC 9110 §9.3.8", "TRACE", `TRACE / HTTP/1.1\r\n${HOST}\r\n`, 501],
  ["RFC 9110 §4.2.5", "a fragment", `GET /a#b HTTP/1.1\r\n${HOST}\r\n`, 400],
  [
    '§5.1: "A server MUST reject, with a response status code of 400 (Bad Request), any received request message that contains whitespace between a header field name and colon"',
    "whitespace before the colon",
    `GET /a HTTP/1.1\r\n${HOST}X : y\r\n\r\n`,
    400,
  ],
  [
    '§5.2: "A server that receives an obs-fold in a request message [...] MUST either reject the message by sending a 400"',
    "a folded line",
    `GET /a HTTP/1.1\r\n${HOST}X: y\r\n z\r\n\r\n`,
    400,
  ],
  [
    '§6.1: "A server that receives a request message with a transfer coding it does not understand SHOULD respond with 501"',
    "an unknown coding",
    `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n`,
    501,
  ],
  [
    '§6.3: if "the chunked transfer coding is not the final encoding [...] the server MUST respond with the 400"',
    "a coding that is not chunked",
    `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip\r\n\r\n`,
    400,
  ],
  [
    '§6.3: with "an invalid Content-Length header field [...] the server MUST respond with a 400 (Bad Request) status code and then close the connection"',
    "an invalid length",
    `POST /a HTTP/1.1\r\n${HOST}Content-Length: x\r\n\r\n`,
    400,
  ],
  [
    "RFC 9110 §15.5.14",
    "a long body",
    `POST /a HTTP/1.1\r\n${HOST}Content-Length: 99999999\r\n\r\n`,
    413,
  ],
  [
    "RFC 9110 §15.5.14",
    "a long chunk",
    `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n9999999\r\n`,
    413,
  ],
  [
    '§7.1.1: "A server ought to limit the total length of chunk extensions received in a request"',
    "long chunk extensions",
    `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1;${LONG}\r\n`,
    413,
  ],
  [
    "§7.1.2, RFC 6585 §5",
    "long trailers",
    `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\nX: ${LONG}\r\n\r\n`,
    431,
  ],
  [
    "RFC 9110 §10.1.1",
    "an unknown expectation",
    `POST /a HTTP/1.1\r\n${HOST}Expect: x\r\nContent-Length: 0\r\n\r\n`,
    417,
  ],
];

for (const [clause, name, request, status] of refused) {
  test(`RFC 9112 ${clause}: ${name} gets ${status}`, async () => {
    await assertRejected(request, status);
  });
}

test('RFC 9112 §6.1: "A server MUST NOT send a response containing Transfer-Encoding unless the corresponding request indicates HTTP/1.1"', async () => {
  const fetch = () =>
    new Response(
      new ReadableStream({
        async pull(controller) {
          // Later, so that the length is not known when the head is sent.
          await delay(5);
          controller.enqueue(new TextEncoder().encode("hi"));
          controller.close();
        },
      }),
    );
  await using server = serveHttp({ fetch });
  const [old] = await talkToEnd(server, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  assertEquals([valuesOf(old!, "transfer-encoding"), old!.body], [[], "hi"]);
  const [response] = await talkToEnd(server, `GET / HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
  assertEquals([valuesOf(response!, "transfer-encoding"), response!.body], [["chunked"], "hi"]);
  // §6.2: "A sender MUST NOT send a Content-Length header field in any message that contains a
  // Transfer-Encoding header field."
  assertEquals(valuesOf(response!, "content-length"), []);
});

for (
  const [status, length] of [[204, undefined], [304, undefined], [205, "0"]] as const
) {
  test(`RFC 9112 §6.3: a ${status} ends with its head, whatever the application sets`, async () => {
    const headers = { "X": "y" };
    await using server = serveHttp({ fetch: () => new Response(null, { status, headers }) });
    const client = await RawClient.connect(server.port);
    await using _ = client;
    for (let i = 0; i < 2; i++) {
      await client.write(latin1(`GET / HTTP/1.1\r\n${HOST}\r\n`));
      const response = await readOne(client, false);
      assertEquals(response.status, status);
      assertEquals(valuesOf(response, "transfer-encoding"), []);
      assertEquals(valuesOf(response, "content-length"), length === undefined ? [] : [length]);
    }
    assertEquals(client.received.length, 0);
  });
}

for (const status of [204, 205]) {
  test(`RFC 9110 §8.6, RFC 9112 §6.1: a ${status} has no framing of the application's`, async () => {
    for (const [name, value] of [["Content-Length", "5"], ["Transfer-Encoding", "chunked"]]) {
      await using server = serveHttp({
        fetch: () => new Response(null, { status, headers: { [name!]: value! } }),
      });
      const [response] = await talkToEnd(server, `GET / HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
      assertEquals([response!.status, valuesOf(response!, "transfer-encoding")], [status, []]);
      assertEquals(valuesOf(response!, "content-length"), status === 204 ? [] : ["0"]);
      assertEquals(response!.body, "");
    }
  });
}

test('RFC 9112 §4: "A server MUST send the space that separates the status-code from the reason-phrase even when the reason-phrase is absent"', async () => {
  await using server = serveHttp({ fetch: () => new Response("hi", { status: 299 }) });
  await using client = await RawClient.connect(server.port);
  await client.write(latin1(`GET / HTTP/1.1\r\n${HOST}${CLOSE}\r\n`));
  const { bytes } = await client.readToEnd();
  assertEquals(new TextDecoder().decode(bytes).split("\r\n")[0], "HTTP/1.1 299 ");
  await client.end();
});

test("RFC 9112 §6.3: a response to HEAD ends with its head", async () => {
  await using server = serveHttp();
  const client = await RawClient.connect(server.port);
  await using _ = client;
  for (const path of ["/a", "/b"]) {
    await client.write(latin1(`HEAD ${path} HTTP/1.1\r\n${HOST}\r\n`));
    const response = await readOne(client, false);
    assertEquals([response.status, valuesOf(response, "transfer-encoding")], [200, []]);
  }
  await assertPersists(client);
});

test("RFC 9112 §7.1.2: trailers are not merged into the fields of the request", async () => {
  const fields: string[] = [];
  const fetch = async (request: Request) => {
    await request.text();
    fields.push(...[...request.headers].map(([name]) => name));
    return new Response();
  };
  await using server = serveHttp({ fetch });
  await talkToEnd(
    server,
    `POST / HTTP/1.1\r\n${HOST}${CLOSE}Transfer-Encoding: chunked\r\n\r\n0\r\nCookie: a=b\r\n\r\n`,
  );
  assert(fields.includes("host") && !fields.includes("cookie"), fields.join());
});

test("RFC 9112 §8: a message is incomplete without its last chunk, or with fewer bytes than its length", async () => {
  await using server = serveHttp();
  for (
    const framing of [
      "Content-Length: 9\r\n\r\nhello",
      "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ]
  ) {
    await using client = await RawClient.connect(server.port);
    await client.end(latin1(`POST /a HTTP/1.1\r\n${HOST}${framing}`));
    const { bytes } = await client.readToEnd();
    const text = new TextDecoder().decode(bytes);
    assert(text === "" || text.startsWith("HTTP/1.1 400 "), text);
  }
  // No request is complete, so none has been read to its end.
  assertEquals(server.requests.filter((request) => request.includes("hello")), []);
});

// §2.2: "A sender MUST NOT generate a bare CR (a CR character not immediately followed by LF) within any
// protocol elements other than the content."
for (const [name, end] of [["CRLF", "\r\n"], ["a bare CR", "\r"], ["a bare LF", "\n"]] as const) {
  test(`RFC 9112 §5.1, §2.2: ${name} in a field of the application ends no line and begins no other`, async () => {
    await using server = serveHttp({
      fetch: () =>
        ({
          status: 200,
          statusText: "",
          headers: [["X", `y${end}Set-Cookie: a=b`]],
          body: null,
        }) as unknown as Response,
    });
    const responses = await talkToEnd(server, `GET / HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
    assertEquals(responses.map(({ status }) => status), [500]);
    assertEquals(valuesOf(responses[0]!, "set-cookie"), []);
  });
}
