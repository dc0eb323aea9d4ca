// The offers of permessage-deflate, to servers that each accept what real ones do.
import { connect, HandshakeError } from "../../mod.ts";
import type { PerMessageDeflateOptions } from "../../mod.ts";
import { assert, assertEquals, assertRejects, deadline, test } from "../harness.ts";
import { fieldOf, switching } from "../support/http.ts";
import { rawServer } from "../support/raw_tcp.ts";

/** A server that answers each list of offers; `undefined` refuses the request with 400. */
type Answer = (offers: string[]) => string | undefined;

/** "Hello" by the server, compressed with any window. */
const HELLO = Uint8Array.of(0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00);

const servers: [name: string, answer: Answer, options: PerMessageDeflateOptions][] = [
  // RFC 7692 §7.1.2.2: a server may answer with any window up to the one that the client can have.
  ["answers client_max_window_bits=15", () => "permessage-deflate; client_max_window_bits=15", {}],
  ["answers server_max_window_bits=8", () => "permessage-deflate; server_max_window_bits=8", {}],
  [
    "declines offers with server_max_window_bits, as faye and Mojolicious",
    (offers) => offers.find((offer) => !offer.includes("server_max_window_bits")),
    {},
  ],
  [
    "declines offers with parameters",
    (offers) => offers.find((offer) => offer === "permessage-deflate"),
    {},
  ],
  [
    "answers the plain extension to the first offer, as Jetty 9.4 and websocketpp",
    () => "permessage-deflate",
    { serverMaxWindowBits: 15 },
  ],
  [
    "refuses a request with more than one offer, or a parameter, as nhooyr.io/websocket",
    (offers) => offers.length === 1 ? offers.find((it) => !it.includes(";")) : undefined,
    { offers: "plain" },
  ],
];

/** Serves one client: its head, and the offers in it. */
async function serverOf(answer: Answer): Promise<{ url: string; heads: string[] }> {
  const heads: string[] = [];
  const { port } = await rawServer(async (connection) => {
    const head = await connection.head();
    heads.push(head);
    const accepted = answer(fieldOf(head, "Sec-WebSocket-Extensions").split(", "));
    if (accepted === undefined) {
      connection.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    } else {
      connection.write(switching(head, `Sec-WebSocket-Extensions: ${accepted}\r\n`));
      connection.write(HELLO);
    }
    await connection.untilGone();
  });
  return { url: `ws://127.0.0.1:${port}/`, heads };
}

for (const [name, answer, compression] of servers) {
  test(`connect opens at a server that ${name}`, async () => {
    const { url } = await serverOf(answer);
    const socket = await connect(url, { compression });
    assert(socket.extensions.startsWith("permessage-deflate"), socket.extensions);
    const { value } = await deadline(socket[Symbol.asyncIterator]().next(), 5000, "the message");
    assertEquals(value, "Hello");
    socket.abort();
  });
}

test("connect offers no server_max_window_bits with serverMaxWindowBits 15", async () => {
  const { url, heads } = await serverOf(() => "permessage-deflate");
  (await connect(url, { compression: { serverMaxWindowBits: 15 } })).abort();
  const offers = fieldOf(heads[0]!, "Sec-WebSocket-Extensions");
  assert(!offers.includes("server_max_window_bits"), offers);
});

test("connect makes one offer without parameters if it is asked for, and the last of all is plain", async () => {
  const { url, heads } = await serverOf(() => "permessage-deflate");
  for (const compression of [{ offers: "plain" }, true] as const) {
    (await connect(url, { compression })).abort();
  }
  const [one, all] = heads.map((head) => fieldOf(head, "Sec-WebSocket-Extensions").split(", "));
  assertEquals(one, ["permessage-deflate"]);
  assertEquals(all!.at(-1), "permessage-deflate");
});

const wrong: [name: string, answer: string][] = [
  ["a larger window than was asked for", "permessage-deflate; server_max_window_bits=15"],
  ["a window of 7", "permessage-deflate; client_max_window_bits=7"],
  ["a window without a value", "permessage-deflate; server_max_window_bits"],
  ["an unknown parameter", "permessage-deflate; x=1"],
  [
    "a parameter twice",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
  ],
  ["an extension that was not offered", "x-webkit-deflate-frame"],
];
for (const [name, answer] of wrong) {
  test(`connect refuses a server that answers ${name}`, async () => {
    const { url } = await serverOf(() => answer);
    const compression = { serverMaxWindowBits: 10 };
    await assertRejects(() => connect(url, { compression }), HandshakeError);
  });
}
