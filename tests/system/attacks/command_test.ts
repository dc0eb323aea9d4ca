// The command that makes the table, on a few attacks as small as in the tests.
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  onTestEnd,
  run,
  runtime,
  test,
} from "../../harness.ts";
import { scriptCommand } from "../../support/script.ts";
import type { Measured } from "./measure.ts";

const [command, args] = scriptCommand("tests/system/attacks/main.ts", "--no-check");

test("the attacks' command measures a victim of its own, and tells it as a table and as JSON", async () => {
  const json = join(tmpdir(), `sluice-attacks-${process.pid}-${runtime}.json`);
  onTestEnd(() => rmSync(json, { force: true }));
  const exit = await run(command, [
    ...args,
    "--small",
    "--only",
    "length of 2^63",
    "--json",
    json,
  ], { env: { NO_COLOR: "1" } });
  assertEquals(exit.code, 0, exit.stderr + exit.stdout);
  assertStringIncludes(exit.stdout, "| length of 2^63-1 ");
  assertStringIncludes(exit.stdout, "2 answered as they should be, 0 not.");
  const { results } = JSON.parse(readFileSync(json, "utf8")) as { results: Measured[] };
  assertEquals(results.map(({ answers }) => answers), [{ "1009": 3 }, { "1002": 3 }]);
  for (const { sent, perConnection, honest, sockets } of results) {
    assert(sent > 0);
    assert(perConnection !== undefined && perConnection >= 0);
    assert(honest.count > 0 && honest.p99 > 0);
    assertEquals(sockets, 0);
  }
});

test("a refused connection does not hold its request, as the attacks' command measures it", async () => {
  const exit = await run(command, [...args, "--only", "unclosed quoted string"], {
    env: { NO_COLOR: "1" },
  });
  assertEquals(exit.code, 0, exit.stderr + exit.stdout);
  assertStringIncludes(exit.stdout, "1 answered as they should be, 0 not.");
});

test("the attacks' command refuses what it does not know", async () => {
  const unknown = await run(command, [...args, "--only", "no such attack"]);
  assertEquals(unknown.code, 2);
  assertStringIncludes(unknown.stderr, "There is no attack");
  const wrong = await run(command, [...args, "--fast"]);
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.stderr, "--only TEXT");
});
