// The soak for three seconds, and its parts. `deno task soak` and `bun run soak` run it in full.
import { Buffer } from "node:buffer";
import { deflateRawSync } from "node:zlib";
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
  run,
  test,
} from "../../harness.ts";
import { scriptCommand } from "../../support/script.ts";
import { closePayload, frame } from "../../support/frames.ts";
import { growthOf } from "./memory.ts";
import type { Sample } from "./memory.ts";
import { MessageReader } from "./message_reader.ts";
import { asksForClose, chanceOf, payloadOf, someSize } from "./payloads.ts";

const [command, args] = scriptCommand("tests/system/soak/main.ts", "--no-check");

test("the soak accounts for every message of three seconds", async () => {
  const exit = await run(command, [
    ...args,
    ...["--minutes", "0.05", "--connections", "40", "--rate", "500", "--seed", "3"],
  ], { env: { NO_COLOR: "1" } });
  assertEquals(exit.code, 0, exit.stderr + exit.stdout);
  assertStringIncludes(exit.stdout, "sockets      0 more than at the start");
  assertStringIncludes(exit.stdout, "All is well.");
  const [, sent, echoed, lost] = /messages +(\d+) sent .*?, (\d+) echoed, (\d+) lost/.exec(
    exit.stdout,
  )!.map(Number);
  assertEquals(sent, echoed! + lost!);
  assert(echoed! > 500);
});

test("the soak refuses what is no number", async () => {
  const exit = await run(command, [...args, "--minutes", "long"]);
  assertEquals(exit.code, 2);
  assertStringIncludes(exit.stderr, "--minutes wants a number above 0");
});

test("MessageReader reads a server's messages, whole, in fragments and compressed, however cut", () => {
  const long = "é".repeat(40_000);
  const deflated = deflateRawSync(Buffer.from(long), { finishFlush: 2 }).subarray(0, -4);
  const mask = null;
  const bytes = Buffer.concat([
    frame({ opcode: 1, payload: "one", mask }),
    frame({ opcode: 2, fin: false, payload: "t", mask }),
    frame({ opcode: 10, mask }),
    frame({ opcode: 0, payload: "wo", mask }),
    frame({ opcode: 1, rsv: 4, payload: deflated, mask }),
    frame({ opcode: 1, payload: long, mask }),
    frame({ opcode: 8, payload: closePayload(1000), mask }),
  ]);
  const read = (step: number): unknown[] => {
    const got: unknown[] = [];
    const reader = new MessageReader({
      message: (payload, isText) => got.push([isText, payload.toString("utf8")]),
      pong: () => got.push("pong"),
      close: (code) => got.push(code),
    });
    for (let i = 0; i < bytes.length; i += step) reader.push(bytes.subarray(i, i + step));
    return got;
  };
  const all = [[true, "one"], "pong", [false, "two"], [true, long], [true, long], 1000];
  for (const step of [1, 7, 1000, bytes.length]) assertEquals(read(step), all);
});

test("MessageReader throws where the server masks, or mixes messages", () => {
  const reading = { message() {}, pong() {}, close() {} };
  const wrong = [
    frame({ opcode: 1, payload: "x" }),
    frame({ opcode: 0, payload: "x", mask: null }),
    frame({ opcode: 3, mask: null }),
  ];
  for (const bytes of wrong) assertThrows(() => new MessageReader(reading).push(bytes), Error);
});

test("payloadOf() tells the sender, fills to the size, and leaves text whole", () => {
  const sent = { connection: 12, sequence: 3, isLast: false };
  for (const size of [0, 1, 2, 3, 4, 5, 100, 65536, 256 * 1024]) {
    const text = payloadOf({ ...sent, isText: true, size });
    new TextDecoder("utf-8", { fatal: true }).decode(text);
    assert(text.length <= size + 5 && text.length > size);
    assertEquals(text.subarray(0, 5).toString(), "12:3 ");
    const binary = payloadOf({ ...sent, isText: false, size });
    assertEquals(binary.length, size + 5);
    assert(!asksForClose(binary) && !asksForClose(text.toString()));
  }
  const last = payloadOf({ ...sent, isText: true, size: 9, isLast: true });
  assert(asksForClose(last) && asksForClose(last.toString()));
});

test("chanceOf() gives the same again for the same seed, and sizes mostly small", () => {
  const sizes = (seed: number) => {
    const chance = chanceOf(seed);
    return Array.from({ length: 2000 }, () => someSize(chance));
  };
  assertEquals(sizes(5), sizes(5));
  assert(sizes(5).join() !== sizes(6).join());
  const sorted = sizes(5).sort((a, b) => a - b);
  assert(
    sorted[0]! === 0 && sorted[1000]! < 2000 && sorted[1999]! > 65536 && sorted[1999]! <= 262144,
  );
});

test("growthOf() compares medians of the fifth minute and of the end", () => {
  const sampled = (rss: (at: number) => number): Sample[] =>
    Array.from({ length: 120 }, (_, i) => ({
      at: (i + 1) * 10,
      rss: rss((i + 1) * 10),
      heap: 1,
      connections: 1,
    }));
  const steady = growthOf(sampled((at) => at < 200 ? 10 : at % 70 === 0 ? 500 : 100), 1200);
  assertEquals(steady.rss, [100, 100]);
  const leaking = growthOf(sampled((at) => 100 + at / 10), 1200);
  assert(leaking.rss[1] / leaking.rss[0] > 1.5);
});
