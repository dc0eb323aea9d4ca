import type { HandshakeError } from "../../src/http/errors.ts";
import type { RequestHead } from "../../src/http/request_head_parser.ts";
import { RequestReader } from "../../src/server/request_reader.ts";
import { resolveLimits } from "../../src/protocol/limits.ts";
import type { Limits } from "../../src/protocol/limits.ts";
import { assertEquals, delay, test } from "../harness.ts";
import { latin1 as bytes } from "../support/bytes.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { upgradeRequest } from "../support/http.ts";

/** An RequestReader over a transport that goes nowhere, and what its owner was told. */
function makeOpening(limits: Partial<Limits> = {}) {
  const transport = new FakeTransport();
  const log: string[] = [];
  const opening = new RequestReader(transport, resolveLimits(limits), {
    head: (head: RequestHead) => log.push(`head ${head.target}`),
    refuse: (error: HandshakeError) => log.push(`refuse ${error.status}`),
    left: (error) => log.push(`left ${error}`),
  });
  return { transport, opening, log, handler: transport.handler! };
}

test("RequestReader reads the head, pauses, and keeps what comes after it", () => {
  const { transport, opening, log, handler } = makeOpening();
  const request = bytes(upgradeRequest());
  handler.data(request.slice(0, 30));
  assertEquals([log, transport.calls], [[], []]);
  const chunk = bytes(upgradeRequest().slice(30) + "one");
  handler.data(chunk);
  chunk.fill(0); // It may have been lent.
  assertEquals([log, transport.calls], [["head /chat"], ["pause"]]);
  // A transport may hand on a chunk that was being read.
  handler.data(bytes(" two"));
  handler.drain();
  assertEquals(opening.early, bytes("one two"));
  assertEquals(opening.isDone, false);
  opening.done();
  assertEquals(opening.isDone, true);
});

test("RequestReader that forgets the request goes on as one that is done", () => {
  const { opening, log, handler } = makeOpening();
  handler.data(bytes(upgradeRequest() + "early"));
  opening.done();
  opening.forget();
  assertEquals(opening.early, bytes(""));
  handler.data(bytes("\0"));
  handler.end();
  assertEquals(log, ["head /chat"]);
});

test("RequestReader that is done tells of nothing more", async () => {
  const { transport, opening, log, handler } = makeOpening({ handshakeTimeout: 10 });
  opening.done();
  handler.data(bytes("\0"));
  handler.end();
  handler.close();
  await delay(20);
  assertEquals([log, transport.calls], [[], []]);
});

test("RequestReader refuses a malformed head, once", () => {
  const { log, handler } = makeOpening();
  handler.data(bytes("\0"));
  handler.data(bytes("\0"));
  assertEquals(log, ["refuse 400"]);
});

test("RequestReader refuses a head that is late with 408, a decision with 503", async () => {
  for (const [sent, status] of [["GET /", 408], [upgradeRequest(), 503]] as const) {
    const { log, handler } = makeOpening({ handshakeTimeout: 10 });
    handler.data(bytes(sent));
    await delay(30);
    assertEquals(log.at(-1), `refuse ${status}`);
  }
});

test("RequestReader tells of a peer that leaves", () => {
  const { transport, log, handler } = makeOpening();
  handler.end();
  assertEquals(transport.calls, ["close"]);
  assertEquals(log, ["left undefined"]);
  const lost = makeOpening();
  lost.transport.gone(new Error("reset"));
  assertEquals(lost.log, ["left Error: reset"]);
});
