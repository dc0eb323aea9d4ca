/** R1 to R4, C1: brokers, connections and nodes that are lost, with nodes as processes of both runtimes. */

import { Cluster, RELAYS } from "../cluster/cluster.ts";
import { KEPT } from "../cluster/protocol.ts";
import { Process, runtime } from "../cluster/processes.ts";
import type { NodeStats } from "../cluster/protocol.ts";
import { atMost, exactly, median, short, sleep } from "./bar.ts";
import type { Row, Size } from "./bar.ts";

/** All clients of brokers. */
const CLIENTS = ["nats", "node-redis", "ioredis", "bun-redis"];

const TEN = Array.from({ length: 10 }, (_, n) => `topic/${n}`);

/** Describes what was found: nothing, or the first differences. */
function differences(what: string, problems: readonly string[]): Row {
  return {
    what,
    wanted: "no difference",
    measured: problems.length === 0 ? "no difference" : `${problems.length}: ${problems[0]}`,
    isOk: problems.length === 0,
  };
}

/** R1: the broker is killed again and again under messages that are not kept. */
export async function brokerKilled(size: Size): Promise<Row[]> {
  const [kills, rate] = size === "full" ? [20, 2000] : [2, 200];
  const rows: Row[] = [];
  for (const name of CLIENTS) {
    await using cluster = await Cluster.start({
      ...RELAYS[name]!,
      subscribers: ["deno", "bun"],
      connections: 10,
      topics: [TEN],
      hasProxies: false,
    });
    await cluster.publish({ topics: TEN, rate });
    const again: number[] = [];
    for (let n = 0; n < kills; n++) {
      await sleep(1000);
      await cluster.broker.kill();
      await sleep(1000);
      await cluster.broker.start();
      again.push(await cluster.again(""));
    }
    await sleep(3000);
    await cluster.stop();
    const problems = await cluster.verdict();
    const accounts = await cluster.accounts();
    const told = accounts.reduce((sum, { lost }) => sum + lost, 0);
    rows.push(
      differences(`${name}: received + told == published, none twice (${told} told)`, problems),
      atMost(`${name}: delivery again, the longest of ${kills}`, Math.max(...again), 2000, "ms"),
    );
    if (told === 0) rows.push(exactly(`${name}: messages told`, told, "above 0"));
  }
  return rows;
}

/** R2: the same with kept topics. */
export async function keptBrokerKilled(size: Size): Promise<Row[]> {
  const kills = size === "full" ? 20 : 2;
  const rows: Row[] = [];
  const topics = TEN.map((topic) => KEPT + topic);
  for (const name of CLIENTS) {
    await using cluster = await Cluster.start({
      ...RELAYS[name]!,
      subscribers: ["deno", "bun"],
      connections: 10,
      topics: [topics],
      hasProxies: false,
    });
    await cluster.publish({ topics, rate: 2000 });
    for (let n = 0; n < kills; n++) {
      await sleep(1000);
      await cluster.broker.kill();
      await sleep(1000);
      await cluster.broker.start();
    }
    await sleep(1000);
    await cluster.stop();
    const problems = await cluster.verdict();
    const stats = await cluster.stats();
    const stored = stats.flatMap(({ published }) => Object.values(published))
      .reduce((sum, count) => sum + count, 0);
    const retries = stats.reduce((sum, { retries }) => sum + retries, 0);
    rows.push(
      differences(`${name}: received == acknowledged, in order (${stored}, ${retries} retries)`, [
        ...problems,
        ...(stored === 0 ? ["nothing was stored"] : []),
      ]),
      atMost(
        `${name}: the longest time until settled`,
        Math.max(...stats.map(({ longestSettle }) => longestSettle)),
        5000,
        "ms",
      ),
    );
  }
  return rows;
}

/** R3: the connection of one node carries nothing for ten seconds, and is not reset. */
export async function partition(size: Size): Promise<Row[]> {
  const ms = size === "full" ? 10_000 : 4000;
  const rows: Row[] = [];
  const kept = [`${KEPT}a`, `${KEPT}b`];
  for (const name of CLIENTS) {
    await using cluster = await Cluster.start({
      ...RELAYS[name]!,
      subscribers: ["deno", "bun"],
      connections: 10,
      topics: [["a", "b"], kept],
      hasProxies: true,
    });
    await cluster.publish({ topics: ["a", "b", ...kept], rate: 200 });
    await sleep(1000);
    const stoppedAt = Date.now();
    cluster.proxies[0]!.set({ kind: "stop" });
    await sleep(ms);
    cluster.proxies[0]!.set({ kind: "pass" });
    await sleep(5000);
    await cluster.stop();
    const problems = await cluster.verdict(30_000);
    const [{ states }] = await cluster.stats() as [NodeStats];
    const down = states.find(({ isUp, at }) => !isUp && at >= stoppedAt);
    const told = (await cluster.accounts()).reduce((sum, { lost }) => sum + lost, 0);
    rows.push(
      atMost(`${name}: state(false) after`, (down?.at ?? NaN) - stoppedAt, 3000, "ms"),
      differences(`${name}: kept whole, lost told exactly (${told})`, problems),
    );
    if (!down) rows.at(-2)!.isOk = false;
  }
  return rows;
}

