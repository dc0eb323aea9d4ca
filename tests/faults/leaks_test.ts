// Tests of the helpers of this folder: each detects its kind of leak.
import { memoryPair } from "../../src/transport/memory_transport.ts";
import { assertEquals, assertRejects, delay, test } from "../harness.ts";
import { watch } from "../support/events.ts";
import { FaultTransport } from "../support/fault_transport.ts";
import type { Fault } from "../support/fault_transport.ts";
import { CountedSignal, PromiseWatch, TimerWatch } from "../support/leaks.ts";
import { turns } from "../support/open.ts";

test("TimerWatch sees a timer until it fires or is cleared", async () => {
  const timers = new TimerWatch();
  const timer = setTimeout(() => {}, 60_000);
  const interval = setInterval(() => {}, 60_000);
  await delay(1);
  assertEquals([timers.live.size, timers.count], [2, 3]);
  const missed = assertRejects(() => timers.assertNone("a test", 20), Error, "2 timers are left");
  await missed;
  clearTimeout(timer);
  clearInterval(interval);
  await timers.assertNone("a test");
});

test("PromiseWatch tells what is pending, and what has rejected", async () => {
  const promises = new PromiseWatch();
  const oops = new Error("oops");
  promises.watch("one", Promise.resolve());
  promises.watch("two", new Promise(() => {}));
  promises.watch("three", Promise.reject(oops));
  await delay(0);
  assertEquals(promises.pending, ["two"]);
  assertEquals(promises.rejected, [{ name: "three", error: oops }]);
});

test("CountedSignal counts listeners", () => {
  const counted = new CountedSignal();
  const listener = () => {};
  counted.signal.addEventListener("abort", listener);
  assertEquals(counted.listeners, 1);
  counted.signal.removeEventListener("abort", listener);
  assertEquals(counted.listeners, 0);
});

/** Returns the events of a transport with a fault, for 4 bytes each way, and the written bytes. */
async function told(fault: Fault | undefined, writesByteByByte = false) {
  const [here, there] = memoryPair();
  const transport = new FaultTransport(here, { fault, writesByteByByte });
  const events = watch(transport);
  const peer = watch(there, true);
  await turns();
  there.write(new Uint8Array([1, 2, 3, 4]));
  await turns();
  const taken = transport.write(new Uint8Array([5, 6, 7, 8]));
  await turns();
  transport.abort();
  return { log: events.log, taken, received: peer.received };
}

test("FaultTransport lets everything pass, up to its fault", async () => {
  const all = "data 01 02 03 04";
  const whole = { taken: true, received: 4 };
  assertEquals(await told(undefined), { log: [all, "close"], ...whole });
  const cut = { log: ["data 01 02", "end", "close"], ...whole };
  assertEquals(await told({ kind: "cut", at: 2 }), cut);
  assertEquals(await told({ kind: "cut", at: 0 }), { ...cut, log: ["end", "close"] });
  assertEquals(await told({ kind: "stall", at: 3 }), { log: ["data 01 02 03", "close"], ...whole });
  const reset = ["data 01", "close Error: the fault"];
  assertEquals(await told({ kind: "reset", at: 1 }), { log: reset, taken: true, received: 0 });
  const failed = { log: [all, "close Error: the fault"], taken: false, received: 0 };
  assertEquals(await told({ kind: "write error", at: 0 }), failed);
  const stalled = { log: [all, "close"], taken: false, received: 3 };
  assertEquals(await told({ kind: "write stall", at: 3 }), stalled);
  assertEquals(await told({ kind: "write stall", at: 3 }, true), stalled);
  const slow = { log: [all, "drain", "close"], taken: false, received: 4 };
  assertEquals(await told(undefined, true), slow);
});
