import process from "node:process";
import {
  assert,
  assertEquals,
  AssertionError,
  assertLess,
  assertRejects,
  assertThrows,
  canRun,
  deadline,
  delay,
  hex,
  onTestEnd,
  run,
  spawn,
  test,
  testIf,
  toHex,
} from "./harness.ts";

const self = process.execPath;

test("hex and toHex are each other's inverse", () => {
  assertEquals(
    hex("81 05\n48 65 6C 6c 6f"),
    new Uint8Array([0x81, 5, 0x48, 0x65, 0x6c, 0x6c, 0x6f]),
  );
  assertEquals(toHex(hex("8105ff")), "81 05 ff");
  assertEquals(toHex(new Uint8Array()), "");
  assertThrows(() => hex("8"), RangeError);
});

test("deadline passes on an outcome that is in time", async () => {
  assertEquals(await deadline(Promise.resolve(1), 1000, "one"), 1);
  await assertRejects(() => deadline(Promise.reject(new TypeError("no")), 1000, "one"), TypeError);
});

test("deadline fails with what was late", async () => {
  const late = deadline(new Promise(() => {}), 10, "the pong");
  await assertRejects(() => late, AssertionError, "the pong: not within 10 ms");
});

const ended: string[] = [];

test("onTestEnd runs its functions in reverse order, delayed ones awaited", () => {
  onTestEnd(() => void ended.push("first"));
  onTestEnd(async () => {
    await delay(5);
    ended.push("second");
  });
});

test("onTestEnd has run before the next test", () => {
  assertEquals(ended, ["second", "first"]);
});

test("run gives the exit code and both outputs", async () => {
  const exit = await run("sh", ["-c", 'cat; printf "$WORD" >&2; exit 3'], {
    env: { WORD: "err" },
    input: "in",
  });
  assertEquals(exit, { code: 3, stdout: "in", stderr: "err" });
});

test("run rejects when there is no such command", async () => {
  await assertRejects(() => run("./no-such-command", []), Error);
});

test("spawn's waitForLine finds a line of either output", async () => {
  const child = spawn("sh", ["-c", "echo one; echo port 80 >&2; exec sleep 30"]);
  assertEquals((await child.waitForLine(/^port (\d+)$/))[1], "80");
  assertEquals((await child.waitForLine(/^one$/))[0], "one");
});

test("spawn's waitForLine fails when the child ends first", async () => {
  const child = spawn("sh", ["-c", "echo oops >&2"]);
  await assertRejects(() => child.waitForLine(/^never$/), AssertionError, "oops");
});

test("spawn's waitForLine fails when the line is late", async () => {
  const child = spawn("sleep", ["30"]);
  await assertRejects(() => child.waitForLine(/never/, 20), AssertionError, "not within 20 ms");
});

test("spawn's kill ends the child and waits", async () => {
  const started = performance.now();
  const child = spawn("sleep", ["30"]);
  await child.kill("SIGTERM");
  assertEquals((await child.exited).code, null);
  assertLess(performance.now() - started, 10_000);
});

let orphan: number | undefined;

test("spawn leaves its child to the end of the test", () => {
  orphan = spawn("sleep", ["30"]).pid;
});

test("spawn's child is gone after the test", () => {
  assert(orphan !== undefined);
  assertThrows(() => process.kill(orphan!, 0));
});

test("canRun tells why a command does not run", () => {
  assertEquals(canRun(self), true);
  assertEquals(canRun("./no-such-command"), "./no-such-command is not on this machine");
  assertEquals(canRun("sh", ["-c", "exit 7"]), "sh -c exit 7 exited with 7");
});

testIf(true, "testIf runs a test whose condition is met", () => {});
