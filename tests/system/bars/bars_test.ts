// The bars of topics at small size: what does not depend on the machine's speed.
// `deno task topics-bars` and `bun run topics-bars` measure them in full.
import {
  assert,
  assertEquals,
  assertStringIncludes,
  canRun,
  run,
  test,
  testIf,
} from "../../harness.ts";
import { scriptCommand } from "../../support/script.ts";

const [command, args] = scriptCommand("tests/system/bars/main.ts", "--no-check");

async function measure(names: string): Promise<void> {
  const options = ["--quick", "--exact", "--only", names];
  const { code, stdout, stderr } = await run(command, [...args, ...options], {
    env: { NO_COLOR: "1" },
  });
  assertEquals(code, 0, stderr + stdout);
  for (const name of names.split(",")) assert(stdout.includes(`| ${name} |`), stdout);
}

test("the memory of slow subscribers is exact", () => measure("M1,C4"));

test("the accounts of a stalled subscriber are exact", () => measure("S1"));

test("a slow subscriber gets the newest values", () => measure("S2"));

test("positions, members and histories are as they should be", () => measure("C2,P1"));

testIf(canRun("redis-server"), "histories and members over Redis end", () => measure("H1,P2"));

test("the command for the bars refuses an unknown bar", async () => {
  const { code, stderr } = await run(command, [...args, "--only", "X9"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, 'Cannot find a bar "X9"');
});
