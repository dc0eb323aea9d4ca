import { assert, assertEquals, test } from "../harness.ts";
import { open, turns } from "../support/open.ts";
import { closeFrame, textFrame } from "../support/memory_peer.ts";

test("batches() returns all messages that came together, and waits for the next ones", async () => {
  const { socket, peer } = open();
  const batches = socket.batches();
  const first = batches.next();
  peer.send(textFrame("a"), textFrame("b"), textFrame("c"));
  assertEquals(await first, { done: false, value: ["a", "b", "c"] });
  peer.send(textFrame("d"));
  await turns();
  peer.send(textFrame("e"));
  await turns();
  assertEquals(await batches.next(), { done: false, value: ["d", "e"] });
});

test("batches() loses and reorders nothing, within the bounds of the queue", async () => {
  const limits = { incomingMaxMessages: 4 };
  const { socket, peer } = open({ limits });
  const received: unknown[] = [];
  const sizes: number[] = [];
  const reading = (async () => {
    for await (const messages of socket.batches()) {
      received.push(...messages);
      sizes.push(messages.length);
      await turns(1);
    }
  })();
  const all = Array.from({ length: 100 }, (_, n) => `${n}`);
  peer.send(...all.map(textFrame));
  await turns(200);
  peer.send(closeFrame());
  await Promise.all([reading, peer.end()]);
  assertEquals(received, all);
  assert(sizes.every((size) => size <= 5), `${sizes}`);
});

test("leaving batches() keeps the unread messages for the next loop", async () => {
  const { socket, peer } = open();
  peer.send(textFrame("a"));
  await turns();
  for await (const messages of socket.batches()) {
    assertEquals(messages, ["a"]);
    break;
  }
  peer.send(textFrame("b"), textFrame("c"));
  await turns();
  for await (const message of socket) {
    assertEquals(message, "b");
    break;
  }
  assertEquals(await socket.batches().next(), { done: false, value: ["c"] });
});

test("batches() ends with the connection, and answers the peer's Close", async () => {
  const { socket, peer } = open();
  const reading = (async () => {
    const all: unknown[] = [];
    for await (const messages of socket.batches()) all.push(...messages);
    return all;
  })();
  peer.send(textFrame("a"), closeFrame(1000));
  await peer.end();
  assertEquals(await reading, ["a"]);
  assertEquals(peer.words, ["close 1000"]);
});
