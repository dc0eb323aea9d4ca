import { assert, assertEquals, test } from "../harness.ts";
import { open, turns } from "../support/open.ts";
import { closeFrame, textFrame } from "../support/memory_peer.ts";
import type { WebSocketConnection } from "../../src/connection/connection.ts";
import { setTurnBudget } from "../support/turn_budget.ts";

/** Takes the answer to the opening handshake off the count. */
async function started(writes: number[]): Promise<void> {
  // On a busy machine, the time for received data would end in the middle of a chunk.
  setTurnBudget(Infinity);
  await turns();
  assertEquals(writes.length, 1, "the answer, and what open() has sent, in one write");
  writes.length = 0;
}

test("100 sends in one turn are one write", async () => {
  const { socket, peer, writes } = open();
  await started(writes);
  for (let i = 0; i < 100; i++) socket.send("message");
  assertEquals(writes, []);
  await peer.received(100);
  assertEquals(writes, [900]);
});

test("100 awaited sends in one turn are one write", async () => {
  const { socket, peer, writes } = open();
  await started(writes);
  for (let i = 0; i < 100; i++) await socket.send("message");
  await peer.received(100);
  assertEquals(writes, [900]);
});

test("100 awaited writes to writable in one turn are one write", async () => {
  const { socket, peer, writes } = open();
  await started(writes);
  const writer = socket.writable.getWriter();
  for (let i = 0; i < 100; i++) {
    await writer.ready;
    writer.write("message");
  }
  await peer.received(100);
  assert(writes.length <= 7, `${writes}`);
});

test("what open sends goes out with the answer", async () => {
  const { peer, writes } = open({ handler: { open: (socket) => socket.send("hello") } });
  assertEquals(await peer.received(1), ["text hello"]);
  assertEquals(writes.length, 1);
});

const echoes: [name: string, echo: (socket: WebSocketConnection<string>) => Promise<void>][] = [
  ["a loop that awaits send()", async (socket) => {
    for await (const message of socket) await socket.send(message);
  }],
  ["a loop that does not", async (socket) => {
    for await (const message of socket) socket.send(message);
  }],
  ["pipeTo", (socket) => socket.readable.pipeTo(socket.writable)],
];
const hundred = Array.from({ length: 100 }, () => textFrame("message"));

test("callbacks answer 100 messages of one chunk in one write", async () => {
  const { peer, writes } = open({
    handler: { message: (socket, message) => socket.send(message) },
  });
  await started(writes);
  peer.send(...hundred);
  await peer.received(100);
  assertEquals(writes, [900]);
});

for (const [name, echo] of echoes) {
  test(`${name} answers 100 messages of one chunk in a write for each queue of 16`, async () => {
    const { socket, peer, writes } = open();
    await started(writes);
    const running = echo(socket);
    await turns();
    peer.send(...hundred);
    await peer.received(100);
    assert(writes.length <= 8, `${writes.length} writes`);
    assertEquals(writes.reduce((sum, size) => sum + size), 900);
    peer.send(closeFrame(1000));
    await peer.end();
    await running;
  });

  test(`${name} answers one message in one write`, async () => {
    const { socket, peer, writes } = open();
    await started(writes);
    const running = echo(socket);
    await turns();
    peer.send(textFrame("message"));
    await peer.received(1);
    assertEquals(writes, [9]);
    peer.send(closeFrame(1000));
    await peer.end();
    await running;
  });
}

test("one message that a loop answers with 100 is answered in one write", async () => {
  const { socket, peer, writes } = open();
  await started(writes);
  const running = (async () => {
    for await (const message of socket) {
      for (let i = 0; i < 100; i++) await socket.send(message);
    }
  })();
  peer.send(textFrame("message"));
  await peer.received(100);
  assertEquals(writes, [900]);
  socket.abort();
  await running;
});

test("a long message is written at once, in one write", async () => {
  const { socket, peer, writes } = open({ memory: { capacity: 1_000_000 } });
  await started(writes);
  socket.send(new Uint8Array(200_000));
  assertEquals(writes, [200_010]);
  await peer.received(1);
});
