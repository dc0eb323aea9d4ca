/** F4 and H1: many topics. */

import { connectRelay } from "../../support/broker_clients.ts";
import { brokerProcess } from "../../support/broker_processes.ts";
import { topics } from "../../../src/topics/mod.ts";
import type { Peer } from "../../../src/topics/mod.ts";
import { atMost, cpuTime, exactly, heap, median, MIB, sleep } from "./bar.ts";
import type { Row, Size } from "./bar.ts";

/** A peer that costs nothing. */
class NullPeer extends EventTarget implements Peer {
  readyState = 1;
  bufferedAmount = 0;
  send(): void {}
  close(): void {}
}

/** F4: 10,000 topics, and 1,000 connections with 100 of them each. */
export async function manyTopics(size: Size): Promise<Row[]> {
  const [names, count, each] = size === "full" ? [10_000, 1000, 100] : [1000, 100, 100];
  const topicNames = Array.from({ length: names }, (_, n) => `topic/${n}`);
  const times: Record<"subscribe" | "deliver" | "close" | "bytes" | "left", number[]> = {
    subscribe: [],
    deliver: [],
    close: [],
    bytes: [],
    left: [],
  };
  let topicsLeft = 0;
  for (let round = 0; round < 6; round++) {
    await using rooms = topics();
    const peers = Array.from({ length: count }, () => new NullPeer());
    // What each connection has anyway.
    for (const peer of peers) peer.addEventListener("close", () => {});
    const empty = await heap();
    let begun = cpuTime();
    for (const [n, peer] of peers.entries()) {
      for (let i = 0; i < each; i++) rooms.subscribe(peer, topicNames[(n * each + i * 7) % names]!);
    }
    const subscribed = (cpuTime() - begun) / (count * each);
    const full = await heap();
    begun = cpuTime();
    let delivered = 0;
    for (let n = 0; n < names * 10; n++) {
      delivered += rooms.publish(topicNames[n % names]!, "x").sent;
    }
    const deliver = (cpuTime() - begun) / delivered;
    begun = cpuTime();
    for (const peer of peers) {
      peer.readyState = 3;
      peer.dispatchEvent(new Event("close"));
    }
    const close = (cpuTime() - begun) / (count * each);
    topicsLeft += rooms.stats.topics;
    const left = await heap();
    if (round === 0) continue; // The first one compiles.
    times.subscribe.push(subscribed);
    times.deliver.push(deliver);
    times.close.push(close);
    times.bytes.push((full - empty) / (count * each));
    times.left.push((left - empty) / MIB);
  }
  return [
    atMost("subscribe", median(times.subscribe), 0.4, "us"),
    atMost("heap of a subscription", median(times.bytes), 110, "B"),
    atMost("delivery, 10 subscribers a topic", median(times.deliver), 0.6, "us"),
    atMost("close, a subscription", median(times.close), 0.3, "us"),
    exactly("topics after the last has left", topicsLeft, 0),
    atMost("heap after the last has left", median(times.left), 1, "MiB"),
  ];
}

/** H1: the histories of many topics. */
export async function manyHistories(size: Size): Promise<Row[]> {
  const count = size === "full" ? 100_000 : 5000;
  const rows: Row[] = [];
  {
    await using rooms = topics({ keep: { messages: 10, age: size === "full" ? 20_000 : 3000 } });
    const before = await heap();
    for (let n = 0; n < count; n++) rooms.publish(`topic/${n}`, `message ${n}`);
    const full = await heap();
    const { historyMessages } = rooms.stats;
    for (let n = 0; n < 600 && rooms.stats.topics > 0; n++) await sleep(100);
    const after = await heap();
    rows.push(
      exactly("messages kept, one a topic", historyMessages, count),
      exactly("topics after their age", rooms.stats.topics, 0),
      atMost(
        `heap after their age (it was ${((full - before) / MIB).toFixed(1)} MiB)`,
        (after - before) / MIB,
        1,
        "MiB",
      ),
    );
  }
  {
    const maxHistoryMemory = size === "full" ? 64 * MIB : MIB;
    await using rooms = topics({ keep: { messages: 1e6, age: 60_000 }, maxHistoryMemory });
    const since = await rooms.publish("old", "first").settled;
    rooms.publish("old", "second");
    let most = 0;
    const data = new Uint8Array(1000);
    for (let n = 0; n < maxHistoryMemory / 500; n++) {
      rooms.publish(`topic/${n % 1000}`, data);
      most = Math.max(most, rooms.stats.historyBytes);
    }
    const old = await rooms.history("old", { since: since! });
    rows.push(
      atMost("memory of all histories", most / MIB, maxHistoryMemory / MIB, "MiB"),
      exactly("the oldest is told to be gone", `complete: ${old.complete}`, "complete: false"),
    );
  }
  rows.push(await redisKeys());
  return rows;
}

/** Whether every key in Redis has a lifetime. */
async function redisKeys(): Promise<Row> {
  const broker = await brokerProcess("redis");
  try {
    await broker.start();
    const { relay, close } = await connectRelay("node-redis", broker.ports.tcp, { prefix: "test" });
    const rooms = topics({ relay, keep: { messages: 10, age: 60_000 } });
    const peer = new NullPeer();
    for (let n = 0; n < 50; n++) {
      await rooms.subscribe(peer, `quiet/${n}`).ready;
      await rooms.publish(`topic/${n}`, "x", { id: `id ${n}` }).settled;
    }
    await rooms[Symbol.asyncDispose]();
    await close();
    const { createClient } = await import("redis");
    const client = createClient({ url: `redis://127.0.0.1:${broker.ports.tcp}` });
    await client.connect();
    const keys = await client.keys("*");
    const lifetimes = await Promise.all(keys.map((key) => client.pTTL(key)));
    client.destroy();
    const without = lifetimes.filter((time) => Number(time) < 0).length;
    return {
      what: "keys in Redis without a lifetime",
      wanted: "0 of 200",
      measured: `${without} of ${keys.length}`,
      isOk: without === 0 && keys.length === 200,
    };
  } finally {
    await broker.close();
  }
}
