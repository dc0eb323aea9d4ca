import { HandshakeError } from "../../src/http/errors.ts";
import { RefusalResponder } from "../../src/server/refusal_responder.ts";
import { Timers } from "../../src/util/timers.ts";
import { assert, assertEquals, onTestEnd, test } from "../harness.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeTransport } from "../support/fake_transport.ts";

const error = new HandshakeError("full", { code: "ERR_FULL", status: 503, retryAfter: 5 });

/** Makes a responder, and logs its events. */
function makeResponder() {
  const log: string[] = [];
  const clock = new FakeClock();
  const responder = new RefusalResponder(
    60_000,
    {
      responding: () => log.push("responding"),
      closed: () => log.push("closed"),
      refused: ({ code }) => log.push(code),
    },
    undefined,
    new Timers(clock),
  );
  const refuse = () => {
    const transport = new FakeTransport();
    onTestEnd(() => transport.reportClose());
    responder.refuse(transport, error);
    return transport;
  };
  return { log, clock, refuse };
}

test("RefusalResponder answers without reading, and waits for the peer to leave", () => {
  const { log, refuse } = makeResponder();
  const transport = refuse();
  assert(new TextDecoder().decode(transport.writes[0]).startsWith("HTTP/1.1 503 "));
  assertEquals(transport.calls, ["resume", "shutdown"]);
  transport.handler!.data(new Uint8Array(10));
  transport.handler!.end();
  assertEquals(transport.calls, ["resume", "shutdown", "close"]);
  assertEquals(log, ["ERR_FULL", "responding", "closed"]);
});

test("RefusalResponder drops connections over 64, until one of these is closed", () => {
  const { log, refuse } = makeResponder();
  const answered = Array.from({ length: 64 }, refuse);
  assert(answered.every(({ writes }) => writes.length === 1));
  for (let i = 0; i < 100; i++) {
    const dropped = refuse();
    assertEquals([dropped.writes.length, dropped.calls], [0, ["abort"]]);
  }
  answered[7].reportClose();
  assertEquals(refuse().writes.length, 1);
  assertEquals(refuse().calls, ["abort"]);
  assertEquals(log.filter((entry) => entry === "ERR_FULL").length, 1, "reported once a second");
});

test("RefusalResponder reports once a second", () => {
  const { log, clock, refuse } = makeResponder();
  const reports = (ms: number) => {
    clock.advance(ms);
    refuse();
    return log.filter((entry) => entry === "ERR_FULL").length;
  };
  assertEquals([0, 999, 1, 500, 499, 1].map(reports), [1, 1, 2, 2, 2, 3]);
});

test("RefusalResponder drops a peer that does not leave in time", () => {
  const { clock, refuse } = makeResponder();
  const transport = refuse();
  clock.advance(59_000);
  assertEquals(transport.calls, ["resume", "shutdown"]);
  clock.advance(4000);
  assertEquals(transport.calls, ["resume", "shutdown", "abort"]);
});
