import type { CloseInfo } from "../../src/connection/close_info.ts";
import { ConnectionCore } from "../../src/connection/connection_core.ts";
import type { ConnectionSettings } from "../../src/connection/connection_settings.ts";
import { ConnectionCounters } from "../../src/connection/counters.ts";
import { resolveLimits } from "../../src/connection/limits.ts";
import type { Limits } from "../../src/connection/limits.ts";
import type { WritableTarget } from "../../src/connection/message_writable.ts";
import { ReadyState } from "../../src/connection/ready_state.ts";
import type { Message } from "../../src/protocol/message.ts";
import { timers } from "../../src/util/timers.ts";
import { assertEquals, assertRejects, delay, test } from "../harness.ts";
import { join } from "../support/bytes.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { frameWords, rawFrame, wholeFrames } from "../support/frames.ts";
import type { RawFrame } from "../support/frames.ts";
import { turns } from "../support/open.ts";
import { closeFrame, First, textFrame } from "../support/memory_peer.ts";

/** A server's core over a transport that goes nowhere, with a consumer that does as it is told. */
function makeCore(limits: Partial<Limits> = {}, hasConsumer = true) {
  const transport = new FakeTransport();
  const log: unknown[] = [];
  const consumer = {
    isFull: false,
    isIdle: true,
    mayReply: false,
    memoryUsage: 0,
    onMessage: () => {},
    message(message: Message) {
      log.push(message);
      consumer.onMessage();
      return !consumer.isFull;
    },
    onError: (error: unknown) => void log.push((error as { code: string }).code),
    onClose: ({ closeCode, wasClean }: CloseInfo) =>
      void log.push(`closed ${closeCode} ${wasClean}`),
  };
  const settings: ConnectionSettings<WritableTarget> = {
    role: "server",
    limits: resolveLimits(limits),
    timers,
    budget: undefined,
    counters: new ConnectionCounters(),
    overflow: "close",
    makeRequest: () => new Request("http://example.com/"),
    onError() {},
    onClosed: undefined,
  };
  const socket: WritableTarget = {
    send: (data) => core.sender.send(data as string),
    close: () => core.whenClosed,
  };
  const core: ConnectionCore<WritableTarget> = new ConnectionCore(socket, {
    settings,
    transport,
    agreements: [],
  });
  core.start({
    answer: new Uint8Array(0),
    early: new Uint8Array(0),
    consumer: hasConsumer ? consumer : undefined,
  });
  transport.calls.length = 0;
  const receive = (...frames: RawFrame[]) =>
    transport.handler!.data(join(...frames.map((frame) => rawFrame(frame, "server"))));
  const sent = () => wholeFrames(join(...transport.writes)).frames.map(frameWords);
  return { transport, consumer, log, core, receive, sent };
}

test("ConnectionCore handles the end of TCP after the messages before it", () => {
  const { transport, consumer, log, core, receive } = makeCore();
  consumer.isFull = true;
  receive(textFrame("one"), textFrame("two"));
  transport.handler!.end();
  assertEquals(log, ["one"]);
  consumer.isFull = false;
  core.onIdle();
  assertEquals(log, ["one", "two", "closed 1006 false"]);
});

test("ConnectionCore keeps what is received while reading is paused", () => {
  const { transport, consumer, log, core, receive } = makeCore();
  consumer.isFull = true;
  receive(textFrame("one"), textFrame("two"));
  receive(textFrame("three"));
  assertEquals(log, ["one"]);
  consumer.isFull = false;
  core.onIdle();
  assertEquals(log, ["one", "two", "three"]);
  assertEquals(transport.calls, ["pause", "resume"]);
  core.transport.abort();
});

test("ConnectionCore sends no waiting Pong after the peer's Close", () => {
  const { transport, consumer, core, receive, sent } = makeCore();
  transport.takes = false;
  core.sender.send("x".repeat(70_000)); // Above the mark.
  core.sender.flush();
  consumer.isIdle = false;
  consumer.mayReply = true;
  // RFC 6455 §5.5.2: a Pong is due "unless it already received a Close frame".
  receive({ first: First.Ping, payload: "?" }, closeFrame(1000));
  transport.takes = true;
  transport.drained();
  core.finish();
  assertEquals(sent().slice(1), ["close 1000"]);
  core.transport.abort();
});

test("ConnectionCore.finish answers a Close that waits, with its code", () => {
  const { consumer, core, receive, sent } = makeCore();
  consumer.isIdle = false;
  consumer.mayReply = true;
  receive(textFrame("one"), closeFrame(3001));
  assertEquals(sent(), []);
  core.finish();
  core.finish();
  assertEquals(sent(), ["close 3001"]);
  core.transport.abort();
});

test("ConnectionCore.finish begins to close if no Close has been received", () => {
  const { core, sent } = makeCore();
  core.finish();
  assertEquals(sent(), ["close 1000"]);
  assertEquals(core.isOpen, false);
  core.transport.abort();
  core.finish();
});

