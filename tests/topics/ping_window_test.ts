import { serve } from "@sluice/websocket";
import { connect } from "../../mod.ts";
import type { WebSocketConnection } from "../../mod.ts";
import { topics } from "../../src/topics/mod.ts";
import { PingWindow } from "../../src/topics/ping_window.ts";
import { assert, assertEquals, eventually, test } from "../harness.ts";

/** A window of a connection whose Pongs the test sends, each with its round trip. */
function makeWindow() {
  const pongs: ((roundTrip: number) => void)[] = [];
  const ping = () => new Promise<number>((resolve) => pongs.push(resolve));
  const window = new PingWindow({ ping } as unknown as WebSocketConnection);
  return { window, pongs };
}

test("PingWindow is full until a Pong comes for what was sent before its Ping", async () => {
  const { window, pongs } = makeWindow();
  window.add(3000);
  assertEquals([window.isFull, pongs.length], [false, 0]);
  window.add(2000);
  window.add(12_000);
  assertEquals([window.isFull, pongs.length], [true, 1]);
  pongs[0]!(1);
  await window.pong;
  assertEquals([window.isFull, pongs.length], [false, 2], "12,000 bytes are on their way");
  window.add(1000);
  pongs[1]!(1);
  await window.pong;
  assertEquals([window.isFull, pongs.length, window.pong], [false, 2, undefined]);
});

test("PingWindow grows while round trips are short, and shrinks when they are long", async () => {
  const { window, pongs } = makeWindow();
  /** Fills the window, and returns the bytes in it. The next round trip takes so long. */
  const fill = async (roundTrip: number) => {
    let size = 0;
    while (!window.isFull) {
      window.add(1024);
      size += 1024;
    }
    // The second Pong is for all that was behind the first Ping.
    for (let i = 0; i < 2; i++) {
      pongs.at(-1)!(roundTrip);
      await window.pong;
    }
    return Math.floor(size / 1024);
  };
  const sizes = async (roundTrips: number[]) => {
    const all: number[] = [];
    for (const roundTrip of roundTrips) all.push(await fill(roundTrip));
    return all;
  };
  assertEquals(await sizes([100, 100, 102, 100]), [17, 65, 257, 257], "no queue");
  assertEquals(await sizes([200, 200, 200, 200]), [257, 65, 33, 17], "half of it is queued");
  assertEquals(await sizes([150, 100, 100]), [17, 33, 129]);
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
