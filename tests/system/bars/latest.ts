/** S2: the newest values for a peer that can't follow. */

import { serve } from "../../../mod.ts";
import type { TcpAddr, WebSocketConnection } from "../../../mod.ts";
import { topics, TOPICS_PROTOCOL, topicsHandler } from "../../../src/topics/mod.ts";
import { Process, runtime } from "../cluster/processes.ts";
import { atMost, exactly, quantile, short, sleep } from "./bar.ts";
import type { Row, Size } from "./bar.ts";
import { slowLink } from "./recovery.ts";

/** S2: 50,000 updates a second of 100 keys, for a peer that reads 1 MB/s. */
export async function newest(size: Size): Promise<Row[]> {
  const [rate, seconds] = size === "full" ? [50_000, 15] : [10_000, 3];
  await using rooms = topics();
  const sockets = new Set<WebSocketConnection>();
  const handler = topicsHandler<WebSocketConnection>(rooms, {
    subscribe: () => ({
      whenSlow: "latest",
      maxWaiting: 100,
      key: (data) => Number((data as string).split(" ", 1)[0]) % 100,
    }),
  });
  const server = serve({ hostname: "127.0.0.1", port: 0, protocols: [TOPICS_PROTOCOL] }, {
    ...handler,
    open(socket) {
      sockets.add(socket);
      handler.open(socket);
    },
  });
  const link = await slowLink((server.addr as TcpAddr).port, 1_000_000);
  const script = new URL("feed_main.ts", import.meta.url).href;
  const client = new Process(runtime, script, { port: link.port });
  while (rooms.size("x") === 0) await sleep(10);
  const padding = "x".repeat(100);
  let [published, mostWaiting] = [0, 0];
  const roundTrips: number[] = [];
  const begun = performance.now();
  while (performance.now() - begun < seconds * 1000) {
    const due = (performance.now() - begun) * rate / 1000;
    while (published < due) rooms.publish("x", `${++published} ${Date.now()} ${padding}`);
    mostWaiting = Math.max(mostWaiting, rooms.stats.waiting);
    for (const { roundTrip } of sockets) if (roundTrip !== undefined) roundTrips.push(roundTrip);
    await sleep(5);
  }
  for (let n = 0; n < 100 && rooms.stats.waiting > 0; n++) await sleep(50);
  await sleep(1000);
  const { median: age, p99 } = await client.ask<{ median: number; p99: number }>("ages");
  const [told, received, last] = await Promise.all(
    ["told", "received", "last"].map((name) => client.ask<number>(name)),
  );
  await client.kill();
  link.close();
  await server.shutdown({ deadline: 100 });
  const [roundTrip, longest] = [quantile(roundTrips, 0.5), quantile(roundTrips, 0.99)];
  return [
    atMost("keys that wait", mostWaiting, 100, ""),
    atMost(`median age of a value (round trip ${short(roundTrip)} ms)`, age, roundTrip, "ms"),
    atMost(`p99 of the age (round trip ${short(longest)} ms)`, p99, longest, "ms"),
    exactly("received + told", received! + told!, published),
    {
      what: "the last value",
      wanted: `above ${published - 100}`,
      measured: String(last),
      isOk: last! > published - 100,
    },
  ];
}
