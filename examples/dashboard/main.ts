// A dashboard: 2,000 prices a second for pages of any speed. `deno run -A examples/dashboard/main.ts`, or
// `bun examples/dashboard/main.ts`, then open the address that it prints. PORT and HOST set its address.
import { readFile } from "node:fs/promises";
import process from "node:process";
import { connect, serve } from "@sluice/websocket";
import { topics, TOPICS_PROTOCOL, topicsHandler } from "@sluice/websocket/topics";

const SYMBOLS = Array.from({ length: 20 }, (_, n) => `S${String(n + 1).padStart(2, "0")}`);
/** How many prices a second are published. */
const RATE = 2000;
/** What each price carries beside its number, so that a slow client has something to be slow with. */
const DETAILS = "x".repeat(500);

const feed = topics();
const symbolOf = (data: unknown) => (JSON.parse(data as string) as { symbol: string }).symbol;

const FILES: Record<string, [file: string, contentType: string]> = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/app.js": ["app.js", "text/javascript; charset=utf-8"],
  "/feed.js": ["feed.js", "text/javascript; charset=utf-8"],
  "/style.css": ["style.css", "text/css; charset=utf-8"],
};

const server = serve(
  {
    port: Number(process.env.PORT || 8080),
    ...(process.env.HOST ? { hostname: process.env.HOST } : {}),
    protocols: [TOPICS_PROTOCOL],
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const [file, contentType] = Object.hasOwn(FILES, pathname) ? FILES[pathname]! : [];
      if (file === undefined) return new Response("Not found\n", { status: 404 });
      const body = await readFile(new URL(`page/${file}`, import.meta.url), "utf8");
      const csp = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'";
      return new Response(body, {
        headers: { "content-type": contentType!, "content-security-policy": csp },
      });
    },
  },
  topicsHandler(feed, {
    subscribe(_socket, topic) {
      // A client that can't follow gets the newest price of each symbol, and none that is old.
      if (topic === "prices") {
        return { whenSlow: "latest", maxWaiting: SYMBOLS.length, key: symbolOf };
      }
      return topic === "slow client";
    },
  }),
);

const prices = new Map(SYMBOLS.map((symbol) => [symbol, 100]));
let next = 0;
const publishing = setInterval(() => {
  for (let n = 0; n < RATE / 50; n++) {
    const symbol = SYMBOLS[next++ % SYMBOLS.length]!;
    const price = Math.max(1, prices.get(symbol)! + (Math.random() - 0.5));
    prices.set(symbol, price);
    feed.publish("prices", JSON.stringify({ symbol, price, at: Date.now(), DETAILS }));
  }
}, 20);

/** A client that reads a message every 5 ms, and tells the pages how old its prices are. */
async function beSlow(): Promise<void> {
  const socket = await connect(`ws://127.0.0.1:${server.port}/`, { protocols: [TOPICS_PROTOCOL] });
  await socket.send(JSON.stringify({ subscribe: "prices" }));
  let received = 0;
  let missed = 0;
  for await (const message of socket) {
    const text = message as string;
    if (text.startsWith("{")) missed += (JSON.parse(text) as { count?: number }).count ?? 0;
    else {
      const { at } = JSON.parse(text.slice(text.indexOf("\n"))) as { at: number };
      received++;
      feed.publish("slow client", JSON.stringify({ received, missed, age: Date.now() - at }));
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
beSlow().catch((error) => console.error(error));

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    clearInterval(publishing);
    server.shutdown({ reason: "The server is going away", deadline: 1000 });
  });
}
console.log(`Dashboard at http://localhost:${server.port}/`);
await server.finished;
process.exit(0);
