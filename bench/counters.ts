/**
 * Measures what the counters of `server.stats` cost an echo if nothing reads them: this checkout and a copy
 * without the increments run in turn, each in a process of its own, over a transport in memory.
 *
 * `deno run -A bench/counters.ts` or `bun bench/counters.ts`, with `--pairs N`.
 */

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { runtime } from "./globals.ts";
import { root } from "./processes.ts";
import { median } from "./table.ts";

/**
 * The number of connections, that of messages in flight on each, and the CPU time of a whole echo over TCP, in
 * nanoseconds, for the relative cost: a round number below those of the table in README.md.
 */
const LOADS = [[64, 1, 4000], [16, 64, 200]] as const;

/** The number of measured messages, after as many to warm up. */
const MESSAGES = 600_000;

/** The statements that count an event of each message, chunk or write. */
const INCREMENTS =
  /^ *(?:if \(\w+\.fin\) )?(?:[\w.#]+\.)?#?counters\.(?:messages|bytes)\w+(?:\+\+| \+= [\w.#]+);$/gm;

/** Echoes messages in this process, and returns the CPU time of each, in nanoseconds. */
async function echo(checkout: string, connections: number, inFlight: number): Promise<number> {
  const load = (path: string) => import(pathToFileURL(join(checkout, "src", path)).href);
  const { coreOf, WebSocketConnection } = await load("connection/connection.ts");
  const { CallbackConsumer } = await load("connection/callback_consumer.ts");
  const { ConnectionCounters } = await load("connection/counters.ts");
  const { resolveLimits } = await load("connection/limits.ts");
  const { timers } = await load("util/timers.ts");
  const settings = {
    role: "server",
    limits: resolveLimits({}),
    timers,
    budget: undefined,
    counters: new ConnectionCounters(),
    overflow: "close",
    makeRequest: () => new Request("http://localhost/"),
    onError: (error: unknown) => console.error(error),
    onClosed: undefined,
  };
  type Socket = { send(message: unknown): void };
  const consumer = new CallbackConsumer({
    message: (socket: Socket, message: unknown) => void socket.send(message),
  });
  let written = 0;
  let expected = 0;
  const addr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };
  const transports = Array.from({ length: connections }, () => {
    const transport = {
      localAddr: addr,
      remoteAddr: addr,
      lendsChunks: false,
      handler: undefined as { data(chunk: Uint8Array): void } | undefined,
      write: (bytes: Uint8Array) => (written += bytes.length, true),
      isPaused: false,
      pause: () => void (transport.isPaused = true),
      resume: () => void (transport.isPaused = false),
      shutdown() {},
      close() {},
      abort() {},
    };
    const socket = new WebSocketConnection({
      settings,
      transport,
      protocol: "",
      extensions: "",
      agreements: [],
      data: undefined,
      headText: "",
    });
    coreOf(socket).start({ answer: new Uint8Array(0), early: new Uint8Array(0), consumer });
    return transport;
  });
  // Binary messages of 64 bytes. Unmasking in place twice gives the masked bytes again.
  const frame = [0x82, 0x80 | 64, 1, 2, 3, 4, ...new Uint8Array(64)];
  const chunk = new Uint8Array(Array.from({ length: inFlight }, () => frame).flat());
  const rounds = async (count: number) => {
    for (let i = 0; i < count; i++) {
      for (const transport of transports) {
        // Under load a connection leaves received messages to later turns.
        while (transport.isPaused) await new Promise(setImmediate);
        transport.handler!.data(chunk);
      }
      await new Promise(setImmediate);
    }
    expected += count * connections * inFlight * 66;
    for (let i = 0; written < expected && i < 10_000; i++) await new Promise(setImmediate);
    if (written !== expected) throw new Error(`${written} bytes were written, not ${expected}`);
  };
  const count = Math.ceil(MESSAGES / connections / inFlight);
  await rounds(count);
  const start = process.cpuUsage();
  await rounds(count);
  const { user, system } = process.cpuUsage(start);
  const messages = count * connections * inFlight;
  return (user + system) * 1000 / messages;
}

/** Copies the sources without the increments. */
function copyWithout(folder: string): number {
  cpSync(join(root, "src"), join(folder, "src"), { recursive: true });
  cpSync(join(root, "deno.json"), join(folder, "deno.json"));
  let removed = 0;
  for (const file of readdirSync(join(folder, "src/connection"))) {
    const path = join(folder, "src/connection", file);
    const source = readFileSync(path, "utf8");
    writeFileSync(path, source.replaceAll(INCREMENTS, () => (removed++, "")));
  }
  return removed;
}

function main(): void {
  const { values } = parseArgs({ options: { pairs: { type: "string", default: "15" } } });
  const pairs = Number(values.pairs);
  const folder = mkdtempSync(join(tmpdir(), "counters-"));
  try {
    const removed = copyWithout(folder);
    if (removed < 6) throw new Error(`${removed} increments were found`);
    const self = fileURLToPath(import.meta.url);
    const run = (checkout: string, connections: number, inFlight: number) => {
      const args = [self, "child", checkout, `${connections}`, `${inFlight}`];
      const all = runtime === "deno" ? ["run", "-A", "--no-check", ...args] : args;
      const { stdout, stderr } = spawnSync(process.execPath, all, { encoding: "utf8" });
      const result = Number(stdout);
      if (!(result > 0)) throw new Error(stdout + stderr);
      return result;
    };
    console.log(`${removed} increments removed; CPU time a message, medians of ${pairs} pairs`);
    for (const [connections, inFlight, whole] of LOADS) {
      const counted: number[] = [];
      const uncounted: number[] = [];
      for (let i = 0; i < pairs; i++) {
        const measureCounted = () => void counted.push(run(root, connections, inFlight));
        // Each of the two is the first in turn.
        if (i % 2 === 0) measureCounted();
        uncounted.push(run(folder, connections, inFlight));
        if (i % 2 !== 0) measureCounted();
      }
      const cost = median(counted.map((time, i) => time - uncounted[i]!));
      console.log(
        `${connections}x${inFlight}: with ${median(counted).toFixed(0)} ns, without ` +
          `${median(uncounted).toFixed(0)} ns, difference ${cost.toFixed(1)} ns: ` +
          `${(100 * cost / whole).toFixed(2)} % of a whole echo of ${whole} ns`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const [, , mode, checkout, connections, inFlight] = process.argv;
if (mode === "child") {
  console.log(await echo(checkout!, Number(connections), Number(inFlight)));
  process.exit(0);
}
main();
