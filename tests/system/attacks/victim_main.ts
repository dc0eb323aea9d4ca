// The victim in a process of its own: `victim_main.ts`. Prints its ports, then reads orders from stdin, a
// line of JSON each, and answers each with a line.
import process from "node:process";
import { createInterface } from "node:readline";
import type { ConnectOrder, VictimLimits } from "./attack.ts";
import { Heap } from "./heap.ts";
import { DEFAULT_LIMITS, startVictim } from "./victim.ts";

/** An order to the victim. */
export type Order =
  | { id: number; what: "connect"; order: ConnectOrder }
  | { id: number; what: "connections" | "counts" }
  | { id: number; what: "collect" | "lateness" };

// The attacks are on the default limits. Those of the heartbeat are explicit, since attacks wait for them.
const limits: VictimLimits = Object.assign(
  { pingInterval: 30_000, pongTimeout: 20_000 },
  DEFAULT_LIMITS,
);
const heap = new Heap();
const victim = startVictim(limits);

/** The period of a timer whose delay is measured, in milliseconds, and its largest delay so far. */
const PERIOD = 10;
let lateness = 0;
let dueAt = performance.now() + PERIOD;
setTimeout(function tick() {
  const now = performance.now();
  lateness = Math.max(lateness, now - dueAt);
  dueAt = now + PERIOD;
  setTimeout(tick, PERIOD);
}, PERIOD);

async function obey(order: Order): Promise<unknown> {
  if (order.what === "connect") return await victim.connect(order.order);
  if (order.what === "connections") return await victim.connections();
  if (order.what === "counts") return await victim.counts();
  if (order.what === "lateness") {
    const most = lateness;
    lateness = 0;
    return most;
  }
  return heap.collect();
}

console.log(JSON.stringify({ ports: victim.ports, limits }));
// The process that started it has ended, or has closed its input.
createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const order: Order = JSON.parse(line);
    console.log(JSON.stringify({ id: order.id, result: await obey(order) }));
  })
  .on("close", () => process.exit(0));
