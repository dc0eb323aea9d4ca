import { HttpResponder } from "../../src/server/http_responder.ts";
import { assert, assertEquals, deadline, delay, test, toHex } from "../harness.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { TimerWatch } from "../support/leaks.ts";
import { turns } from "../support/open.ts";

/** A HttpResponder over a transport that goes nowhere. */
function makeFarewell(timeout = 1000) {
  const transport = new FakeTransport();
  const gone = { count: 0 };
  const farewell = new HttpResponder(transport, timeout, () => gone.count++);
  return { transport, farewell, gone };
}

const bytes = new Uint8Array([1, 2]);

test("HttpResponder reads on, writes, half-closes, and closes at the peer's end", async () => {
  const { transport, farewell, gone } = makeFarewell();
  await farewell.write(bytes);
  assertEquals(transport.writes.map(toHex), ["01 02"]);
  farewell.finish();
  assertEquals(transport.calls, ["resume", "shutdown"]);
  transport.handler!.data(new Uint8Array([9]));
  assertEquals(gone.count, 0);
  transport.handler!.end();
  assertEquals(transport.calls, ["resume", "shutdown", "close"]);
  assertEquals(farewell.isGone, true);
  assertEquals(gone.count, 1);
});

test("HttpResponder closes at once where the peer has ended before", () => {
  const { transport, farewell, gone } = makeFarewell();
  transport.handler!.end();
  assertEquals(transport.calls, ["resume"]);
  farewell.write(bytes);
  farewell.finish();
  assertEquals(transport.calls, ["resume", "close"]);
  assertEquals(gone.count, 1);
});

test("HttpResponder's write waits for room, and finish for all that is written", async () => {
  const { transport, farewell } = makeFarewell();
  transport.takes = false;
  let hasRoom = false;
  farewell.write(bytes).then(() => hasRoom = true);
  farewell.finish();
  await turns();
  assertEquals(hasRoom, false);
  assertEquals(transport.calls, ["resume"]);
  transport.drained();
  await turns();
  assertEquals(hasRoom, true);
  assertEquals(transport.calls, ["resume", "shutdown"]);
  farewell.abort();
});

test("HttpResponder writes in order what comes while it writes", () => {
  const { transport, farewell } = makeFarewell();
  transport.takes = false;
  farewell.write(new Uint8Array([1]));
  farewell.write(new Uint8Array([2]));
  farewell.write(new Uint8Array([3]));
  for (let i = 0; i < 3; i++) transport.drained();
  assertEquals(transport.writes.map(toHex), ["01", "02", "03"]);
  farewell.abort();
});

test("HttpResponder drops a peer that does not read", async () => {
  const { transport, farewell, gone } = makeFarewell(20);
  transport.takes = false;
  const written = farewell.write(bytes);
  const started = performance.now();
  await written;
  assert(performance.now() - started > 10);
  assertEquals(transport.calls, ["resume", "abort"]);
  assertEquals(gone.count, 1);
  await farewell.write(bytes);
  farewell.finish();
  assertEquals(transport.writes.length, 1);
});

test("HttpResponder gives a peer that reads a long answer slowly its time anew with each part", async () => {
  const { transport, farewell } = makeFarewell(300);
  transport.takes = false;
  farewell.write(bytes);
  farewell.finish();
  for (let i = 0; i < 12; i++) {
    await delay(30);
    transport.handler!.progress!();
  }
  assertEquals(transport.calls, ["resume"]);
  await farewell.gone;
  assertEquals(transport.calls, ["resume", "abort"]);
});

test("HttpResponder drops a peer that does not end", async () => {
  const { transport, farewell } = makeFarewell(20);
  farewell.write(bytes);
  farewell.finish();
  await delay(60);
  assertEquals(transport.calls, ["resume", "shutdown", "abort"]);
});

test("HttpResponder gives whoever writes slowly all the time", async () => {
  const { transport, farewell } = makeFarewell(20);
  farewell.write(bytes);
  await delay(60);
  assertEquals(transport.calls, ["resume"]);
  farewell.abort();
  assertEquals(transport.calls, ["resume", "abort"]);
});

test("HttpResponder is told of a connection that is lost, once", async () => {
  const { transport, farewell, gone } = makeFarewell();
  transport.takes = false;
  const written = farewell.write(bytes);
  transport.gone(new Error("reset"));
  await written;
  transport.handler!.close();
  assertEquals(gone.count, 1);
  assertEquals(farewell.isGone, true);
});

test("HttpResponder leaves no timer where the transport fails within a write", async () => {
  const timers = new TimerWatch();
  const transport = new FakeTransport();
  transport.write = () => {
    transport.gone(new Error("EPIPE"));
    return false;
  };
  const farewell = new HttpResponder(transport, 60_000, () => {});
  await deadline(farewell.write(new Uint8Array(1)), 1000, "the write");
  farewell.finish();
  await deadline(farewell.gone, 1000, "the end");
  await timers.assertNone("the farewell");
});
