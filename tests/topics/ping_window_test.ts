import { serve } from "@sluice/websocket";
import { connect } from "../../mod.ts";
import type { WebSocketConnection } from "../../mod.ts";
import { topics } from "../../src/topics/mod.ts";
import { PingWindow } from "../../src/topics/ping_window.ts";
import { assert, assertEquals, eventually, test } from "../harness.ts";

test("PingWindow is full from 64 KiB on the way, until a Pong comes for what was sent before it", async () => {
  const pongs: (() => void)[] = [];
  const ping = () => new Promise<number>((resolve) => pongs.push(() => resolve(1)));
  const window = new PingWindow({ ping } as unknown as WebSocketConnection);
  window.add(10_000);
  assertEquals([window.isFull, pongs.length], [false, 0]);
  window.add(10_000);
  window.add(50_000);
  assertEquals([window.isFull, pongs.length], [true, 1]);
  pongs[0]!();
  await window.pong;
  assertEquals([window.isFull, pongs.length], [false, 2], "50,000 bytes are on their way");
  window.add(10_000);
  pongs[1]!();
  await window.pong;
  assertEquals([window.isFull, pongs.length, window.pong], [false, 2, undefined]);
});

test('"latest": a client that reads slowly gets new messages, though the kernels buffer megabytes', async () => {
  await using prices = topics();
  await using server = serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, {
    open: (socket) => void prices.subscribe(socket, "x", { whenSlow: "latest" }),
  });
  const client = await connect(server.url.replace("http", "ws"));
  await eventually(() => prices.size("x") === 1, 5000, "the subscriber");
  const data = "x".repeat(4000);
  let published = 0;
  for (let n = 0; n < 100; n++) {
    for (let i = 0; i < 20; i++) prices.publish("x", `${++published} ${data}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert(prices.stats.dropped > 1000, `${prices.stats.dropped} of 2,000 are replaced`);
  assert(prices.stats.sent < 200, `${prices.stats.sent} messages are on their way`);
  let last = 0;
  for await (const message of client) {
    last = parseInt(message as string);
    if (last === published) break;
  }
  assertEquals(prices.stats.waiting, 0);
});
