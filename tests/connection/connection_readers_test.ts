import type { CloseInfo } from "../../src/connection/close_info.ts";
import { ConnectionReaders } from "../../src/connection/connection_readers.ts";
import type { ReadersCore } from "../../src/connection/connection_readers.ts";
import { resolveLimits } from "../../src/connection/limits.ts";
import { Timers } from "../../src/util/timers.ts";
import { assert, assertEquals, test } from "../harness.ts";
import { FakeClock } from "../support/fake_clock.ts";

const CLOSED: CloseInfo = { closeCode: 1000, reason: "", wasClean: true };

/** A connection with readers, which counts how often it is idle. */
class FakeCore implements ReadersCore {
  readonly transport = { lendsChunks: false };
  readonly clock = new FakeClock();
  readonly settings = {
    limits: resolveLimits({ incomingMaxMessages: 2, incomingHighWaterMark: 1000 }),
    timers: new Timers(this.clock),
  };
  isOpen = true;
  isClosing = false;
  mayReply = false;
  closeInfo: CloseInfo | undefined;
  whenClosed: Promise<CloseInfo> = Promise.resolve(CLOSED);
  idles = 0;
  readonly readers = new ConnectionReaders(this);

  onIdle(): void {
    this.idles++;
  }

  finish(): void {}
}

test("ConnectionReaders makes each way to read once, and the queue ends with the connection", async () => {
  const { readers } = new FakeCore();
  assert(readers.queue === readers.queue);
  assert(readers.readable === readers.readable);
  const next = readers.queue.next();
  readers.onClose(CLOSED);
  assertEquals((await next).done, true);
  assertEquals((await readers.readable.getReader().read()).done, true);
});

test("ConnectionReaders that are made after the end have ended", async () => {
  const core = new FakeCore();
  core.closeInfo = CLOSED;
  assertEquals((await core.readers.queue.next()).done, true);
  assertEquals((await core.readers.streams.next()).done, true);
});

test("ConnectionReaders.streams takes over the messages of the queue", async () => {
  const { readers } = new FakeCore();
  readers.queue.push("one");
  readers.queue.push("two");
  assert(readers.memoryUsage > 0);
  for (const text of ["one", "two"]) {
    const { value } = await readers.streams.next();
    assertEquals(await Array.fromAsync(value!.readable as ReadableStream<string>), [text]);
  }
  assertEquals(readers.queue.length, 0);
});

test("ConnectionReaders gives a full queue more room when nothing has been read for 250 ms", () => {
  const core = new FakeCore();
  const { readers } = core;
  readers.queue.push("one");
  readers.queue.push("two");
  assertEquals(readers.queue.isFull, true);
  readers.onFull();
  core.clock.advance(150);
  readers.onFull(); // Begins no wait anew.
  assertEquals([readers.queue.isFull, core.idles], [true, 0]);
  core.clock.advance(150);
  assertEquals([readers.queue.isFull, core.idles], [false, 1]);
  for (let i = 0; !readers.queue.isFull; i++) {
    assert(i < 10, "the room has an end");
    readers.queue.push("more");
  }
  assertEquals(readers.queue.poll(), "one");
  readers.queue.poll();
  assertEquals(readers.queue.isFull, true, "as before, once it is read");
});

for (const reason of ["a loop processes a message", "our Close is sent", "it is closed"] as const) {
  test(`ConnectionReaders gives a full queue no more room when ${reason}`, () => {
    const core = new FakeCore();
    const { readers } = core;
    readers.queue.push("one");
    readers.queue.push("two");
    readers.onFull();
    if (reason === "a loop processes a message") core.mayReply = true;
    else if (reason === "our Close is sent") core.isOpen = false;
    else readers.onClose(CLOSED);
    core.clock.advance(1000);
    readers.onFull();
    assertEquals([readers.queue.isFull, core.idles], [true, 0]);
    readers.stopTimer();
  });
}
