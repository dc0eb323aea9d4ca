import type { HandshakeError } from "../../src/http/errors.ts";
import type { RequestHead } from "../../src/http/request_head_parser.ts";
import { RequestReader } from "../../src/server/request_reader.ts";
import { resolveLimits } from "../../src/connection/limits.ts";
import type { Limits } from "../../src/connection/limits.ts";
import { assertEquals, delay, test } from "../harness.ts";
import { latin1 as bytes } from "../support/bytes.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { upgradeRequest } from "../support/http.ts";

/** Makes a reader over a fake transport, and logs the calls of its handler. */
function makeReader(limits: Partial<Limits> = {}) {
  const transport = new FakeTransport();
  const log: string[] = [];
  const reader = new RequestReader(transport, resolveLimits(limits), {
    head: (head: RequestHead) => log.push(`head ${head.target}`),
    refuse: (error: HandshakeError) => log.push(`refuse ${error.status}`),
    closed: (error) => log.push(`closed ${error}`),
  });
  return { transport, reader, log, handler: transport.handler! };
}

test("RequestReader reads the head, pauses, and keeps the data after it", () => {
  const { transport, reader, log, handler } = makeReader();
  const request = bytes(upgradeRequest());
  handler.data(request.slice(0, 30));
  assertEquals([log, transport.calls], [[], []]);
  const chunk = bytes(upgradeRequest().slice(30) + "one");
  handler.data(chunk);
  chunk.fill(0); // As a transport does that reuses its chunks.
  assertEquals([log, transport.calls], [["head /chat"], ["pause"]]);
  // A transport may deliver a chunk whose read began before the pause.
  handler.data(bytes(" two"));
  handler.drain();
  assertEquals(reader.early, bytes("one two"));
  assertEquals(reader.isDone, false);
  reader.finish();
  assertEquals(reader.isDone, true);
});

test("RequestReader ignores data after release()", () => {
  const { reader, log, handler } = makeReader();
  handler.data(bytes(upgradeRequest() + "early"));
  reader.finish();
  reader.release();
  assertEquals(reader.early, bytes(""));
  handler.data(bytes("\0"));
  handler.end();
  assertEquals(log, ["head /chat"]);
});

test("RequestReader calls nothing after finish()", async () => {
  const { transport, reader, log, handler } = makeReader({ handshakeTimeout: 10 });
  reader.finish();
  handler.data(bytes("\0"));
  handler.end();
  handler.close();
  await delay(20);
  assertEquals([log, transport.calls], [[], []]);
});

test("RequestReader refuses a malformed head, once", () => {
  const { log, handler } = makeReader();
  handler.data(bytes("\0"));
  handler.data(bytes("\0"));
  assertEquals(log, ["refuse 400"]);
});

test("RequestReader refuses a head that is late with 408, a decision with 503", async () => {
  for (const [sent, status] of [["GET /", 408], [upgradeRequest(), 503]] as const) {
    const { log, handler } = makeReader({ handshakeTimeout: 10 });
    handler.data(bytes(sent));
    await delay(30);
    assertEquals(log.at(-1), `refuse ${status}`);
  }
});

test("RequestReader reports a closed connection", () => {
  const { transport, log, handler } = makeReader();
  handler.end();
  assertEquals(transport.calls, ["close"]);
  assertEquals(log, ["closed undefined"]);
  const lost = makeReader();
  lost.transport.gone(new Error("reset"));
  assertEquals(lost.log, ["closed Error: reset"]);
});
