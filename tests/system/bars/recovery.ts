/** C2 and C4: positions that are false, and replays to slow peers. */

import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { serve } from "../../../mod.ts";
import type { TcpAddr, WebSocketConnection } from "../../../mod.ts";
import { topics, TOPICS_PROTOCOL, topicsHandler } from "../../../src/topics/mod.ts";
import type { Message, Position } from "../../../src/topics/mod.ts";
import { Process, runtime } from "../cluster/processes.ts";
import { between, chanceOf } from "../soak/payloads.ts";
import { atMost, exactly, MIB, sleep } from "./bar.ts";
import type { Row, Size } from "./bar.ts";

/** C2: positions of all kinds, compared with a model of what was published. */
export async function falsePositions(size: Size): Promise<Row[]> {
  const cases = size === "full" ? 1_000_000 : 20_000;
  const chance = chanceOf(11);
  let [done, recoveries, wrong] = [0, 0, 0];
  const epochs: string[] = ["", "x"];
  while (done < cases) {
    const messages = between(chance, 1, 20);
    await using rooms = topics({ keep: { messages, bytes: 400, age: 60_000 } });
    // What the topic has had, by offset.
    const published: string[] = [];
    const first = await rooms.publish("x", "1").settled;
    published.push("1");
    epochs.push(first!.epoch);
    if (epochs.length > 20) epochs.splice(2, 1);
    for (let n = 0; n < 100; n++) {
      for (let i = between(chance, 0, 5); i > 0; i--) {
        const data = `${published.length + 1}`.padEnd(between(chance, 1, 40));
        rooms.publish("x", data);
        published.push(data);
      }
      const offsets = [
        between(chance, 0, published.length + 3),
        published.length - between(chance, 0, 25),
        -1,
        0.5,
        NaN,
        Infinity,
        2 ** 53,
        published.length,
      ];
      const since: Position = {
        epoch: epochs[chance() < 0.7 ? epochs.length - 1 : between(chance, 0, epochs.length - 1)]!,
        offset: offsets[between(chance, 0, 10)] ?? between(chance, 0, published.length),
      };
      const received: Message[] = [];
      const peer = { readyState: 1, send: (data: Message) => received.push(data), close() {} };
      const subscription = rooms.subscribe(peer, "x", { since });
      const { recovered, replayed } = await subscription.ready;
      const last = `${published.length + 1}`;
      rooms.publish("x", last);
      published.push(last);
      await Promise.resolve();
      subscription.unsubscribe();
      // The model: the kept messages are the newest, as many as fit.
      let [kept, bytes] = [0, 0];
      const before = published.slice(0, -1);
      while (kept < Math.min(messages, before.length)) {
        bytes += before[before.length - 1 - kept]!.length * 2;
        if (bytes > 400) break;
        kept++;
      }
      const isKnown = since.epoch === first!.epoch && Number.isSafeInteger(since.offset) &&
        since.offset <= before.length && since.offset >= before.length - kept;
      const expected = isKnown ? published.slice(since.offset) : [last];
      if (recovered) recoveries++;
      const isRight = recovered === isKnown && replayed === expected.length - 1 &&
        received.length === expected.length && received.every((data, i) => data === expected[i]);
      if (!isRight) wrong++;
      done++;
    }
  }
  return [
    exactly(`false answers in ${done} cases, ${recoveries} of them recovered`, wrong, 0),
    {
      what: "cases of each kind",
      wanted: "> 10 %",
      measured: `${(100 * recoveries / done).toFixed(0)} % recovered`,
      isOk: recoveries / done > 0.1 && recoveries / done < 0.9,
    },
  ];
}

/** A link that carries so many bytes a second from the server to the client. */
export async function slowLink(
  port: number,
  rate: number,
): Promise<{ port: number; close(): void }> {
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    client.pipe(upstream);
    upstream.on("data", (chunk) => {
      client.write(chunk);
      upstream.pause();
      setTimeout(() => upstream.resume(), chunk.length * 1000 / rate);
    });
    for (const socket of [client, upstream]) {
      socket.on("error", () => {});
      socket.on("close", () => {
        client.destroy();
        upstream.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

/** C4: a replay to a peer that reads 1 MB/s, while messages go on. */
export async function slowReplay(size: Size): Promise<Row[]> {
  const [count, rate] = size === "full" ? [500, 1_000_000] : [100, 4_000_000];
  const maxConnectionMemory = 4 * MIB;
  await using rooms = topics({
    keep: { messages: 2000, age: 600_000 },
    maxHistoryMemory: 256 * MIB,
  });
  const sockets = new Set<WebSocketConnection>();
  const handler = topicsHandler<WebSocketConnection>(rooms, {
    subscribe: () => ({ maxWaiting: 1000 }),
  });
  const server = serve({
    hostname: "127.0.0.1",
    port: 0,
    protocols: [TOPICS_PROTOCOL],
    limits: {
      maxConnectionMemory,
      maxMessageSize: MIB,
      maxBufferedAmount: MIB,
    },
  }, {
    ...handler,
    open(socket) {
      sockets.add(socket);
      handler.open(socket);
    },
  });
  const text = "x".repeat(65_500);
  const publish = (n: number) => rooms.publish("x", `${n} ${text}`);
  const since = (await rooms.publish("x", "0").settled)!;
  for (let n = 1; n <= count; n++) publish(n);
  const link = await slowLink((server.addr as TcpAddr).port, rate);
  const script = new URL("feed_main.ts", import.meta.url).href;
  const client = new Process(runtime, script, { port: link.port, since });
  const total = count + Math.floor(count / 10);
  let most = 0;
  let published = count;
  for (let n = 0; published < total; n++) {
    await sleep(10);
    for (const { heldBytes } of sockets) most = Math.max(most, heldBytes);
    if (sockets.size > 0 && n % Math.ceil(count / 10) === 0) publish(++published);
    if (sockets.size > 0 && n > 100 * (count / 10) * 2) break;
  }
  let last = 0;
  for (let n = 0; n < 9000 && last < total; n++) {
    await sleep(10);
    for (const { heldBytes } of sockets) most = Math.max(most, heldBytes);
    if (n % 10 === 0) last = await client.ask<number>("last");
  }
  const wrong = await client.ask<number>("wrong");
  await client.kill();
  link.close();
  await server.shutdown({ deadline: 100 });
  return [
    exactly("messages received, in order", `${last}, ${wrong} wrong`, `${total}, 0 wrong`),
    atMost("memory of the connection", most / MIB, maxConnectionMemory / MIB, "MiB"),
  ];
}
