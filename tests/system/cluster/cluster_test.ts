// The cluster's soak for five seconds for each broker, and its parts. `deno task cluster-soak` and
// `bun run cluster-soak` run it in full.
import { createServer } from "node:net";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  canRun,
  onTestEnd,
  run,
  test,
  testIf,
} from "../../harness.ts";
import { tcpConnect } from "../../support/raw_tcp.ts";
import { scriptCommand } from "../../support/script.ts";
import { FAULTS, scriptOf } from "./faults.ts";
import { accountProblems } from "./ledger.ts";
import type { Account } from "./protocol.ts";
import { startProxy } from "./proxy.ts";

const [command, args] = scriptCommand("tests/system/cluster/main.ts", "--no-check");

/** Runs the soak of one relay, and checks its account. */
async function soak(relay: string): Promise<void> {
  const options = ["--minutes", "0.08", "--subscribers", "20", "--seed", "4", "--relay", relay];
  const { code, stdout, stderr } = await run(command, [...args, ...options], {
    env: { NO_COLOR: "1" },
  });
  assertEquals(code, 0, stderr + stdout);
  assertStringIncludes(stdout, "All is well.");
  const [, received, accounts, faults] =
    /(\d+) received, \d+ told as lost, (\d+) accounts, (\d+) faults/.exec(stdout)!.map(Number);
  assert(received! > 1000 && faults! >= 4, stdout);
  assertEquals(accounts, 40);
}

const programs = [canRun("nats-server"), canRun("redis-server")];

testIf(
  programs.find((program) => program !== true) ?? true,
  "every message of clusters with faults is received, or told as lost",
  async () => {
    await Promise.all([soak("nats"), soak("mixed")]);
  },
);

test("the soak of a cluster refuses an unknown fault", async () => {
  const exit = await run(command, [...args, "--faults", "flood"]);
  assertEquals(exit.code, 2);
  assertStringIncludes(exit.stderr, 'Cannot find "flood"');
});

test("scriptOf() makes the same script for the same seed, with all kinds of faults", () => {
  const script = scriptOf(5, 60, FAULTS, 2);
  assertEquals(script, scriptOf(5, 60, FAULTS, 2));
  assert(JSON.stringify(script) !== JSON.stringify(scriptOf(6, 60, FAULTS, 2)));
  assertEquals(new Set(script.map(({ kind }) => kind)), new Set(FAULTS));
  assert(script.every(({ at, ms }) => at + ms <= 60_000));
});

test("the ledger finds messages that are missing, twice, or told in excess", () => {
  const account = (changes: Partial<Account>): Account => ({
    node: 0,
    topic: "a",
    received: { "0.1": [1, 10, 10], "1.1": [1, 20, 18] },
    wrong: 0,
    lost: 2,
    unknown: 0,
    starts: 1,
    unrecovered: 0,
    ...changes,
  });
  const published = new Map([["0.1", { a: 10 }], ["1.1", { a: 20 }]]);
  const problemsOf = (changes: Partial<Account>) =>
    accountProblems([account(changes)], published).map((text) => text.replace(/^.*?: /, ""));
  assertEquals(problemsOf({}), []);
  assertEquals(problemsOf({ lost: 1 }), ["2 missing, 1 told"]);
  assertEquals(problemsOf({ lost: 3 }), ["2 missing, 3 told"]);
  assertEquals(problemsOf({ wrong: 1 }), ["1 messages twice or out of order"]);
  assertEquals(problemsOf({ unknown: 1 }), ["1 gaps of unknown length"]);

  const kept = { topic: "kept/a", received: { "0.1": [1, 10, 10] } } satisfies Partial<Account>;
  const keptPublished = new Map([["0.1", { "kept/a": 10 }], ["1.1", undefined]]);
  const keptProblems = (...changes: Partial<Account>[]) =>
    accountProblems(changes.map((each) => account({ ...kept, lost: 0, ...each })), keptPublished)
      .map((text) => text.replace(/^.*?: /, ""));
  assertEquals(keptProblems({}), []);
  assertEquals(keptProblems({ lost: 1 }), ["1 gaps were told"]);
  assertEquals(keptProblems({ unrecovered: 1 }), ["1 times not recovered"]);
  assertEquals(keptProblems({ received: { "0.1": [1, 10, 9] } }), [
    "received 9 from 1 to 10 of 0.1, expected 10",
  ]);
  // All subscribers or none have a message of a publisher that was killed.
  assertEquals(keptProblems({}, { received: { ...kept.received, "1.1": [1, 3, 3] } }), [
    "received 0 from 1 to 0 of 1.1, expected 3",
  ]);
});

test("the proxy passes, delays, stops and resets", async () => {
  const server = createServer((socket) => socket.on("error", () => {}).pipe(socket));
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestEnd(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const proxy = await startProxy((server.address() as { port: number }).port);
  onTestEnd(() => proxy.close());
  const client = await tcpConnect({ transport: "tcp", hostname: "127.0.0.1", port: proxy.port });
  const echo = async (byte: number) => {
    const sentAt = performance.now();
    const { length } = client;
    client.write(Uint8Array.of(byte));
    await client.until((self) => self.length > length, "the echo");
    assertEquals(client.bytes.at(-1), byte);
    return performance.now() - sentAt;
  };
  await echo(1);
  proxy.set({ kind: "delay", ms: 60 });
  assert(await echo(2) >= 119);
  proxy.set({ kind: "stop" });
  const late = echo(3);
  setTimeout(() => proxy.set({ kind: "pass" }), 100);
  assert(await late >= 90);
  proxy.reset();
  await client.until((self) => self.isClosed, "the reset");
  assertEquals(client.error, "ECONNRESET");
});
