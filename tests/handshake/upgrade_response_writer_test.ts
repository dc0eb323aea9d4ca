import { writeUpgradeResponse } from "../../src/handshake/upgrade_response_writer.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";
import { fromLatin1 } from "../support/bytes.ts";

const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** Texts that must be refused as the name and as the value of a field. */
const INJECTIONS = [
  "a\r\nb",
  "a\nb",
  "a\rb",
  "a\0b",
  "a\x01b",
  "a\x7fb",
  "\u2603",
  "a\r\n b",
  "\n",
];

test("writeUpgradeResponse writes the answer of RFC 6455 §1.3", () => {
  assertEquals(
    fromLatin1(writeUpgradeResponse({ acceptKey: ACCEPT, protocol: "chat" })),
    "HTTP/1.1 101 Switching Protocols\r\n" +
      "Upgrade: websocket\r\n" +
      "Connection: Upgrade\r\n" +
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
      "Sec-WebSocket-Protocol: chat\r\n" +
      "\r\n",
  );
});

test("writeUpgradeResponse leaves out a protocol and extensions that there are not", () => {
  const bare = fromLatin1(writeUpgradeResponse({ acceptKey: ACCEPT }));
  assert(!/protocol:|extensions:/i.test(bare));
  const options = { acceptKey: ACCEPT, protocol: undefined, extensions: "", headers: undefined };
  assertEquals(fromLatin1(writeUpgradeResponse(options)), bare);
});

test("writeUpgradeResponse writes extensions and the caller's headers, of any kind", () => {
  const end = "Sec-WebSocket-Extensions: x; y=1\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n";
  const cookies: [string, string][] = [["set-cookie", "a=1"], ["set-cookie", "b=2"]];
  for (const headers of [cookies, new Headers(cookies)]) {
    const bytes = writeUpgradeResponse({ acceptKey: ACCEPT, extensions: "x; y=1", headers });
    assert(fromLatin1(bytes).endsWith(end), fromLatin1(bytes));
  }
  const bytes = writeUpgradeResponse({ acceptKey: ACCEPT, headers: { "X-A": "caf\xe9", Y: "" } });
  assert(fromLatin1(bytes).endsWith("\r\nX-A: caf\xe9\r\nY: \r\n\r\n"));
});

test("writeUpgradeResponse refuses headers that the handshake owns", () => {
  for (
    const name of [
      "Upgrade",
      "connection",
      "Sec-WebSocket-Accept",
      "sec-websocket-protocol",
      "SEC-WEBSOCKET-EXTENSIONS",
      "Sec-WebSocket-Version",
      "Sec-WebSocket-Key",
      "Content-Length",
      "Transfer-Encoding",
      "Trailer",
      "Keep-Alive",
    ]
  ) {
    assertThrows(
      () => writeUpgradeResponse({ acceptKey: ACCEPT, headers: { [name]: "x" } }),
      TypeError,
      `"${name}": the handshake writes it`,
    );
  }
});

test("writeUpgradeResponse refuses CR, LF, NUL and the like in names and values", () => {
  for (const bad of INJECTIONS) {
    const write = (options: object) => () =>
      writeUpgradeResponse({ acceptKey: ACCEPT, ...options });
    assertThrows(write({ headers: [["X", bad]] }), TypeError, "Cannot write header X");
    assertThrows(write({ headers: [[bad, "x"]] }), TypeError, "expected a token");
    assertThrows(write({ protocol: bad }), TypeError, "Cannot write subprotocol");
    assertThrows(write({ extensions: bad }), TypeError);
    assertThrows(write({ acceptKey: bad }), TypeError);
  }
  for (const name of ["", " a", "a ", "a:", "a b", "\xe9"]) {
    assertThrows(
      () => writeUpgradeResponse({ acceptKey: ACCEPT, headers: [[name, "x"]] }),
      TypeError,
    );
  }
  assertThrows(() => writeUpgradeResponse({ acceptKey: ACCEPT, protocol: "" }), TypeError);
});

test("writeUpgradeResponse refuses header entries that are not pairs", () => {
  for (const entry of [["a"], ["a", "b", "c"], []]) {
    assertThrows(
      () => writeUpgradeResponse({ acceptKey: ACCEPT, headers: [entry] }),
      TypeError,
      "expected [name, value]",
    );
  }
});
