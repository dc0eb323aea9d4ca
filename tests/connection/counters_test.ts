import { broadcast } from "../../src/connection/broadcast.ts";
import { ConnectionCounters, Tally } from "../../src/connection/counters.ts";
import { assertEquals, test } from "../harness.ts";
import { open, turns } from "../support/open.ts";
import type { OpenOptions } from "../support/open.ts";
import { closeFrame, First, textFrame } from "../support/memory_peer.ts";

test("Tally counts by key, and further keys than 64 together", () => {
  const tally = new Tally();
  for (let code = 3000; code < 5000; code++) tally.add(code);
  tally.add(3000);
  const record = tally.toRecord();
  assertEquals(tally.total, 2001);
  assertEquals(Object.keys(record).length, 65);
  assertEquals([record["3000"], record["3063"], record["3064"]], [2, 1, undefined]);
  assertEquals(record["other"], 2000 - 64);
});

test("ConnectionCounters sort round trips into buckets, with their sum", () => {
  const counters = new ConnectionCounters();
  const heard: number[] = [];
  counters.roundTripListeners.add((ms) => heard.push(ms));
  for (const ms of [0, 1, 1.1, 10_000, 10_001]) counters.answered(ms);
  const { count, sum, counts, bounds } = counters.roundTrips;
  assertEquals([count, sum, bounds.length, counts.length], [5, 20_003.1, 13, 14]);
  assertEquals([counts[0], counts[1], counts[12], counts[13]], [2, 1, 1, 1]);
  assertEquals(heard, [0, 1, 1.1, 10_000, 10_001]);
});

const receivers: [what: string, options: OpenOptions, read: "loop" | "streams" | "callbacks"][] = [
  ["callbacks", { handler: { message() {} } }, "callbacks"],
  ["a loop", {}, "loop"],
  ["streams", {}, "streams"],
];
for (const [what, options, read] of receivers) {
  test(`messagesReceived counts whole and fragmented messages that go to ${what}`, async () => {
    const counters = new ConnectionCounters();
    const { socket, peer } = open({ ...options, counters });
    const reading = (async () => {
      if (read === "loop") { for await (const _ of socket); }
      if (read === "streams") {
        for await (const { readable } of socket.messageStreams()) {
          await (readable as ReadableStream<unknown>).pipeTo(new WritableStream()).catch(() => {});
        }
      }
    })();
    await turns();
    peer.send(textFrame("whole"), { first: First.Binary, payload: "x".repeat(70_000) });
    peer.send({ first: First.TextStart, payload: "in" }, { first: First.Ping });
    peer.send({ first: First.Continuation, payload: "" }, { first: First.ContinuationEnd });
    peer.send({ first: First.TextStart, payload: "never ends" }, closeFrame(1000));
    await peer.closeBack();
    await socket.closed;
    await reading;
    assertEquals([counters.messagesReceived, counters.pingsReceived], [3, 1]);
  });
}

test("messagesSent counts messages, streams, broadcasts, and what waits behind a stream", async () => {
  const counters = new ConnectionCounters();
  const { socket, peer } = open({ counters });
  socket.send("one");
  broadcast([socket] as never, "two");
  const { readable, writable } = new TransformStream<string, string>();
  const writer = writable.getWriter();
  const sent = socket.send(readable);
  socket.send("behind the stream");
  await writer.write("three, ");
  await turns();
  assertEquals(counters.messagesSent, 2);
  await writer.write("in fragments");
  await writer.close();
  await sent;
  await turns();
  assertEquals(counters.messagesSent, 4);
  socket.ping();
  await turns();
  assertEquals([counters.messagesSent, counters.pingsSent], [4, 1]);
  assertEquals(peer.words.length, 7);
});

test("overflows counts the messages that were not sent", () => {
  const counters = new ConnectionCounters();
  const limits = { maxBufferedAmount: 100 };
  const { socket, peer } = open({ counters, overflow: "reject", limits });
  peer.transport.pause();
  for (const size of [101, 50, 60, 20]) socket.send("x".repeat(size));
  broadcast([socket] as never, "x".repeat(90));
  assertEquals([counters.messagesSent, counters.overflows], [2, 3]);
});
