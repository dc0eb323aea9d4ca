import type { Limits } from "../../src/connection/limits.ts";
import { PART_OVERHEAD } from "../../src/connection/memory_usage.ts";
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

/** Reads all batches of messages that are sent together; resolves to their sizes. */
async function sizesOf(
  all: string[],
  limits: Partial<Limits>,
  pause: () => Promise<void> = () => turns(1),
): Promise<number[]> {
  const { socket, peer } = open({ limits });
  const received: unknown[] = [];
  const sizes: number[] = [];
  const reading = (async () => {
    for await (const messages of socket.batches()) {
      received.push(...messages);
      sizes.push(messages.length);
      await pause();
    }
  })();
  peer.send(...all.map(textFrame));
  await turns(200);
  peer.send(closeFrame());
  await Promise.all([reading, peer.end()]);
  assertEquals(received, all, "in order, and complete");
  return sizes;
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => `${n}`);

test("batches() returns all messages of one read, though the queue has room for fewer", async () => {
  assertEquals(await sizesOf(numbers(100), { incomingMaxMessages: 4 }), [100]);
});

test("batches() returns the pending rest of a chunk, to a loop that comes late, with the queue", async () => {
  const { socket, peer } = open({ limits: { incomingMaxMessages: 4 } });
  const all = numbers(50);
  peer.send(...all.map(textFrame));
  await turns();
  assertEquals(await socket.batches().next(), { done: false, value: all });
});

test("batches() takes no more memory for an array than four marks, or a quarter of the most", async () => {
  const room = 20 * PART_OVERHEAD;
  const bounds = [{ incomingHighWaterMark: room / 4 }, { maxConnectionMemory: 4 * room }];
  for (const limits of bounds) {
    const sizes = await sizesOf(numbers(200), { incomingMaxMessages: 4, ...limits });
    assert(sizes.length >= 10 && sizes.every((size) => size <= 21), `${sizes}`);
  }
});

test("batches() has no more unread messages than incomingMaxMessages while its loop is busy", async () => {
  const { socket, peer } = open({ limits: { incomingMaxMessages: 4 } });
  const batches = socket.batches();
  const first = batches.next();
  peer.send(textFrame("first"));
  assertEquals((await first).value, ["first"]);
  peer.send(...numbers(100).map(textFrame));
  await turns();
  assert(socket.heldBytes < 8 * PART_OVERHEAD, `${socket.heldBytes}`);
  assertEquals((await batches.next()).value, numbers(100));
});

test("batches() sends the replies to a whole array before the answer to a Close behind it", async () => {
  const { socket, peer } = open({ limits: { incomingMaxMessages: 2 } });
  const reading = (async () => {
    for await (const messages of socket.batches()) {
      await turns(1);
      for (const message of messages) socket.send(message);
    }
  })();
  peer.send(...numbers(10).map(textFrame), closeFrame(1000));
  await peer.end();
  await reading;
  assertEquals(peer.words, [...numbers(10).map((word) => `text ${word}`), "close 1000"]);
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
