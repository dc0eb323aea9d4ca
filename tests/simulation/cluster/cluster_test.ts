// A short run of the simulation of a cluster. `deno task simulate:cluster` and `bun run simulate:cluster` run
// as many schedules as they are asked for.
import { assertEquals, assertMatch, run, test } from "../../harness.ts";
import { scriptCommand } from "../../support/script.ts";

const [command, args] = scriptCommand("tests/simulation/cluster/main.ts", "--no-check");

function simulate(...options: string[]) {
  return run(command, [...args, ...options], { env: { NO_COLOR: "1" } });
}

test("the simulation of a cluster breaks no invariant", async () => {
  const { code, stdout, stderr } = await simulate("--seed", "1", "--schedules", "300");
  assertEquals(code, 0, stdout + stderr);
  assertMatch(stdout, /^300 schedules, .*\nNo invariant is broken\.\n$/);
});

test("schedules that have failed once do not fail again", async () => {
  const { code, stdout, stderr } = await simulate("--kept");
  assertEquals(code, 0, stdout + stderr);
  assertMatch(stdout, /^\d+ kept schedules, 0 failed\n$/);
});

test("the simulation of a cluster refuses unknown options", async () => {
  const { code, stderr } = await simulate("--schedules", "many");
  assertEquals(code, 2);
  assertMatch(stderr, /--seed N/);
});
