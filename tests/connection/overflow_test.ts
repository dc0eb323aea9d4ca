import { connect, serve } from "../../mod.ts";
import { resolveConnectionOptions } from "../../src/connection/connection_options.ts";
import type { Overflow } from "../../src/connection/connection_options.ts";
import { assertEquals, assertRejects, assertThrows, test } from "../harness.ts";
import { open, turns } from "../support/open.ts";
import { openRaw, serving } from "../support/server.ts";

const LIMITS = { outgoingHighWaterMark: 1000, maxBufferedAmount: 2000 };

test("overflow is close or reject, and nothing else", async () => {
  assertEquals(resolveConnectionOptions({}).overflow, "close");
  assertEquals(resolveConnectionOptions({ overflow: "reject" }).overflow, "reject");
  for (const overflow of ["drop", "", null, true] as unknown as Overflow[]) {
    const expected = 'expected "close" or "reject", got';
    assertThrows(
      () => serve({ port: 0, overflow }, {}),
      TypeError,
      `Cannot use option overflow of serve(): ${expected} ${JSON.stringify(overflow)}`,
    );
    await assertRejects(
      () => connect("ws://127.0.0.1:1/", { overflow }),
      TypeError,
      `Cannot use option overflow of connect(): ${expected} ${JSON.stringify(overflow)}`,
    );
  }
});

for (const role of ["server", "client"] as const) {
  test(`overflow: "reject" refuses the send and nothing else, at a ${role}`, async () => {
    const { socket, peer } = open({
      role,
      overflow: "reject",
      memory: { capacity: 100 },
      limits: LIMITS,
    });
    peer.transport.pause();
    const sent = [1, 2, 3].map((byte) => socket.send(new Uint8Array(600).fill(byte)));
    for (const data of [new Uint8Array(600), "x".repeat(600), "€".repeat(200)]) {
      const error = await assertRejects(() => socket.send(data), DOMException);
      assertEquals(error.name, "QuotaExceededError");
      assertEquals(socket.readyState, 1);
    }
    const { bufferedAmount } = socket;
    void socket.send("short");
    assertEquals(socket.bufferedAmount > bufferedAmount, true, "what there is room for is taken");
    peer.transport.resume();
    await Promise.all(sent);
    await peer.received(4);
    await socket.send(new Uint8Array(600).fill(5));
    await peer.received(5);
    assertEquals(peer.frames.map(({ payload }) => payload[0]), [1, 2, 3, 0x73, 5]);
    assertEquals(socket.readyState, 1);
  });
}

test('overflow: "reject" counts what waits behind a stream', async () => {
  const { socket } = open({ overflow: "reject", limits: LIMITS });
  let end!: () => void;
  const stream = new ReadableStream<string>({
    start(controller) {
      end = () => controller.close();
    },
  });
  const streamed = socket.send(stream);
  const first = socket.send("x".repeat(1500));
  assertEquals(
    (await assertRejects(() => socket.send("x".repeat(600)), DOMException)).name,
    "QuotaExceededError",
  );
  end();
  await Promise.all([streamed, first]);
  await socket.send("x".repeat(600));
});

test('overflow: "reject" makes a writable error, and the loop that does not catch it close with 1011', async () => {
  const { socket, peer } = open({
    overflow: "reject",
    memory: { capacity: 100 },
    limits: LIMITS,
    handler: { open: (socket) => socket.send(new Uint8Array(3000)) as unknown as void },
  });
  const writer = socket.writable.getWriter();
  await turns();
  assertEquals(await peer.received(1), ["close 1011"]);
  await assertRejects(() => writer.write(new Uint8Array(3000)), DOMException);
  writer.closed.catch(() => {});
});

for (const overflow of ["close", "reject"] as const) {
  test(`overflow: "${overflow}" is what serve() does at maxBufferedAmount`, async () => {
    const { promise, resolve } = Promise.withResolvers<[name: string, isOpen: boolean]>();
    const { server } = serving({
      async open(socket) {
        // The kernel takes some megabytes for a client that reads nothing.
        for (let i = 0; i < 1000; i++) {
          const sent = socket.send(new Uint8Array(500_000));
          if (socket.bufferedAmount < 700_000) continue;
          const turn = turns(1);
          const refused = await Promise.race([sent, turn]).then(() => undefined, (e) => e);
          await turn;
          if (refused === undefined) continue;
          const { name } = refused as DOMException;
          return resolve([name, socket.readyState === 1]);
        }
      },
    }, { overflow, limits: { maxBufferedAmount: 1_200_000, closeTimeout: 500 } });
    const client = await openRaw(server);
    client.tcp.socket.pause();
    assertEquals(
      await promise,
      overflow === "close" ? ["InvalidStateError", false] : ["QuotaExceededError", true],
    );
  });
}

for (const overflow of ["close", "reject"] as const) {
  test(`a message over maxBufferedAmount is refused by its size, with overflow: "${overflow}"`, async () => {
    const { socket, peer } = open({ overflow, limits: { maxBufferedAmount: 1000 } });
    for (const message of [new Uint8Array(1001), "x".repeat(1001), "\u20ac".repeat(334)]) {
      const error = await assertRejects(() => socket.send(message), DOMException);
      assertEquals(error.name, "QuotaExceededError");
      const size = typeof message === "string" ? new TextEncoder().encode(message).length : 1001;
      assertEquals(
        error.message,
        `Cannot send a message of ${size} bytes: maxBufferedAmount is 1000`,
      );
    }
    assertEquals(socket.readyState, 1);
    await socket.send(new Uint8Array(1000));
    assertEquals((await peer.received(1)).length, 1);
  });
}
