import { HttpResponder } from "../../src/server/http_responder.ts";
import { assert, assertEquals, deadline, delay, test, toHex } from "../harness.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { TimerWatch } from "../support/leaks.ts";
import { turns } from "../support/open.ts";

/** Returns a responder over a fake transport, and the number of its `onClosed` calls. */
function makeResponder(timeout = 1000) {
  const transport = new FakeTransport();
  const onClosed = { count: 0 };
  const responder = new HttpResponder(transport, timeout, () => onClosed.count++);
  responder.start();
  return { transport, responder, onClosed };
}

const bytes = new Uint8Array([1, 2]);

test("HttpResponder reads on, writes, half-closes, and closes at the peer's end", async () => {
  const { transport, responder, onClosed } = makeResponder();
  await responder.write(bytes);
  assertEquals(transport.writes.map(toHex), ["01 02"]);
  responder.finish();
  assertEquals(transport.calls, ["resume", "shutdown"]);
  transport.handler!.data(new Uint8Array([9]));
  assertEquals(onClosed.count, 0);
  transport.handler!.end();
  assertEquals(transport.calls, ["resume", "shutdown", "close"]);
  assertEquals(responder.isClosed, true);
  assertEquals(onClosed.count, 1);
});

test("HttpResponder closes at once if the peer has ended before", () => {
  const { transport, responder, onClosed } = makeResponder();
  transport.handler!.end();
  assertEquals(transport.calls, ["resume"]);
  responder.write(bytes);
  responder.finish();
  assertEquals(transport.calls, ["resume", "close"]);
  assertEquals(onClosed.count, 1);
});

test("HttpResponder's write waits until more can be written, and finish for all writes", async () => {
  const { transport, responder } = makeResponder();
  transport.takes = false;
  let isWritable = false;
  responder.write(bytes).then(() => isWritable = true);
  responder.finish();
  await turns();
  assertEquals(isWritable, false);
  assertEquals(transport.calls, ["resume"]);
  transport.drained();
  await turns();
  assertEquals(isWritable, true);
  assertEquals(transport.calls, ["resume", "shutdown"]);
  responder.abort();
});

test("HttpResponder keeps the order of writes during a write", () => {
  const { transport, responder } = makeResponder();
  transport.takes = false;
  responder.write(new Uint8Array([1]));
  responder.write(new Uint8Array([2]));
  responder.write(new Uint8Array([3]));
  for (let i = 0; i < 3; i++) transport.drained();
  assertEquals(transport.writes.map(toHex), ["01", "02", "03"]);
  responder.abort();
});

test("HttpResponder drops a peer that does not read", async () => {
  const { transport, responder, onClosed } = makeResponder(20);
  transport.takes = false;
  const written = responder.write(bytes);
  const started = performance.now();
  await written;
  assert(performance.now() - started > 10);
  assertEquals(transport.calls, ["resume", "abort"]);
  assertEquals(onClosed.count, 1);
  await responder.write(bytes);
  responder.finish();
  assertEquals(transport.writes.length, 1);
});

test("HttpResponder restarts the timeout whenever a slow peer reads a part", async () => {
  const { transport, responder } = makeResponder(300);
  transport.takes = false;
  responder.write(bytes);
  responder.finish();
  for (let i = 0; i < 12; i++) {
    await delay(30);
    transport.handler!.progress!();
  }
  assertEquals(transport.calls, ["resume"]);
  await responder.closed;
  assertEquals(transport.calls, ["resume", "abort"]);
});

test("HttpResponder drops a peer that does not end", async () => {
  const { transport, responder } = makeResponder(20);
  responder.write(bytes);
  responder.finish();
  await delay(60);
  assertEquals(transport.calls, ["resume", "shutdown", "abort"]);
});

test("HttpResponder has no timeout while the application writes slowly", async () => {
  const { transport, responder } = makeResponder(20);
  responder.write(bytes);
  await delay(60);
  assertEquals(transport.calls, ["resume"]);
  responder.abort();
  assertEquals(transport.calls, ["resume", "abort"]);
});

test("HttpResponder reports a lost connection once", async () => {
  const { transport, responder, onClosed } = makeResponder();
  transport.takes = false;
  const written = responder.write(bytes);
  transport.reportClose(new Error("reset"));
  await written;
  transport.handler!.close();
  assertEquals(onClosed.count, 1);
  assertEquals(responder.isClosed, true);
});

test("HttpResponder leaves no timer if the transport fails within a write", async () => {
  const timers = new TimerWatch();
  const transport = new FakeTransport();
  transport.write = () => {
    transport.reportClose(new Error("EPIPE"));
    return false;
  };
  const responder = new HttpResponder(transport, 60_000, () => {});
  responder.start();
  await deadline(responder.write(new Uint8Array(1)), 1000, "the write");
  responder.finish();
  await deadline(responder.closed, 1000, "the end");
  await timers.assertNone("the responder");
});
