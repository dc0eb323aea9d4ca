// A short run of the simulation, and its parts. `deno task simulate` and `bun run simulate` run a million
// actions.
import { assertEquals, assertMatch, assertThrows, run, runtime, test } from "../harness.ts";
import { scriptCommand } from "../support/script.ts";
import { contentOf, Direction, Outbox, OutboxDirection, Promises, Violation } from "./ledger.ts";
import type { Outcome } from "./ledger.ts";
import { shrink } from "./shrink.ts";
import { WireEnd, WireTransport } from "./wire.ts";

const [command, args] = scriptCommand("tests/simulation/main.ts", "--no-check");

function simulate(...options: string[]) {
  return run(command, [...args, ...options], { env: { NO_COLOR: "1" } });
}

test("the simulation breaks no invariant", async () => {
  const { code, stdout, stderr } = await simulate("--seed", "1", "--actions", "20000");
  assertEquals(code, 0, stdout + stderr);
  assertMatch(stdout, /^2\d{4} actions in \d+ scenarios, .*\nNo invariant is broken\.\n$/);
});

test("the simulation replays a seed exactly", async () => {
  const { code, stdout, stderr } = await simulate("--seed", "500", "--actions", "3000", "--twice");
  assertEquals(code, 0, stdout + stderr);
});

test("the simulation refuses unknown options", async () => {
  const { code, stderr } = await simulate("--actions", "many");
  assertEquals(code, 2);
  assertMatch(stderr, /--seed N/);
});

const resolved = { state: "resolved" } as const;
const rejected = { state: "rejected" } as const;

function direction(...messages: (readonly [string, Outcome])[]): Direction {
  const all = new Direction("there");
  for (const [message, tracked] of messages) all.add("send", message, tracked);
  return all;
}

test("Direction accepts messages in order, without those that were rejected", () => {
  const all = direction(["a", resolved], ["b", rejected], ["c", resolved], ["d", resolved]);
  for (const message of ["a", "c"]) all.receive(message);
  assertEquals(all.missing, ['send 3: "d" of 1']);
  all.receive("d");
  assertEquals(all.missing, []);
});

test("Direction accepts the messages of two lanes in any order of the lanes", () => {
  const all = direction(["a", resolved], ["b", resolved]);
  all.add("writable", "x", resolved);
  all.add("writable", "y", resolved);
  for (const message of ["a", "x", "y", "b"]) all.receive(message);
  assertEquals(all.missing, []);
});

for (
  const [fault, messages] of [
    ["lost", ["b"]],
    ["doubled", ["a", "a"]],
    ["reordered", ["b", "a"]],
    ["damaged", ["A"]],
    ["cut", [""]],
    ["invented", ["a", "b", "c"]],
  ] as const
) {
  test(`Direction reports a message that is ${fault}`, () => {
    const all = direction(["a", resolved], ["b", { state: "pending" }]);
    assertThrows(() => messages.forEach((message) => all.receive(message)), Violation);
  });
}

test("Direction accepts the start of a message whose rest was discarded", () => {
  const all = direction(["abc", resolved], ["d", resolved]);
  all.receive("ab", true);
  all.receive("d");
  assertThrows(() => direction(["abc", resolved]).receive("b", true), Violation);
});

test("OutboxDirection accepts what a lost connection leaves out, and nothing twice", () => {
  const outbox = new Outbox();
  const names = ["r0.0|", "r0.1|", "r0.2|"];
  for (const name of names) outbox.add(contentOf(name, "text", 8), resolved);
  const received = (index: number) => contentOf(names[index]!, "text", 8);
  const first = new OutboxDirection("first", outbox);
  const second = new OutboxDirection("second", outbox);
  first.receive(received(0));
  second.receive(received(2));
  assertThrows(() => second.receive(received(0)), Violation);
  assertThrows(() => second.receive(received(1)), Violation);
});

test("Promises knows which calls are pending", async () => {
  const promises = new Promises();
  const { promise, resolve } = Promise.withResolvers<void>();
  const own = promises.track("c0 send()", promise);
  promises.track("c0 ping()", new Promise(() => {}));
  assertEquals(promises.pending(), ["c0 send()", "c0 ping()"]);
  resolve();
  await promise;
  assertEquals([own.state, promises.pending()], ["resolved", ["c0 ping()"]]);
});

test("shrink() leaves what a failure needs", async () => {
  const items = Array.from({ length: 100 }, (_, i) => i);
  const needed = [3, 4, 50, 99];
  let checks = 0;
  const shortest = await shrink(items, (part) => {
    checks++;
    return Promise.resolve(needed.every((item) => part.includes(item)) ? part : undefined);
  });
  assertEquals([shortest, checks < 200], [needed, true]);
});

test("a wire carries bytes up to its capacity, the end, and a reset", () => {
  const options = {
    capacity: 5,
    mostTaken: 3,
    writesAtOnce: true,
    lendsChunks: false,
    reportsProgress: true,
  };
  const [a, b] = [new WireTransport(options), new WireTransport(options)];
  WireEnd.join(a, b);
  const log: string[] = [];
  const handler = (name: string) => ({
    data: (chunk: Uint8Array) => void log.push(`${name} ${chunk}`),
    drain: () => void log.push(`${name} drain`),
    progress: () => void log.push(`${name} progress`),
    end: () => void log.push(`${name} end`),
    close: (error?: unknown) => void log.push(`${name} close ${error instanceof Error}`),
  });
  a.handler = handler("a");
  b.handler = handler("b");
  assertEquals([a.write(Uint8Array.of(1, 2, 3, 4, 5, 6, 7)), a.events, b.events], [
    false,
    ["room"],
    ["data"],
  ]);
  a.fire("room", 0);
  a.shutdown();
  assertEquals(a.events, []);
  b.fire("data", 4);
  a.fire("room", 0);
  b.fire("data", 65_536);
  b.fire("fin", 0);
  b.abort();
  a.fire("reset", 0);
  assertEquals(log, [
    "a progress",
    "b 1,2,3,4",
    "a drain",
    "b 5,6,7",
    "b end",
    "b close false",
    "a close true",
  ]);
  assertEquals([a.isOver, a.events, b.events], [true, [], []]);
});

test("contentOf() has the size that is asked for, and no half of a surrogate pair", () => {
  for (let size = 0; size < 40; size++) {
    assertEquals(contentOf("name|", "binary", size).length, size);
    const text = contentOf("name|", "text", size) as string;
    assertEquals([text.length, text.isWellFormed()], [size, true], runtime);
  }
});
