// Messages that are compressed once for all connections, and those of each connection between them, as
// other implementations decompress them.
import { fileURLToPath } from "node:url";
import { broadcast } from "../../../mod.ts";
import type { WebSocketConnection } from "../../../mod.ts";
import { topics } from "../../../src/topics/mod.ts";
import { assert, assertEquals, canRun, deadline, run, testIf } from "../../harness.ts";
import { serving } from "../../support/server.ts";
import { browserIsHere, launch } from "../browser/browser.ts";

/** A document, much of which is the same in each. */
function document(n: number): string {
  const orders = Array.from({ length: 8 + n % 30 }, (_, i) => ({ order: i * n, customer: "Zoë" }));
  return JSON.stringify({ n, orders });
}

const EXPECTED = Array.from({ length: 60 }, (_, n) => document(n));

/** Sends the messages to two connections: own ones, broadcasts, and those of a topic. */
async function send(all: WebSocketConnection[]): Promise<void> {
  const rooms = topics();
  for (const socket of all) rooms.subscribe(socket, "orders");
  for (const [n, text] of EXPECTED.entries()) {
    if (n % 3 === 0) { for (const socket of all) socket.send(text); }
    else if (n % 3 === 1) assertEquals(broadcast(all, text), all.length);
    else assertEquals(rooms.publish("orders", text).sent, all.length);
    if (n % 10 === 0) await all[0]!.ready;
  }
  await Promise.all(all.map((socket) => socket.close(1000)));
}

/** A server that sends when two clients are connected; `settled` is the result. */
function start(): { url: string; settled: Promise<string[]> } {
  const all: WebSocketConnection[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<string[]>();
  const { url } = serving(async (socket) => {
    if (all.push(socket) === 2) {
      const extensions = all.map((each) => each.extensions);
      send(all).then(() => resolve(extensions), reject);
    }
    await socket.closed;
  }, { compression: { threshold: 100 } });
  return { url, settled: promise };
}

/** Compares what two clients have received. */
async function check(
  settled: Promise<string[]>,
  reports: { code: number; messages: string[] }[],
): Promise<void> {
  for (const { code, messages } of reports) {
    assertEquals([messages.length, code], [EXPECTED.length, 1000]);
    assertEquals(messages.findIndex((message, n) => message !== EXPECTED[n]), -1);
  }
  const extensions = await settled;
  assert(extensions.every((each) => each.startsWith("permessage-deflate")), String(extensions));
  assert(!extensions[0]!.includes("server_no_context_takeover"), extensions[0]);
}

const script = (name: string) => fileURLToPath(new URL(`peers/${name}`, import.meta.url));

for (
  const [name, condition, command, file] of [
    ["ws", canRun("node"), "node", "collecting_client.mjs"],
    [
      "Python's websockets",
      canRun("/usr/bin/python3", ["-c", "import websockets"]),
      "/usr/bin/python3",
      "collecting_client.py",
    ],
  ] as const
) {
  testIf(condition, `${name} decompresses broadcasts, and own messages between them`, async () => {
    const { url, settled } = start();
    const clients = [0, 1].map(async () => {
      const { code, stdout, stderr } = await run(command, [script(file), url]);
      assertEquals([code, stderr], [0, ""]);
      return JSON.parse(stdout);
    });
    await check(settled, await deadline(Promise.all(clients), 30_000, "both clients"));
  });
}

testIf(
  browserIsHere,
  "Chromium decompresses broadcasts, and own messages between them",
  async () => {
    const { url, settled } = start();
    const page = await (await launch()).newPage();
    await page.goto(url.replace("ws:", "http:")); // A page of the same host.
    const reports = await deadline(
      page.evaluate(
        (url) =>
          Promise.all(
            [0, 1].map(() =>
              new Promise<{ code: number; messages: string[] }>((resolve) => {
                const messages: string[] = [];
                const socket = new WebSocket(url);
                socket.onmessage = ({ data }) => messages.push(data);
                socket.onclose = ({ code }) => resolve({ code, messages });
              })
            ),
          ),
        url,
      ),
      30_000,
      "both sockets",
    );
    await check(settled, reports);
  },
);
