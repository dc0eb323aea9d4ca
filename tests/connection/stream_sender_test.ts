import { StreamSender } from "../../src/connection/stream_sender.ts";
import type { StreamSenderTarget } from "../../src/connection/stream_sender.ts";
import type { FrameInit } from "../../src/protocol/frame.ts";
import type { Message } from "../../src/protocol/message.ts";
import { assert, assertEquals, assertRejects, assertThrows, test, toHex } from "../harness.ts";
import { turns } from "../support/open.ts";
import { manual, streamOf } from "../support/streams.ts";

/** A sender that writes down what it is to send. */
class FakeTarget implements StreamSenderTarget {
  readonly log: string[] = [];
  isOpen = true;
  ready: Promise<void> = Promise.resolve();

  sendMessage(message: Message): void {
    this.log.push(`message ${message}`);
  }

  sendFrame({ opcode, fin, payload }: FrameInit): void {
    this.log.push(`${opcode}${fin ? "" : "+"} ${toHex(payload!)}`);
  }

  giveUp(): void {
    this.log.push("give up");
  }

  onIdle(): void {
    this.log.push("idle");
  }
}

function makeStreamSender(closeTimeout = 10_000) {
  const target = new FakeTarget();
  return { target, streams: new StreamSender(target, closeTimeout) };
}

test("StreamSender sends a stream in fragments, and reports when it is idle", async () => {
  const { target, streams } = makeStreamSender();
  assertEquals(streams.isBusy, false);
  const sent = streams.sendStream(streamOf(["a", "bc"]));
  assertEquals(streams.isBusy, true);
  await sent;
  await turns();
  assertEquals(target.log, ["1+ 61", "0+ 62 63", "0 ", "idle"]);
  assertEquals(streams.isBusy, false);
});

test("StreamSender cuts a large chunk into frames of 64 KiB", async () => {
  const { target, streams } = makeStreamSender();
  await streams.sendStream(streamOf([new Uint8Array(150_000)]));
  const lengths = target.log.map((line) => (line.length - line.indexOf(" ")) / 3);
  assertEquals(lengths.slice(0, 4).map(Math.round), [65_536, 65_536, 18_928, 0]);
});

test("StreamSender keeps messages and further streams until the stream has ended", async () => {
  const { target, streams } = makeStreamSender();
  const { stream, controller } = manual();
  const bytes = new Uint8Array([1, 2]);
  const all = [
    streams.sendStream(stream),
    streams.sendMessage(bytes),
    streams.sendStream(streamOf(["z"])),
  ];
  bytes.fill(9); // It has been copied.
  assertEquals(streams.waitingBytes, 2);
  assert(streams.memoryUsage > 2);
  controller.enqueue("a");
  controller.close();
  await Promise.all(all);
  assertEquals(target.log.slice(0, 5), ["1+ 61", "0 ", "message 1,2", "1+ 7a", "0 "]);
  assertEquals([streams.waitingBytes, streams.memoryUsage], [0, 0]);
});

test("StreamSender waits for room in the send queue after each fragment", async () => {
  const { target, streams } = makeStreamSender();
  const { promise, resolve } = Promise.withResolvers<void>();
  target.ready = promise;
  const sent = streams.sendStream(streamOf(["a", "b"]));
  await turns();
  assertEquals(target.log, ["1+ 61"]);
  resolve();
  await sent;
  assertEquals(target.log.slice(0, 3), ["1+ 61", "0+ 62", "0 "]);
});

test("StreamSender gives the connection up for a stream that errors inside its message", async () => {
  const { target, streams } = makeStreamSender();
  const { stream, controller } = manual();
  const sent = streams.sendStream(stream);
  controller.enqueue("a");
  await turns();
  const error = new Error("broken");
  controller.error(error);
  assertEquals(await assertRejects(() => sent), error);
  assertEquals(target.log.slice(0, 2), ["1+ 61", "give up"]);
});

test("StreamSender gives nothing up for a stream that errors before its first chunk", async () => {
  const { target, streams } = makeStreamSender();
  const { stream, controller } = manual();
  const sent = streams.sendStream(stream);
  controller.error(new Error("broken"));
  await assertRejects(() => sent);
  await turns();
  assertEquals(target.log, ["idle"]);
});

test("StreamSender.finish closes after all that is to be sent", async () => {
  const { target, streams } = makeStreamSender();
  const { stream, controller } = manual();
  streams.sendStream(stream);
  streams.finish(() => void target.log.push("close"));
  streams.finish(() => void target.log.push("close again"));
  assertEquals([streams.isFinishing, target.log], [true, []]);
  controller.close();
  await turns();
  assertEquals(target.log, ["2 ", "close", "idle"]);
});

test("StreamSender.finish cancels a stream that sends nothing for closeTimeout", async () => {
  const { target, streams } = makeStreamSender(20);
  const { stream, state } = manual();
  const sent = streams.sendStream(stream);
  const { promise, resolve } = Promise.withResolvers<void>();
  streams.finish(resolve);
  await promise;
  await assertRejects(() => sent, DOMException);
  assert(state.cancelled instanceof DOMException);
  assertEquals(target.log.filter((line) => line !== "idle"), []);
});

test("StreamSender.abort rejects all that is to be sent, and cancels the stream", async () => {
  const { target, streams } = makeStreamSender();
  const { stream, state } = manual();
  const all = [streams.sendStream(stream), streams.sendMessage("b")];
  const gone = new Error("gone");
  streams.abort(gone);
  assertEquals(await assertRejects(() => all[0]!), gone);
  await assertRejects(() => all[1]!, DOMException);
  assertEquals(state.cancelled, gone);
  await turns();
  assertEquals(target.log, ["idle"]);
});

test("StreamSender refuses a stream that is locked", () => {
  const { streams } = makeStreamSender();
  const stream = streamOf(["a"]);
  stream.getReader();
  assertThrows(() => streams.sendStream(stream), TypeError);
  assertEquals(streams.isBusy, false);
});
