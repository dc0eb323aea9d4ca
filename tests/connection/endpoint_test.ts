import { Endpoint } from "../../src/connection/endpoint.ts";
import type { CloseInfo } from "../../src/connection/close_info.ts";
import { resolveLimits } from "../../src/connection/limits.ts";
import type { Limits } from "../../src/connection/limits.ts";
import type { Message } from "../../src/protocol/message.ts";
import { timers } from "../../src/util/timers.ts";
import { assertEquals, delay, test } from "../harness.ts";
import { join } from "../support/bytes.ts";
import { frameWords, rawFrame, wholeFrames } from "../support/frames.ts";
import type { RawFrame } from "../support/frames.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { turns } from "../support/open.ts";
import { closeFrame, First, textFrame } from "../support/memory_peer.ts";

/** A server's Endpoint over a transport that goes nowhere, and an owner that does as it's told. */
function makeEndpoint(limits: Partial<Limits> = {}) {
  const transport = new FakeTransport();
  const owner = {
    isFull: false,
    isSettled: true,
    heldBytes: 0,
    queuedBytes: 0,
    log: [] as unknown[],
    onMessage: () => {},
    message(message: Message) {
      owner.log.push(message);
      owner.onMessage();
      return !owner.isFull;
    },
    part: () => true,
    cut() {},
    drain: () => {},
    failed: (error: unknown) => owner.log.push((error as { code: string }).code),
    closed: ({ closeCode, wasClean }: CloseInfo) =>
      owner.log.push(`closed ${closeCode} ${wasClean}`),
  };
  const endpoint = new Endpoint(
    { role: "server", limits: resolveLimits(limits), timers, budget: undefined },
    transport,
    owner,
  );
  endpoint.start(new Uint8Array(0), new Uint8Array(0), () => {});
  transport.calls.length = 0;
  const receive = (...frames: RawFrame[]) =>
    transport.handler!.data(join(...frames.map((frame) => rawFrame(frame, "server"))));
  const sent = () => wholeFrames(join(...transport.writes)).frames.map(frameWords);
  return { transport, owner, endpoint, receive, sent };
}

test("Endpoint holds an end back that comes while messages wait", () => {
  const { transport, owner, endpoint, receive } = makeEndpoint();
  owner.isFull = true;
  receive(textFrame("one"), textFrame("two"));
  transport.handler!.end();
  assertEquals(owner.log, ["one"]);
  owner.isFull = false;
  endpoint.wanted();
  assertEquals(owner.log, ["one", "two", "closed 1006 false"]);
});

test("Endpoint keeps what comes while it's paused", () => {
  const { transport, owner, endpoint, receive } = makeEndpoint();
  owner.isFull = true;
  receive(textFrame("one"), textFrame("two"));
  receive(textFrame("three"));
  assertEquals(owner.log, ["one"]);
  owner.isFull = false;
  endpoint.wanted();
  assertEquals(owner.log, ["one", "two", "three"]);
  assertEquals(transport.calls, ["pause", "resume"]);
  endpoint.abort();
});

test("Endpoint sends no Pong that waited until after the peer's Close", () => {
  const { transport, owner, endpoint, receive, sent } = makeEndpoint();
  transport.takes = false;
  endpoint.outgoing.send("x".repeat(70_000)); // Above the mark.
  endpoint.outgoing.flush();
  owner.isSettled = false;
  // RFC 6455 §5.5.2: a Pong is due "unless it already received a Close frame".
  receive({ first: First.Ping, payload: "?" }, closeFrame(1000));
  transport.takes = true;
  transport.drained();
  endpoint.finish();
  assertEquals(sent().slice(1), ["close 1000"]);
  endpoint.abort();
});

test("Endpoint.finish answers a Close that waits, with its code", () => {
  const { owner, endpoint, receive, sent } = makeEndpoint();
  owner.isSettled = false;
  receive(textFrame("one"), closeFrame(3001));
  assertEquals(sent(), []);
  endpoint.finish();
  endpoint.finish();
  assertEquals(sent(), ["close 3001"]);
  endpoint.abort();
});

test("Endpoint.finish begins to close where no Close has come", () => {
  const { endpoint, sent } = makeEndpoint();
  endpoint.finish();
  assertEquals(sent(), ["close 1000"]);
  assertEquals(endpoint.isOpen, false);
  endpoint.abort();
  endpoint.finish();
});

test("Endpoint tells of no broken rule once it has been dropped", () => {
  const { transport, owner, endpoint, receive } = makeEndpoint();
  owner.onMessage = () => endpoint.abort();
  receive(textFrame("one"), { first: 0x83 });
  receive(textFrame("two"));
  assertEquals(owner.log, ["one", "closed 1006 false"]);
  assertEquals(transport.calls, ["abort"]);
  transport.handler!.close(new Error("again"));
  assertEquals(owner.log.length, 2);
});

test("Endpoint reads on after a broken rule, to see the peer's end", () => {
  const { transport, owner, endpoint, receive, sent } = makeEndpoint({ outgoingHighWaterMark: 1 });
  transport.takes = false;
  endpoint.outgoing.send("busy");
  endpoint.outgoing.flush();
  receive(textFrame("one"));
  assertEquals(transport.calls, ["pause"]);
  // A transport may hand on a chunk that was being read.
  receive({ first: 0x83 });
  assertEquals(transport.calls, ["pause", "resume"]);
  transport.takes = true;
  transport.drained();
  assertEquals(sent(), ["text busy", "close 1002"]);
  assertEquals(transport.calls, ["pause", "resume", "shutdown"]);
  transport.handler!.end();
  assertEquals(transport.calls.at(-1), "close");
  assertEquals(owner.log, ["one", "ERR_RESERVED_OPCODE", "closed 1006 false"]);
});

test("Endpoint answers a Close at the end of the turn that settles it, if it is still settled", async () => {
  const { owner, endpoint, receive, sent } = makeEndpoint();
  owner.isSettled = false;
  receive(textFrame("one"), closeFrame(1000));
  owner.isSettled = true;
  endpoint.wanted();
  owner.isSettled = false;
  await turns();
  assertEquals(sent(), []);
  owner.isSettled = true;
  endpoint.wanted();
  await turns();
  assertEquals(sent(), ["close 1000"]);
  endpoint.abort();
});

test("Endpoint's end is not clean where our Close has not left", async () => {
  const { transport, owner, endpoint, receive } = makeEndpoint({ closeTimeout: 10 });
  transport.takes = false;
  endpoint.outgoing.send("x");
  endpoint.outgoing.flush();
  receive(closeFrame(1000));
  await delay(30);
  assertEquals(owner.log, ["closed 1000 false"]);
});
