// What connect() does with a server that accepts an extension twice.
import { connect, HandshakeError, WebSocketStream } from "../../mod.ts";
import { assertEquals, assertRejects, test } from "../harness.ts";
import { fieldOf, switching } from "../support/http.ts";
import { rawServer } from "../support/raw_tcp.ts";

const OFFERS = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12, " +
  "permessage-deflate; client_max_window_bits=12, permessage-deflate";

/** A server that accepts each of the offers, as libsoup 3.2 does, and the heads that it has received. */
async function acceptingAll(): Promise<{ port: number; heads: string[]; left: number[] }> {
  const heads: string[] = [];
  const left: number[] = [];
  const { port } = await rawServer(async (connection) => {
    const index = heads.length;
    const head = await connection.head();
    heads.push(head);
    const offers = fieldOf(head, "Sec-WebSocket-Extensions");
    connection.write(switching(head, `Sec-WebSocket-Extensions: ${offers}\r\n`));
    await connection.untilGone();
    left.push(index);
  });
  return { port, heads, left };
}

const offered = (head: string) => fieldOf(head, "Sec-WebSocket-Extensions");

test("connect offers permessage-deflate once to a server that accepts it twice, as libsoup 3.2", async () => {
  const { port, heads, left } = await acceptingAll();
  const socket = await connect(`ws://127.0.0.1:${port}/`, { compression: true });
  const [once] = OFFERS.split(", ");
  assertEquals(heads.map(offered), [OFFERS, once]);
  assertEquals(socket.extensions, once);
  assertEquals(left, [0], "the first connection is closed");
  // RFC 6455 §4.1: the nonce "MUST be selected randomly for each connection".
  const keys = heads.map((head) => fieldOf(head, "Sec-WebSocket-Key"));
  assertEquals(new Set(keys).size, 2);
  socket.abort();
});

test("WebSocketStream offers permessage-deflate once to a server that accepts it twice", async () => {
  const { port, heads } = await acceptingAll();
  const stream = new WebSocketStream(`ws://127.0.0.1:${port}/`, { compression: true });
  const { extensions } = await stream.opened;
  assertEquals(extensions, OFFERS.split(", ")[0]);
  assertEquals(heads.length, 2);
  stream.close();
  stream.closed.catch(() => {});
});

test("connect tries once more only: a server that always accepts it twice is refused", async () => {
  let requests = 0;
  const { port } = await rawServer(async (connection) => {
    const head = await connection.head();
    requests++;
    const twice = "permessage-deflate, permessage-deflate";
    connection.write(switching(head, `Sec-WebSocket-Extensions: ${twice}\r\n`));
    await connection.untilGone();
  });
  const error = await assertRejects(
    () => connect(`ws://127.0.0.1:${port}/`, { compression: true }),
    HandshakeError,
  );
  assertEquals([error.code, requests], ["ERR_HANDSHAKE_EXTENSIONS", 2]);
});
