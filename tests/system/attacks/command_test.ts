// The command that measures the attacks at full size.
import { assertEquals, assertStringIncludes, run, test } from "../../harness.ts";
import { scriptCommand } from "../../support/script.ts";

const [command, args] = scriptCommand("tests/system/attacks/main.ts", "--no-check");

test("the attacks' command prints its options", async () => {
  const exit = await run(command, [...args, "--help"]);
  assertEquals(exit.code, 0, exit.stderr);
  assertStringIncludes(exit.stdout, "--only TEXT");
});

/** Measures attacks as the command does; fails if one has another answer, or needs more memory. */
async function measureOnly(text: string, options: readonly string[] = []): Promise<void> {
  const exit = await run(command, [...args, ...options, "--only", text], {
    env: { NO_COLOR: "1" },
  });
  assertEquals(exit.code, 0, exit.stderr + exit.stdout);
  assertStringIncludes(exit.stdout, "1 answered as they should be, 0 not.");
}

test("a refused connection does not hold its request, as the attacks' command measures it", async () => {
  await measureOnly("unclosed quoted string");
});

test("messages without end after the server's Close grow it within the limits, as the command measures it", async () => {
  await measureOnly("no answer to the server's Close, but messages without end", ["--small"]);
});