/** R4: a publisher is killed: the others agree on what it has published. */
export async function publisherKilled(size: Size): Promise<Row[]> {
  const rounds = size === "full" ? 5 : 1;
  const rows: Row[] = [];
  for (const name of CLIENTS) {
    const { broker, nodes } = RELAYS[name]!;
    const problems: string[] = [];
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await using cluster = await Cluster.start({
        broker,
        nodes: [nodes[0]!, nodes[1]!, nodes[0]!],
        subscribers: ["deno", "bun"],
        connections: 6,
        topics: [["a"], [`${KEPT}a`]],
        hasProxies: false,
      });
      await cluster.nodes[0]!.process.ask("publish", { topics: ["a", `${KEPT}a`], rate: 2000 });
      await sleep(1500 + round * 37);
      await cluster.kill(0);
      const killedAt = performance.now();
      // The numbers of the killed node, by topic and subscriber at another node: received and told.
      let numbers: Map<string, Set<number>>;
      do {
        await sleep(50);
        numbers = new Map();
        for (const { node, topic, received, lost, unknown } of await cluster.accounts()) {
          if (node === 0) continue;
          const known = numbers.get(topic) ?? new Set();
          numbers.set(topic, known);
          known.add(unknown > 0 ? NaN : (received["0.1"]?.[2] ?? 0) + lost);
        }
      } while (
        performance.now() - killedAt < 3000 && [...numbers.values()].some(({ size }) => size !== 1)
      );
      times.push(performance.now() - killedAt);
      for (const [topic, known] of numbers) {
        if (known.size !== 1 || known.has(0)) problems.push(`${topic}: ${[...known].join(", ")}`);
      }
    }
    rows.push(
      differences(`${name}: the other nodes know the same last number`, problems),
      atMost(`${name}: known after, the longest of ${rounds}`, Math.max(...times), 3000, "ms"),
    );
  }
  return rows;
}

/** C1: a server with many clients is killed and started again; the broker keeps the history. */
export async function serverKilled(size: Size): Promise<Row[]> {
  const [clients, rounds] = size === "full" ? [1000, 5] : [60, 1];
  const rows: Row[] = [];
  const topics = ["a", "b", "c", "d", "e"].map((topic) => KEPT + topic);
  for (const name of ["nats", "mixed"]) {
    const { broker, nodes } = RELAYS[name]!;
    await using cluster = await Cluster.start({
      broker,
      // The first node has all clients, the second publishes.
      nodes: [nodes.find(([wanted]) => wanted === runtime) ?? nodes[0]!, nodes[1]!],
      subscribers: ["deno", "bun"],
      connections: clients / 2,
      topics: [topics],
      hasProxies: false,
      subscribedNodes: 1,
    });
    await cluster.nodes[1]!.process.ask("publish", { topics, rate: 500 });
    const times: number[] = [];
    const reads: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      // A connection that was open for less than 5 s counts as a failed attempt (`stableAfter`).
      await sleep(size === "full" ? 5500 : 2000);
      await untilCaughtUp(cluster);
      await cluster.kill(0);
      await cluster.restart(0);
      const restartedAt = performance.now();
      await Promise.all(
        cluster.subscribers.map((process) => process.ask("started", round + 1, 60_000)),
      );
      times.push(performance.now() - restartedAt);
      await sleep(1000);
      const [stats] = await cluster.stats();
      reads.push(stats!.reads);
    }
    await cluster.nodes[1]!.process.ask("stop");
    // On a busy machine, a thousand subscribers read for long what waits for them.
    const problems = await cluster.verdict(60_000);
    const accounts = await cluster.accounts();
    const recovered = accounts.reduce(
      (sum, { starts, unrecovered }) => sum + starts - 1 - unrecovered,
      0,
    );
    rows.push(
      exactly(`${name}: recovered of ${clients} clients x ${rounds}`, recovered, clients * rounds),
      differences(`${name}: none missing, none twice`, problems),
      atMost(`${name}: reads of the broker at a restart`, Math.max(...reads), topics.length, ""),
      atMost(
        `${name}: all recovered, the longest of ${rounds} (median ${short(median(times))})`,
        Math.max(...times),
        5000,
        "ms",
      ),
    );
  }
  return rows;
}

/**
 * Waits until all subscribers are at most a second behind the last publisher, at the longest for a minute. A
 * client that has unread messages reads them before it connects again, which is no part of a recovery.
 */
async function untilCaughtUp(cluster: Cluster): Promise<void> {
  const until = performance.now() + 60_000;
  const { process, config } = cluster.nodes.at(-1)!;
  while (performance.now() < until) {
    const { published } = await process.ask<NodeStats>("stats");
    await sleep(1000);
    const accounts = await cluster.accounts();
    const isBehind = accounts.some(({ topic, received }) =>
      (received[config.name]?.[1] ?? 0) < (published[topic] ?? 0)
    );
    if (!isBehind) return;
  }
}

/** P2, its second half: a node with members is killed. */
export async function membersOfKilledNode(): Promise<number> {
  const script = new URL("members_main.ts", import.meta.url).href;
  const { brokerProcess } = await import("../../support/broker_processes.ts");
  const broker = await brokerProcess("redis");
  try {
    await broker.start();
    const here = new Process(runtime, script, { port: broker.ports.tcp, member: "ada" });
    const there = new Process(runtime, script, { port: broker.ports.tcp, member: "bob" });
    await here.ask("members", 2);
    await there.ask("members", 2);
    const killedAt = performance.now();
    await there.kill();
    await here.ask("members", 1);
    const ms = performance.now() - killedAt;
    await here.kill();
    return ms;
  } finally {
    await broker.close();
  }
}
