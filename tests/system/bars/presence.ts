/** P1 and P2: members that come and go. */

import { connectRelay } from "../../support/broker_clients.ts";
import { brokerProcess } from "../../support/broker_processes.ts";
import { presence, topics } from "../../../src/topics/mod.ts";
import type { Peer } from "../../../src/topics/mod.ts";
import { between, chanceOf } from "../soak/payloads.ts";
import { atMost, exactly, sleep } from "./bar.ts";
import type { Row, Size } from "./bar.ts";
import { membersOfKilledNode } from "./relays.ts";

class Visitor extends EventTarget implements Peer {
  readyState = 1;
  send(): void {}
  close(): void {}
  /** The connection ends. */
  end(): void {
    this.readyState = 3;
    this.dispatchEvent(new Event("close"));
  }
}

/** P1: 1,000 members join and leave in a second. */
export async function manyMembers(): Promise<Row[]> {
  await using rooms = topics();
  await using people = presence<{ name: string }>(rooms, { interval: 1000, grace: 0 });
  const received: string[] = [];
  rooms.subscribe(
    { readyState: 1, send: (data) => received.push(data as string), close() {} },
    "x",
  );
  const stop = new AbortController();
  const telling = (async () => {
    for await (const change of people.changes("lobby", { signal: stop.signal })) {
      const { joined, left, count } = change;
      rooms.publish("x", JSON.stringify({ joined: [...joined], left, count }));
    }
  })();
  await sleep(1100);
  received.length = 0; // The first change has the members at the start: none.
  const visitors: Visitor[] = [];
  for (let n = 0; n < 1000; n++) {
    const visitor = new Visitor();
    people.join(visitor, "lobby", `member ${n}`, { name: `Member ${n}` });
    visitors.push(visitor);
    if (n % 50 === 49) await sleep(20);
  }
  for (const [n, visitor] of visitors.entries()) {
    visitor.end();
    if (n % 50 === 49) await sleep(20);
  }
  await sleep(2500);
  stop.abort();
  await telling;
  const bytes = received.reduce((sum, { length }) => sum + length, 0);
  return [
    // A busy machine takes longer than a second for it, and each second has a change.
    { ...atMost("changes a subscriber is sent", received.length, 3, ""), isTime: true },
    atMost("bytes of them, a member", bytes / 1000, 150, "B"),
    exactly("members at the end", people.count("lobby"), 0),
  ];
}

/** P2: a node is killed; members lose their connections again and again. */
export async function ghosts(size: Size): Promise<Row[]> {
  const rounds = size === "full" ? 1000 : 100;
  const gone = await membersOfKilledNode();
  const broker = await brokerProcess("redis");
  const relays = [];
  try {
    await broker.start();
    const options = { prefix: "test" };
    for (let n = 0; n < 2; n++) {
      relays.push(await connectRelay("node-redis", broker.ports.tcp, options));
    }
    const nodes = relays.map(({ relay }) => {
      const rooms = topics({ relay });
      return { rooms, people: presence<number>(rooms, { interval: 100, grace: 300 }) };
    });
    const [stop, changes] = [new AbortController(), [] as string[]];
    const watching = nodes.map(async ({ people }) => {
      for await (const { left } of people.changes("lobby", { signal: stop.signal })) {
        changes.push(...left);
      }
    });
    // Ten members crash and come back, at either node; "reloads" comes back at once, within `grace`.
    const chance = chanceOf(7);
    const visitors = new Map<string, { visitor: Visitor; node: number }>();
    const join = (key: string, node: number) => {
      const visitor = new Visitor();
      nodes[node]!.people.join(visitor, "lobby", key, node);
      visitors.set(key, { visitor, node });
    };
    join("reloads", 0);
    for (let round = 0; round < rounds; round++) {
      const key = `member ${between(chance, 0, 9)}`;
      visitors.get(key)?.visitor.end();
      visitors.delete(key);
      if (chance() < 0.7) join(key, between(chance, 0, 1));
      visitors.get("reloads")!.visitor.end();
      join("reloads", 0);
      if (round % 10 === 0) await sleep(20);
    }
    await sleep(2000);
    const expected = [...visitors.keys()].sort().join();
    const wrong = nodes.filter(({ people }) =>
      [...people.members("lobby").keys()].sort().join() !== expected
    ).length;
    stop.abort();
    await Promise.all(watching);
    for (const { people, rooms } of nodes) {
      await people[Symbol.asyncDispose]();
      await rooms[Symbol.asyncDispose]();
    }
    return [
      atMost("members of a killed node are gone after", gone, 4000, "ms"),
      exactly(`nodes with other members than connected, after ${rounds} rounds`, wrong, 0),
      exactly(
        "reloads that were told as left",
        changes.filter((key) => key === "reloads").length,
        0,
      ),
    ];
  } finally {
    for (const { close } of relays) await close();
    await broker.close();
  }
}
