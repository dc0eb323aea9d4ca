// The benchmark: `deno task bench` or `bun run bench`, with `--quick` to test the benchmark itself.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { checkFloors, readFloors } from "./floors.ts";
import type { Load, Result, Task } from "./loads.ts";
import { describeMachine, NOT_INSTALLED } from "./machine.ts";
import { parseOptions, USAGE } from "./options.ts";
import type { Options } from "./options.ts";
import { measureSizes, measureStart, sizeReport, startReport } from "./package_cost.ts";
import { choosePeers } from "./peers.ts";
import type { Peer } from "./peers.ts";
import { commands, killAllAtExit, root, run, startServer } from "./processes.ts";
import { loadReport, summary } from "./report.ts";
import type { Measured } from "./report.ts";
import { table } from "./table.ts";

/** The number of starts per median. */
const STARTS = 10;

let failures = 0;

/** Measures one load on one peer, in a new process. */
async function measure(peer: Peer, load: Load, options: Options): Promise<Result | undefined> {
  const { seconds, warmUp } = options;
  try {
    const server = await startServer(peer.name, peer.command, peer.args(load), peer.cwd);
    const { port, pid } = server;
    const task: Task = { load, port, pid, websocket: peer.websocket, seconds, warmUp };
    const generator = join(root, "bench", "load", "main.ts");
    const output = await run(commands.bun, [generator, JSON.stringify(task)], seconds + warmUp)
      .finally(() => server.stop());
    return JSON.parse(output);
  } catch (error) {
    failures++;
    console.error(`[${peer.name}] ${load.name} failed: ${(error as Error).message}`);
    return undefined;
  }
}

/** Measures one load on all peers that support it, which alternate in each round. */
async function measureAll(
  load: Load,
  peers: readonly Peer[],
  options: Options,
): Promise<Measured> {
  const able = peers.filter(({ modes }) => modes.includes(load.mode));
  const measured: Measured = { load, peers: {} };
  for (let round = 0; round < options.rounds; round++) {
    for (const peer of able) {
      const result = await measure(peer, load, options);
      (measured.peers[peer.name] ??= []).push(result);
    }
  }
  return measured;
}

async function main(options: Options, chosen: readonly Peer[]): Promise<void> {
  const machine = await describeMachine();
  if (machine.bun === NOT_INSTALLED) throw new Error("The load generator needs Bun: npm ci");
  const peers = chosen.filter(({ command }) => machine[command] !== NOT_INSTALLED);
  console.log("# Benchmark\n");
  console.log(`${table(["what", "which"], Object.entries(machine))}\n`);
  console.log(`Rounds: ${options.rounds}, of ${options.seconds} s each.\n`);
  const all: Measured[] = [];
  for (const load of options.loads) {
    const measured = await measureAll(load, peers, options);
    if (Object.keys(measured.peers).length === 0) continue;
    all.push(measured);
    console.log(`${loadReport(measured, peers)}\n`);
  }
  const start = options.start ? await measureStart(peers, STARTS) : undefined;
  if (start !== undefined) console.log(`${startReport(start, peers)}\n`);
  const size = options.size ? await measureSizes() : undefined;
  if (size !== undefined) console.log(`${sizeReport(size)}\n`);
  if (all.length > 0) console.log(summary(all, peers));
  if (options.check) {
    const { text, failures: below } = checkFloors(all, readFloors());
    failures += below.length;
    console.log(`\n${text}`);
    for (const name of below) console.error(`[ours] ${name} is below its floor`);
  }
  if (options.json !== undefined) {
    const { rounds, seconds, warmUp } = options;
    const report = { machine, rounds, seconds, warmUp, loads: all, start, size };
    writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  }
}

killAllAtExit();
let chosen: [Options, readonly Peer[]] | undefined;
try {
  const options = parseOptions(process.argv.slice(2));
  chosen = [options, choosePeers(options.peers, options.vs)];
} catch (error) {
  console.error(`${(error as Error).message}\n\n${USAGE}`);
  process.exitCode = 2;
}
if (chosen !== undefined) {
  await main(...chosen);
  if (failures > 0) {
    console.error(`${failures} measurements or checks failed`);
    process.exitCode = 1;
  }
}
