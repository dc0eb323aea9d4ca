// Two servers and a broker: messages cross between them, and what a killed broker or server loses is told.
// `deno run -A examples/cluster/main.ts`, or `bun examples/cluster/main.ts`, then open the address that it
// prints. PORT and HOST set its address. It needs nats-server or redis-server on the PATH.
import { readFile } from "node:fs/promises";
import process from "node:process";
import { serve } from "@sluice/websocket";
import { startBroker } from "./broker.ts";
import { Child } from "./child.ts";

/** Ends the example: until all of it runs, by ending the process, and with it the children. */
let stop: () => unknown = () => process.exit(0);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop());

const broker = await startBroker();
if (broker === undefined) {
  console.error("The example needs a broker: install nats-server or redis-server (apt, brew).");
  process.exit(1);
}
const children: Record<string, Child> = { broker: broker.child };

const FILES: Record<string, [file: string, contentType: string]> = {
  "/": ["page/index.html", "text/html; charset=utf-8"],
  "/app.js": ["page/app.js", "text/javascript; charset=utf-8"],
  "/dashboard/page/feed.js": ["../dashboard/page/feed.js", "text/javascript; charset=utf-8"],
  "/style.css": ["page/style.css", "text/css; charset=utf-8"],
};

const server = serve({
  port: Number(process.env.PORT || 8080),
  ...(process.env.HOST ? { hostname: process.env.HOST } : {}),
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/nodes") {
      const ports = ["node 1", "node 2"].map((name) => [name, children[name]?.port]);
      return Response.json({ broker: broker.kind, ports: Object.fromEntries(ports) });
    }
    const killed = decodeURIComponent(/^\/kill\/(.*)$/.exec(pathname)?.[1] ?? "");
    if (Object.hasOwn(children, killed)) {
      if (request.method !== "POST") return new Response("Expected POST\n", { status: 405 });
      // It is down for two seconds, as after a crash.
      children[killed]!.killAndRestart(2000);
      return new Response(null, { status: 202 });
    }
    const [file, contentType] = Object.hasOwn(FILES, pathname) ? FILES[pathname]! : [];
    if (file === undefined) return new Response("Not found\n", { status: 404 });
    const body = await readFile(new URL(file, import.meta.url), "utf8");
    const csp = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws:";
    return new Response(body, {
      headers: { "content-type": contentType!, "content-security-policy": csp },
    });
  },
}, {});

for (const name of ["node 1", "node 2"]) {
  // The page has another port than the nodes, so it is another origin to them.
  const args = [name, broker.kind, String(broker.port), String(server.port)];
  children[name] = await Child.ofScript("node.ts", args);
}

stop = () => server.shutdown({ reason: "The server is going away", deadline: 1000 });
if (server.addr.transport === "tcp") {
  console.log(`Cluster with ${broker.kind} at http://localhost:${server.addr.port}/`);
}
await server.finished;
for (const child of Object.values(children)) await child.end();
broker.clean();
process.exit(0);
