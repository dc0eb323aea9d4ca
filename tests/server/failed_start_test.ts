// An exception while a WebSocket is opened, or freed, reaches onError, and the connection gets an answer or
// an end.
import { acceptWith } from "../../src/server/accept.ts";
import { resolveAcceptOptions } from "../../src/server/accept_options.ts";
import type { AcceptConfig, AcceptOptions } from "../../src/server/accept_options.ts";
import { HttpConnection } from "../../src/server/http_connection.ts";
import { connectionSettings } from "../../src/server/http_connection_handler.ts";
import { MemoryBudget } from "../../src/connection/memory_budget.ts";
import type { Extension } from "../../src/extensions/extension.ts";
import { HandshakeError } from "../../src/http/errors.ts";
import { Rsv } from "../../src/protocol/frame.ts";
import { timers } from "../../src/util/timers.ts";
import { assertEquals, assertRejects, assertStrictEquals, deadline, test } from "../harness.ts";
import { upgradeRequest } from "../support/http.ts";
import { turns } from "../support/open.ts";
import { HttpPeer } from "../support/http_peer.ts";

const BUG = new Error("a bug of the extension");
const fields = { "Sec-WebSocket-Extensions": "broken" };

/** An extension that is agreed on, and can't be used. */
const broken: Extension = {
  name: "broken",
  rsv: Rsv.Rsv3,
  offers: () => [],
  acceptOffer: (response) => ({
    response,
    rsv: Rsv.Rsv3,
    use() {
      throw BUG;
    },
  }),
  acceptResponse: () => {
    throw BUG;
  },
};

function configWith(options: AcceptOptions, extension = broken): AcceptConfig<unknown> {
  return { ...resolveAcceptOptions(options), extensions: [extension] };
}

const ways: [name: string, options: AcceptOptions][] = [
  ["without upgrade()", {}],
  ["after upgrade()", { upgrade: () => ({}) }],
  ["after a promise of upgrade()", { upgrade: () => Promise.resolve() }],
];
for (const [name, options] of ways) {
  test(`an extension that can't be used refuses the client with 500, ${name}`, async () => {
    const peer = new HttpPeer();
    const accepting = acceptWith(peer.conn, configWith(options), undefined, () => {});
    peer.send(upgradeRequest(fields));
    const error = await assertRejects(() => accepting, HandshakeError);
    assertEquals([error.code, error.status], ["ERR_HANDSHAKE_INTERNAL", 500]);
    assertStrictEquals(error.cause, BUG);
    assertEquals(await peer.answered(), 500);
    await peer.until(() => peer.hasEnded, "the end of the connection");
  });
}

test("an extension that can't be used holds no share of the server's memory", async () => {
  const budget = new MemoryBudget(2 ** 20, 1000, timers);
  let joined = 0;
  budget.join = () => void joined++;
  const config = configWith({});
  const refused: unknown[] = [];
  const peer = new HttpPeer();
  new HttpConnection(peer.conn, config, {
    open: () => refused.push("open"),
    refused: (error) => refused.push(error.cause),
    closed() {},
    connectionSettings: connectionSettings(config, {
      budget,
      onError: () => {},
      onClosed: undefined,
    }),
  }).start();
  peer.send(upgradeRequest(fields));
  assertEquals(await peer.answered(), 500);
  assertEquals([refused, joined], [[BUG], 0]);
});

test("a WebSocket that can't start is reported, and its connection ends", async () => {
  for (const [name, options] of ways) {
    const config = resolveAcceptOptions(options);
    const log: unknown[] = [];
    const peer = new HttpPeer();
    new HttpConnection<unknown>(peer.conn, config, {
      open() {
        throw BUG;
      },
      refused: (error) => log.push(error),
      failed: (error) => log.push(error),
      closed() {},
      connectionSettings: connectionSettings(config, {
        budget: undefined,
        onError: () => {},
        onClosed: undefined,
      }),
    }).start();
    peer.send(upgradeRequest());
    await peer.until(() => peer.isClosed, `the end of the connection, ${name}`);
    assertEquals(log, [BUG]);
    assertEquals(peer.text, "");
  }
});

test("a WebSocket closes, though its extension can't be freed", async () => {
  const extension: Extension = {
    ...broken,
    acceptOffer: (response) => ({
      response,
      rsv: Rsv.Rsv3,
      use: () => ({
        rsv: Rsv.Rsv3,
        heldBytes: 0,
        isPaused: false,
        receive: (frame, sink) => sink.enqueue(frame),
        pause() {},
        resume() {},
        changes: () => false,
        send: (frame, sink) => sink.enqueue(frame),
        close() {
          throw BUG;
        },
      }),
    }),
  };
  const errors: unknown[] = [];
  const peer = new HttpPeer();
  const config = configWith({}, extension);
  const accepting = acceptWith(peer.conn, config, undefined, (error) => errors.push(error));
  peer.send(upgradeRequest(fields));
  const socket = await accepting;
  peer.send(Uint8Array.of(0x81, 0x80, 0, 0, 0, 0)); // An empty text, so that there is a receiver.
  await turns();
  socket.abort();
  assertEquals((await deadline(socket.closed, 5000, "closed")).closeCode, 1006);
  assertEquals(errors, [BUG]);
});
