import { abortable, sleep, withTimeout } from "../../src/util/abort.ts";
import { assertEquals, assertRejects, assertStrictEquals, deadline, test } from "../harness.ts";

test("sleep ends early if the signal aborts", async () => {
  const stop = new AbortController();
  const slept = sleep(60_000, stop.signal);
  stop.abort();
  await deadline(slept, 1000, "the end");
  await deadline(sleep(60_000, stop.signal), 1000, "no sleep at all");
  await sleep(1, new AbortController().signal);
});

test("abortable settles as its promise does, or rejects when the signal aborts", async () => {
  const stop = new AbortController();
  assertEquals(await abortable(Promise.resolve(1), stop.signal), 1);
  const broken = new Error("broken");
  assertStrictEquals(
    await assertRejects(() => abortable(Promise.reject(broken), stop.signal)),
    broken,
  );
  const pending = abortable(new Promise(() => {}), stop.signal);
  const reason = new Error("enough");
  stop.abort(reason);
  assertStrictEquals(await assertRejects(() => pending), reason);
});

test("withTimeout ends an attempt by the caller's signal, or by its timeout", async () => {
  const untilAborted = (signal: AbortSignal) => abortable(new Promise<never>(() => {}), signal);
  assertEquals(await withTimeout({ timeout: Infinity }, () => Promise.resolve(1)), 1);
  const late = await assertRejects(() => withTimeout({ timeout: 1 }, untilAborted), DOMException);
  assertEquals([late.name, late.message], ["TimeoutError", "Cannot open WebSocket within 1 ms"]);
  const stop = new AbortController();
  const attempt = withTimeout({ signal: stop.signal }, untilAborted);
  const reason = new Error("enough");
  stop.abort(reason);
  assertStrictEquals(await assertRejects(() => attempt), reason);
  let isRun = false;
  const run = () => Promise.resolve(void (isRun = true));
  assertStrictEquals(
    await assertRejects(() => withTimeout({ signal: stop.signal }, run)),
    reason,
  );
  await assertRejects(() => withTimeout({ timeout: 0 }, run), RangeError, "timeout");
  assertEquals(isRun, false);
});