test("ConnectionCore reports no broken rule after it was aborted", () => {
  const { transport, consumer, log, core, receive } = makeCore();
  consumer.onMessage = () => core.transport.abort();
  receive(textFrame("one"), { first: 0x83 });
  receive(textFrame("two"));
  assertEquals(log, ["one", "closed 1006 false"]);
  assertEquals(transport.calls, ["abort"]);
  transport.handler!.close(new Error("again"));
  assertEquals(log.length, 2);
});

test("ConnectionCore reads on after a broken rule, to see the peer's end", () => {
  const { transport, log, core, receive, sent } = makeCore({ outgoingHighWaterMark: 1 });
  transport.takes = false;
  core.sender.send("busy");
  core.sender.flush();
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
  assertEquals(log, ["one", "ERR_RESERVED_OPCODE", "closed 1006 false"]);
});

test("ConnectionCore answers a Close at the end of the turn in which the consumer became idle", async () => {
  const { consumer, core, receive, sent } = makeCore();
  consumer.isIdle = false;
  consumer.mayReply = true;
  receive(textFrame("one"), closeFrame(1000));
  consumer.mayReply = false;
  core.onIdle();
  consumer.mayReply = true;
  await turns();
  assertEquals(sent(), []);
  consumer.mayReply = false;
  core.onIdle();
  await turns();
  assertEquals(sent(), ["close 1000"]);
  core.transport.abort();
});

test("ConnectionCore's end is not clean if our Close has not been written", async () => {
  const { transport, log, core, receive } = makeCore({ closeTimeout: 10 });
  transport.takes = false;
  core.sender.send("x");
  core.sender.flush();
  receive(closeFrame(1000));
  await delay(30);
  assertEquals(log, ["closed 1000 false"]);
});

test("ConnectionCore is Open, Closing while our Close is queued, and Closed", async () => {
  const { transport, log, core, receive } = makeCore();
  assertEquals([core.readyState, core.isOpen, core.isClosed], [ReadyState.Open, true, false]);
  core.startClose(new Uint8Array([0x03, 0xe8]));
  assertEquals([core.readyState, core.isOpen, core.isClosed], [ReadyState.Closing, false, false]);
  await assertRejects(() => core.sender.send("late"), DOMException);

  receive(textFrame("still"), closeFrame(1000));
  assertEquals(transport.calls, ["shutdown"]);
  transport.handler!.end();
  assertEquals([core.readyState, core.isOpen, core.isClosed], [ReadyState.Closed, false, true]);
  assertEquals(log, ["still", "closed 1000 true"]);
});

test("ConnectionCore.peerLost aborts without a Close frame", async () => {
  const { transport, log, core, sent } = makeCore();
  const error = Object.assign(new Error("silent"), { code: "ERR_PONG_TIMEOUT", closeCode: 1006 });
  core.peerLost(error as never);
  assertEquals(sent(), []);
  assertEquals(transport.calls, ["abort"]);
  assertEquals(log, ["ERR_PONG_TIMEOUT", "closed 1006 false"]);
  assertEquals((await core.whenClosed).error, error);
});

test("ConnectionCore makes its queue when a message or a reader needs it", async () => {
  const { core, receive } = makeCore({}, false);
  assertEquals(core.isIdle, true);
  receive(textFrame("one"));
  assertEquals(core.isIdle, false);
  assertEquals(await core.readers.queue.next(), { done: false, value: "one" });
  const next = core.readers.queue.next();
  core.transport.abort();
  assertEquals(await next, { done: true, value: undefined });
});

test("ConnectionCore.messageStreams takes over the messages of the queue", async () => {
  const { core, receive } = makeCore({}, false);
  receive(textFrame("one"), textFrame("two"));
  const streams = core.messageStreams();
  assertEquals(core.messageStreams() === streams, true);
  for (const text of ["one", "two"]) {
    const { value } = await streams.next();
    assertEquals(
      await new Response(value!.readable.pipeThrough(new TextEncoderStream() as never)).text(),
      text,
    );
  }
  core.transport.abort();
  assertEquals((await streams.next()).done, true);
});

test("ConnectionCore pauses the transport for a full send queue, and resumes it", () => {
  const { transport, log, core, receive } = makeCore({ outgoingHighWaterMark: 10 });
  transport.takes = false;
  core.sender.send("a long message");
  core.sender.flush();
  receive(textFrame("one"));
  assertEquals([log, transport.calls], [["one"], ["pause"]]);
  transport.takes = true;
  transport.drained();
  assertEquals(transport.calls, ["pause", "resume"]);
  core.transport.abort();
});

test("ConnectionCore fails over maxConnectionMemory with the code of the largest part", () => {
  const { transport, log, core, sent } = makeCore({ maxConnectionMemory: 100_000 });
  transport.takes = false;
  core.sender.send(new Uint8Array(60_000));
  core.sender.flush();
  core.sender.send(new Uint8Array(60_000));
  transport.takes = true;
  transport.drained();
  assertEquals(sent().at(-1), "close 1013");
  assertEquals(log, ["ERR_CONNECTION_MEMORY"]);
  core.transport.abort();
});
