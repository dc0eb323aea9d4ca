import { httpExchange } from "../../src/client/http_exchange.ts";
import { resolveLimits } from "../../src/connection/limits.ts";
import { Timers } from "../../src/util/timers.ts";
import { assertEquals, assertRejects, test } from "../harness.ts";
import { latin1 } from "../support/bytes.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FakeTransport } from "../support/fake_transport.ts";

/** Sends a request whose response must be 200. */
function exchange() {
  const clock = new FakeClock();
  const transport = new FakeTransport();
  const result = httpExchange(transport, {
    request: latin1("GET / HTTP/1.1\r\n\r\n"),
    limits: resolveLimits({}),
    timers: new Timers(clock),
    signal: new AbortController().signal,
    peer: "The server",
    isWanted: (status) => status === 200,
    take: (head, early) => `${head.status} ${early.length}`,
    refuse: (head, body) => new Error(`${head.status} ${new TextDecoder().decode(body)}`),
  });
  return { clock, transport, result };
}

test("httpExchange resolves to the result of take()", async () => {
  const { clock, transport, result } = exchange();
  transport.handler!.data(latin1("HTTP/1.1 200 OK\r\n\r\nabc"));
  assertEquals(await result, "200 3");
  assertEquals([clock.pending.size, transport.calls.includes("abort")], [0, false]);
});

test("httpExchange waits 200 ms for the body of a refusal, by its timers", async () => {
  const { clock, transport, result } = exchange();
  let isSettled = false;
  const error = assertRejects(() => result.finally(() => isSettled = true), Error, "503 busy");
  transport.handler!.data(latin1("HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nbusy"));
  clock.advance(190);
  await Promise.resolve();
  assertEquals([isSettled, transport.calls.includes("close")], [false, false]);
  clock.advance(30);
  await error;
  assertEquals([clock.pending.size, transport.calls.includes("close")], [0, true]);
});

test("httpExchange does not wait when the body of a refusal is complete", async () => {
  const { clock, transport, result } = exchange();
  const error = assertRejects(() => result, Error, "503 busy");
  transport.handler!.data(latin1("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"));
  await error;
  assertEquals([clock.pending.size, transport.calls.includes("close")], [0, true]);
});
