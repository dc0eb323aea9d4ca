// The soak: a server in a process of its own, mixed traffic and faults from this one, every message
// accounted for, and the server's memory watched. `deno task soak`, `bun run soak`.
import process from "node:process";
import { parseArgs } from "node:util";
import { pause, runtime } from "../attacks/attack.ts";
import { bytes } from "../attacks/report.ts";
import { memoryOf, socketsOf, Talker } from "../attacks/talker.ts";
import { Ledger } from "./ledger.ts";
import { Life } from "./life.ts";
import { growthOf } from "./memory.ts";
import type { Sample } from "./memory.ts";
import { chanceOf } from "./payloads.ts";
import type { Stats } from "./server_main.ts";

const USAGE = `Options:
  --minutes N       how long it runs (20); the memory is judged from 20 on
  --connections N   how many connections there are at a time (500)
  --rate N          how many messages all of them send in a second (1000)
  --seed N          what chance starts from (the time)`;

/** The interval of the memory measurements, in seconds. */
const EVERY = 10;
/** The least duration, in minutes, from which on growth is a failure, and the largest growth. */
const JUDGED = 20;
const MOST_GROWTH = 0.05;
/** The period in which the first connections are opened, in seconds. */
const RAMP = 20;
/** How long the server may take to close all connections, in milliseconds. */
const LET_GO = 20_000;

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: "string", default: "20" },
        connections: { type: "string", default: "500" },
        rate: { type: "string", default: "1000" },
        seed: { type: "string", default: String(Date.now() % 1_000_000) },
      },
    });
    const numbers = Object.entries(values).map(([name, text]) => [name, Number(text)] as const);
    const wrong = numbers.find(([, value]) => !(value > 0));
    if (wrong !== undefined) throw new Error(`--${wrong[0]} wants a number above 0`);
    return Object.fromEntries(numbers) as Record<keyof typeof values, number>;
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

const { minutes, connections, rate, seed } = parseOptions();
const seconds = minutes * 60;
console.log(`On ${runtime}: ${minutes} min, ${connections} connections, ${rate}/s, seed ${seed}`);

const server = new Talker(new URL("./server_main.ts", import.meta.url));
process.on("exit", () => server.child.kill("SIGKILL"));
const ports = await server.read<number[]>();
const socketsBefore = socketsOf(server.pid);

async function ask(): Promise<Stats> {
  server.write("stats");
  return await server.read<Stats>();
}

const ledger = new Ledger();
const stop = new AbortController();
const world = { ports, ledger, interval: 1000 * connections / rate, signal: stop.signal };
const startedAt = performance.now();
const elapsed = (): number => (performance.now() - startedAt) / 1000;
let lives = 0;

/** Runs one connection after the other, each with random numbers of its own. */
async function liveOn(place: number): Promise<void> {
  await pause(1000 * Math.min(RAMP, seconds / 4) * chanceOf(seed + place)());
  while (!stop.signal.aborted && ledger.problems.length < 100) {
    const id = lives++;
    await new Life(world, id, chanceOf(seed * 1000 + id)).live();
  }
}

const samples: Sample[] = [];

async function sample(): Promise<Stats> {
  const stats = await ask();
  const rss = memoryOf(server.pid, "VmRSS");
  samples.push({ at: elapsed(), rss, heap: stats.heap, connections: stats.connections });
  console.log(
    `${elapsed().toFixed(0).padStart(5)} s  RSS ${bytes(rss)}, heap ${bytes(stats.heap)}, ` +
      `${stats.connections} connections, ${ledger.echoed} echoed, ${ledger.allLost} lost`,
  );
  return stats;
}

const places = Array.from({ length: connections }, (_, place) => liveOn(place));
try {
  while (elapsed() < seconds && !server.hasEnded && ledger.problems.length < 100) {
    await pause(Math.min(EVERY, Math.max(0.1, seconds - elapsed())) * 1000);
    await sample();
  }
} catch (error) {
  ledger.problem(`the server: ${error}`);
}
const ranFor = elapsed();
stop.abort();
await Promise.all(places);

let stats: Stats | undefined;
let left = NaN;
try {
  const until = performance.now() + LET_GO;
  do {
    await pause(100);
    stats = await ask();
    left = socketsOf(server.pid) - socketsBefore;
  } while (performance.now() < until && (left > 0 || stats.connections > 0));
} catch (error) {
  ledger.problem(`the server: ${error}`);
}
await server.stop();

const { problems } = ledger;
if (stats !== undefined) {
  for (const error of stats.errors) problems.push(`the server was told of ${error}`);
  if (stats.connections > 0) problems.push(`${stats.connections} connections are left`);
  if (stats.received > ledger.sent || stats.received < ledger.echoed) {
    problems.push(`the server received ${stats.received} messages of ${ledger.sent}`);
  }
}
if (!(left <= 0)) problems.push(`${left} sockets are left open`);
if (ledger.sent !== ledger.echoed + ledger.allLost) {
  problems.push(`${ledger.sent} were sent, ${ledger.echoed} echoed, ${ledger.allLost} lost`);
}
if (ledger.echoed === 0) problems.push("nothing was echoed");

const growth = growthOf(samples, ranFor);
const part = growth.rss[1] / growth.rss[0] - 1;
const isJudged = minutes >= JUDGED;
if (isJudged && part > MOST_GROWTH) {
  problems.push(`the memory has grown by ${(part * 100).toFixed(1)} %`);
}

const count = (counts: Record<string, number>): string =>
  Object.entries(counts).map(([name, times]) => `${name} ${times}`).join(", ") || "none";
const range = ([from, to]: [number, number]): string => `${from.toFixed(0)}–${to.toFixed(0)} s`;
console.log(`
messages     ${ledger.sent} sent (${
  bytes(ledger.bytes)
}), ${ledger.echoed} echoed, ${ledger.allLost} lost
rate         ${(ledger.echoed / ranFor).toFixed(0)} echoes a second for ${ranFor.toFixed(0)} s
lost by      ${count(ledger.lost)}
connections  ${ledger.connections} opened, ${ledger.halfHandshakes} left within the handshake
ended by     ${count(ledger.endings)}
pings        ${ledger.pings} sent, ${ledger.pongs} answered; ${ledger.stalls} stalls
RSS          ${bytes(growth.rss[0])} at ${range(growth.first)}, ${bytes(growth.rss[1])} at ${
  range(growth.last)
}: ${part < 0 ? "" : "+"}${(part * 100).toFixed(1)} %${isJudged ? "" : ", not judged"}
heap         ${bytes(growth.heap[0])}, then ${bytes(growth.heap[1])}
sockets      ${left} more than at the start`);
for (const problem of problems.slice(0, 20)) console.log(`PROBLEM      ${problem}`);
console.log(problems.length === 0 ? "All is well." : `FAILED: ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
