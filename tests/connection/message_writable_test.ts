import { handled } from "../../src/util/promises.ts";
import { assert, assertEquals, assertRejects, deadline, onTestEnd, test } from "../harness.ts";
import { block } from "../support/block.ts";
import { closeFrame } from "../support/memory_peer.ts";
import { open, turns } from "../support/open.ts";
import { manual, streamOf } from "../support/streams.ts";
import { setTurnBudget } from "../support/turn_budget.ts";

for (const overflow of ["reject", "close"] as const) {
  test(`a pipe to writable waits for room, and loses nothing, with overflow: "${overflow}"`, async () => {
    const { socket, peer } = open({
      overflow,
      memory: { capacity: 1000 },
      limits: { maxBufferedAmount: 1000 },
    });
    peer.readSlowly(1000);
    const chunks = Array.from({ length: 300 }, (_, i) => new Uint8Array(100).fill(i));
    const piping = handled(streamOf(chunks).pipeTo(socket.writable));
    await peer.received(301);
    assertEquals(peer.words.at(-1), "close 1000");
    assertEquals(
      peer.frames.slice(0, 300).map(({ payload }) => payload[0]),
      chunks.map(([i]) => i),
    );
    peer.send(closeFrame(1000));
    await peer.end();
    await deadline(piping, 1000, "the pipe");
  });
}

test("writable rejects a write that send() rejects, and the connection stays open", async () => {
  const { socket } = open({ overflow: "reject", limits: { maxBufferedAmount: 1000 } });
  const writer = socket.writable.getWriter();
  writer.closed.catch(() => {});
  const error = await assertRejects(() => writer.write(new Uint8Array(1001)), DOMException);
  assertEquals([error.name, socket.readyState], ["QuotaExceededError", 1]);
});

test("a write that waits for room rejects when the connection is closed", async () => {
  const { socket, peer } = open({
    memory: { capacity: 100 },
    limits: { maxBufferedAmount: 1000 },
  });
  peer.transport.pause();
  const writer = socket.writable.getWriter();
  writer.closed.catch(() => {});
  const writes = [0, 1, 2].map(() => writer.write(new Uint8Array(600)));
  await turns();
  assertEquals(socket.bufferedAmount, 604);
  socket.abort();
  await writes[0];
  await assertRejects(() => writes[1]!, DOMException);
  await assertRejects(() => writes[2]!, DOMException);
});

test("a write waits for the stream that is being sent when its message has no room behind it", async () => {
  const { socket, peer } = open({ limits: { maxBufferedAmount: 1000 } });
  const { stream, controller } = manual();
  const streamed = socket.send(stream);
  const writer = socket.writable.getWriter();
  writer.closed.catch(() => {});
  const writes = [1, 2].map((i) => writer.write(new Uint8Array(600).fill(i)));
  controller.enqueue("a");
  await peer.received(1);
  assertEquals(socket.readyState, 1);
  controller.close();
  await streamed;
  await Promise.all(writes);
  assertEquals((await peer.received(4)).map((word) => word.slice(0, 9)), [
    "text+ a",
    "continuat",
    "binary 01",
    "binary 02",
  ]);
});

for (const way of ["writer.close()", "pipeTo()"] as const) {
  test(`${way} rejects when the connection is lost with data unsent`, async () => {
    const { socket, peer } = open({ memory: { capacity: 100 } });
    peer.transport.pause();
    let closed: Promise<void>;
    if (way === "pipeTo()") {
      closed = handled(streamOf([new Uint8Array(1000)]).pipeTo(socket.writable));
    } else {
      const writer = socket.writable.getWriter();
      writer.closed.catch(() => {});
      writer.write(new Uint8Array(1000));
      closed = handled(writer.close());
    }
    await turns();
    const reset = new Error("Connection reset by peer");
    peer.transport.reset();
    const error = await assertRejects(() => deadline(closed, 1000, "the end"));
    assertEquals((error as Error).message, reset.message);
    assertEquals((await socket.closed).wasClean, false);
  });
}

test("a pipe from a source that is always ready lets others have their turn, and sends all before its end", async () => {
  setTurnBudget(1);
  const { socket, peer } = open();
  let left = 2000;
  const source = new ReadableStream<string>({
    pull(controller) {
      block(0.2);
      if (left-- > 0) controller.enqueue("a");
      else controller.close();
    },
  });
  let ticks = 0;
  const interval = setInterval(() => ticks++, 1);
  onTestEnd(() => clearInterval(interval));
  const piping = handled(source.pipeTo(socket.writable));
  await peer.received(2001);
  assertEquals(peer.words.at(-1), "close 1000");
  assert(ticks > 1, "a timer has had its turn meanwhile");
  peer.send(closeFrame(1000));
  await peer.end();
  await deadline(piping, 1000, "the pipe");
});
