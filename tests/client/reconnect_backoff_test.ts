import { isFinalClose } from "../../src/client/final_close.ts";
import { Backoff } from "../../src/client/reconnect_backoff.ts";
import type { BackoffOptions } from "../../src/client/reconnect_backoff.ts";
import { HandshakeError, WebSocketError } from "../../mod.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";
import { random } from "../protocol/frames.ts";

/** The upper bounds of the delays after 1 to `count` failures. */
function longest(options: BackoffOptions, count: number): (number | undefined)[] {
  const backoff = new Backoff(options, () => 1);
  return Array.from({ length: count }, () => backoff.next(undefined));
}

test("Backoff multiplies the upper bound of the delay by `factor`, up to maxDelay", () => {
  assertEquals(longest({}, 4), [1000, 1500, 2250, 3375]);
  assertEquals(longest({}, 11).map((bound) => Math.round(bound!)).slice(7), [
    17086,
    25629,
    30000,
    30000,
  ]);
  assertEquals(longest({ factor: 2 }, 6), [1000, 2000, 4000, 8000, 16000, 30000]);
  assertEquals(longest({ initialDelay: 10, factor: 3, maxDelay: 100 }, 4), [10, 30, 90, 100]);
  assertEquals(longest({ initialDelay: 10, factor: 1 }, 3), [10, 10, 10]);
  assertEquals(longest({ initialDelay: 50, maxDelay: 20 }, 2), [20, 20]);
  assertEquals(longest({ factor: 1e300 }, 5).at(-1), 30000);
});

test("Backoff spreads the delays evenly from 0 to the upper bound", () => {
  const next = random(7);
  for (const failures of [1, 3, 10]) {
    const bins = new Array<number>(10).fill(0);
    const bound = Math.min(1000 * 1.5 ** (failures - 1), 30_000);
    for (let i = 0; i < 10_000; i++) {
      const backoff = new Backoff({}, () => (next() >>> 0) % 1e6 / 1e6);
      let wait: number | undefined;
      for (let failure = 0; failure < failures; failure++) wait = backoff.next(undefined);
      assert(wait !== undefined && wait >= 0 && wait < bound, `${wait} of ${bound}`);
      bins[Math.floor(wait / bound * 10)]!++;
    }
    // 1,000 each, with a standard deviation of 30.
    for (const bin of bins) assert(Math.abs(bin - 1000) < 200, `${bins}`);
  }
  const [low, high] = [0, 1 - 2 ** -53].map((at) => new Backoff({}, () => at).next(0));
  assert(low === 0 && high! < 1000 && high! > 999.99);
});

test("Backoff brings 1,000 clients of a server that was down for a second back within 5 s", () => {
  const next = random(11);
  for (let round = 0; round < 20; round++) {
    let latest = 0;
    for (let client = 0; client < 1000; client++) {
      const backoff = new Backoff({}, () => (next() >>> 0) / 2 ** 32);
      let time = backoff.next(60_000)!;
      while (time < 1000) time += backoff.next(undefined)!;
      latest = Math.max(latest, time - 1000);
    }
    assert(latest < 5000, `${latest} ms`);
  }
});

test("Backoff resets after a stable connection, and only then", () => {
  const backoff = new Backoff({ stableAfter: 100 }, () => 1);
  assertEquals(backoff.attempt, 1);
  assertEquals([backoff.next(undefined), backoff.next(undefined)], [1000, 1500]);
  assertEquals(backoff.attempt, 3);
  assertEquals(backoff.next(99.9), 2250);
  assertEquals(backoff.next(100), 1000);
  assertEquals(backoff.attempt, 1);
  assertEquals(backoff.next(undefined), 1000);
  assertEquals(new Backoff({ stableAfter: 0, maxAttempts: 1 }, () => 1).next(0), 1000);
});

test("Backoff gives up after maxAttempts in a row", () => {
  assertEquals(longest({ maxAttempts: 1 }, 1), [undefined]);
  assertEquals(longest({ maxAttempts: 3 }, 3), [1000, 1500, undefined]);
  const backoff = new Backoff({ maxAttempts: 2, stableAfter: 100 }, () => 0);
  for (let i = 0; i < 5; i++) assertEquals(backoff.next(i % 2 === 0 ? 0 : 100), 0);
  assertEquals(backoff.next(0), undefined);
});

test("Backoff refuses options that are out of range", () => {
  const options: BackoffOptions[] = [
    { initialDelay: 0 },
    { initialDelay: NaN },
    { initialDelay: 2 ** 31 },
    { factor: 0.5 },
    { factor: Infinity },
    { maxDelay: 0 },
    { maxDelay: Infinity },
    { maxAttempts: 0 },
    { maxAttempts: 1.5 },
    { stableAfter: -1 },
    { stableAfter: "1" as unknown as number },
  ];
  for (const option of options) {
    const [name, value] = Object.entries(option)[0]!;
    assertThrows(() => new Backoff(option), RangeError, `Cannot use ${name}: expected a number `);
    assertThrows(
      () => new Backoff(option),
      RangeError,
      `got ${typeof value === "string" ? JSON.stringify(value) : value}`,
    );
  }
});

test("isFinalClose returns true for closes and failures that another attempt would repeat", () => {
  const close = (closeCode: number) => ({ closeCode, reason: "", wasClean: true });
  const failure = (error: unknown) => ({ closeCode: 1006, reason: "", wasClean: false, error });
  const refusal = (status: number) => failure(new HandshakeError("no", { code: "ERR_X", status }));
  for (const code of [1000, 1008]) assert(isFinalClose(close(code)), `${code}`);
  for (const code of [1001, 1002, 1005, 1006, 1011, 1012, 1013, 3000, 4000]) {
    assert(!isFinalClose(close(code)), `${code}`);
  }
  for (const status of [400, 401, 403, 404, 426]) {
    assert(isFinalClose(refusal(status)), `${status}`);
  }
  for (const status of [0, 101, 200, 302, 408, 425, 429, 500, 502, 503]) {
    assert(!isFinalClose(refusal(status)), `${status}`);
  }
  assert(isFinalClose(failure(new TypeError("a header"))));
  assert(isFinalClose(failure(new RangeError("a limit"))));
  assert(isFinalClose(failure(new DOMException("a URL", "SyntaxError"))));
  const denied = new WebSocketError("denied", { code: "ERR_PERMISSION", closeCode: 1006 });
  assert(isFinalClose(failure(denied)));
  assert(!isFinalClose(failure(new DOMException("late", "TimeoutError"))));
  assert(
    !isFinalClose(failure(new WebSocketError("gone", { code: "ERR_CONNECT", closeCode: 1006 }))),
  );
});
