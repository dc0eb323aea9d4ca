// The soak of a cluster: nodes and subscribers as processes of both runtimes, a broker, faults by seed, and
// a ledger that accounts for every message. `deno task cluster-soak`, `bun run cluster-soak`.
import process from "node:process";
import { parseArgs } from "node:util";
import { Cluster, pause, RELAYS } from "./cluster.ts";
import { FAULTS, runScript, scriptOf } from "./faults.ts";
import type { FaultKind } from "./faults.ts";
import { KEPT } from "./protocol.ts";

const USAGE = `Options:
  --minutes N        the duration of the faults for each relay (10)
  --seed N           the seed of the script of faults (the time)
  --relay A,B        ${Object.keys(RELAYS).join(", ")} (all)
  --faults A,B       ${FAULTS.join(", ")} (all)
  --subscribers N    the number of connections (200)
  --rate N           messages a second of each node (200)`;

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: "string", default: "10" },
        seed: { type: "string", default: String(Date.now() % 1_000_000) },
        relay: { type: "string", default: Object.keys(RELAYS).join() },
        faults: { type: "string", default: FAULTS.join() },
        subscribers: { type: "string", default: "200" },
        rate: { type: "string", default: "200" },
      },
    });
    const { relay, faults, ...others } = values;
    const numbers = Object.entries(others).map(([name, text]) => [name, Number(text)] as const);
    const wrong = numbers.find(([, value]) => !(value > 0));
    if (wrong !== undefined) throw new Error(`--${wrong[0]} must be a number above 0`);
    const relays = relay.split(",");
    const kinds = faults.split(",") as FaultKind[];
    const unknown = relays.find((name) => !Object.hasOwn(RELAYS, name)) ??
      kinds.find((kind) => !FAULTS.includes(kind));
    if (unknown !== undefined) throw new Error(`Cannot find "${unknown}"`);
    return { relays, kinds, ...Object.fromEntries(numbers) as Record<keyof typeof others, number> };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

const { relays, kinds, minutes, seed, subscribers, rate } = parseOptions();

/** Runs one relay. @returns The differences. */
async function soak(name: string): Promise<string[]> {
  const relay = RELAYS[name]!;
  const plain = ["a", "b * > c", "d"];
  const kept = [`${KEPT}a`, `${KEPT}b`];
  await using cluster = await Cluster.start({
    ...relay,
    subscribers: ["deno", "bun"],
    connections: Math.ceil(subscribers / 2),
    topics: [plain, kept],
    hasProxies: true,
    maxDelay: 1000,
  });
  await cluster.publish({ topics: [...plain, ...kept], rate });
  const script = scriptOf(seed, minutes * 60, kinds, relay.nodes.length);
  await runScript(cluster, script, (text) => console.log(text));
  await pause(2500);
  await cluster.stop();
  const problems = await cluster.verdict();
  const accounts = await cluster.accounts();
  let received = 0;
  let told = 0;
  for (const account of accounts) {
    for (const [, , count] of Object.values(account.received)) received += count;
    told += account.lost;
  }
  const stats = await cluster.stats();
  const retries = stats.reduce((sum, { retries }) => sum + retries, 0);
  const longest = Math.max(...stats.map(({ longestSettle }) => longestSettle));
  console.log(
    `${name}: ${received} received, ${told} told as lost, ${accounts.length} accounts, ` +
      `${script.length} faults, ${retries} retries, settled within ${longest.toFixed(0)} ms`,
  );
  if (received === 0) problems.push("nothing was received");
  return problems;
}

let hasFailed = false;
for (const name of relays) {
  console.log(`${name}: ${minutes} min, ${subscribers} subscribers, seed ${seed}`);
  const problems = await soak(name);
  hasFailed ||= problems.length > 0;
  for (const problem of problems.slice(0, 20)) console.log(`FAILED: ${problem}`);
  if (problems.length > 20) console.log(`FAILED: and ${problems.length - 20} more`);
}
console.log(hasFailed ? `FAILED with seed ${seed}` : "All is well.");
process.exit(hasFailed ? 1 : 0);
