import { broadcast } from "../../src/connection/broadcast.ts";
import type { WebSocketConnection } from "../../src/connection/connection.ts";
import { ConnectionSet } from "../../src/connection/connection_set.ts";
import { ConnectionCounters } from "../../src/connection/counters.ts";
import { PerMessageDeflate } from "../../src/extensions/permessage_deflate.ts";
import { assert, assertEquals, test } from "../harness.ts";
import { random } from "../protocol/frames.ts";
import { join } from "../support/bytes.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { openOn, turns } from "../support/open.ts";

const CONNECTIONS = 10;

/** What a server has agreed to: messages of 100 bytes and more are compressed. */
const agreeToCompression = () =>
  new PerMessageDeflate({ threshold: 100 }).acceptOffer({
    name: "permessage-deflate",
    params: [],
  })!;

/**
 * Broadcasts and does other things, as a seed says.
 *
 * @param target What is passed to `broadcast()` for the connections.
 * @returns What each connection has written, and what has been seen meanwhile.
 */
async function run(
  seed: number,
  target: (sockets: ConnectionSet<string>) => Iterable<WebSocketConnection<unknown>>,
): Promise<unknown[]> {
  const chance = random(seed);
  const pick = (count: number) => Math.floor(chance() / 2 ** 32 * count);
  const counters = new ConnectionCounters();
  const all = Array.from({ length: CONNECTIONS }, (_, n) => {
    const transport = new FakeTransport();
    const isCompressed = n === 0 && seed % 2 === 0;
    const limits = { maxBufferedAmount: n === 1 ? 3000 : 100_000 };
    const overflow = "reject" as const;
    const agreements = isCompressed ? [agreeToCompression()] : [];
    const { socket } = openOn(transport, { counters, limits, overflow, agreements });
    return { transport, socket };
  });
  const sockets = new ConnectionSet(all.slice(1).map(({ socket }) => socket));
  const log: unknown[] = [];
  for (let step = 0; step < 80; step++) {
    const { socket, transport } = all[pick(CONNECTIONS)]!;
    switch (pick(16)) {
      case 0:
        sockets.add(socket);
        break;
      case 1:
        sockets.delete(socket);
        break;
      case 2:
        socket.send(`own ${step}`).catch(() => {});
        break;
      case 3:
        transport.takes = false;
        break;
      case 4:
        for (const each of all) {
          each.transport.takes = true;
          each.transport.drained();
        }
        break;
      case 5:
        if (pick(5) === 0) socket.close();
        if (pick(20) === 0) sockets.clear();
        break;
      case 6:
        for (let i = 0; i < 20; i++) await Promise.resolve();
        break;
      case 7:
        log.push(socket.bufferedAmount, counters.messagesSent);
        break;
      default:
        log.push(broadcast(target(sockets), `${step} `.padEnd(pick(10) === 0 ? 9000 : pick(300))));
    }
  }
  for (let i = 0; i < 10; i++) {
    for (const { transport } of all) {
      transport.takes = true;
      transport.drained();
    }
    for (let i = 0; i < 20; i++) await Promise.resolve();
  }
  for (const { transport } of all) log.push(join(...transport.writes));
  return log;
}

for (let seed = 1; seed <= 30; seed++) {
  test(`a broadcast to the connections of a server is one to each of them, seed ${seed}`, async () => {
    const together = await run(seed, (sockets) => sockets);
    assertEquals(together, await run(seed, (sockets) => [...sockets]));
    assert(together.length > 20);
  });
}

test("a broadcast to the connections of a server is in the send queue of each", async () => {
  const all = Array.from({ length: 10 }, () => openOn(new FakeTransport()).socket);
  const sockets = new ConnectionSet(all);
  for (let n = 1; n <= 20; n++) {
    assertEquals(broadcast(sockets, "1234567890"), 10);
    assertEquals(all.map(({ bufferedAmount }) => bufferedAmount), all.map(() => n * 12));
  }
  await turns();
  assertEquals(all.map(({ bufferedAmount }) => bufferedAmount), all.map(() => 0));
});
