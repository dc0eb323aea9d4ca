// The command that measures the attacks at full size.
import { assertEquals, assertStringIncludes, run, test } from "../../harness.ts";
import { scriptCommand } from "../../support/script.ts";

const [command, args] = scriptCommand("tests/system/attacks/main.ts", "--no-check");

test("the attacks' command prints its options", async () => {
  const exit = await run(command, [...args, "--help"]);
  assertEquals(exit.code, 0, exit.stderr);
  assertStringIncludes(exit.stdout, "--only TEXT");
});

test("a refused connection does not hold its request, as the attacks' command measures it", async () => {
  const exit = await run(command, [...args, "--only", "unclosed quoted string"], {
    env: { NO_COLOR: "1" },
  });
  assertEquals(exit.code, 0, exit.stderr + exit.stdout);
  assertStringIncludes(exit.stdout, "1 answered as they should be, 0 not.");
});
