import { resolveLimits } from "../../src/connection/limits.ts";
import { StreamSender } from "../../src/connection/stream_sender.ts";
import type { StreamSenderTarget } from "../../src/connection/stream_sender.ts";
import type { FrameInit } from "../../src/protocol/frame.ts";
import type { Message } from "../../src/protocol/message.ts";
import { timers } from "../../src/util/timers.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
  eventually,
  run,
  test,
  toHex,
} from "../harness.ts";
import { turns } from "../support/open.ts";
import { scriptCommand } from "../support/script.ts";
import { manual, streamOf } from "../support/streams.ts";

/** A sender that writes down what it is to send. */
class FakeTarget implements StreamSenderTarget {
  readonly log: string[] = [];
  isOpen = true;
  queueReady: Promise<void> = Promise.resolve();

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
  const settings = { limits: resolveLimits({ closeTimeout }), timers };
  return { target, streams: new StreamSender(target, settings) };
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

test("StreamSender gathers small chunks that follow each other into fragments of 4 KiB", async () => {
  for (const [chunk, bytes] of [["\u20ac".repeat(30), 90], [new Uint8Array(90), 90]] as const) {
    const { target, streams } = makeStreamSender();
    await streams.sendStream(streamOf(Array<string | Uint8Array>(8000).fill(chunk)));
    const frames = target.log.filter((line) => line !== "idle");
    const sizes = frames.map((line) => (line.length - line.indexOf(" ")) / 3);
    const total = sizes.reduce((sum, size) => sum + Math.round(size), 0);
    assertEquals(total, 8000 * bytes);
    // 32 of one chunk, 176 of 4 KiB, and some more on a slow machine.
    assert(sizes.length < 1024, `${sizes.length} fragments`);
    assertEquals(frames.filter((line) => !/^[012]\+ /.test(line)).length, 1, "one end");
  }
});

/** The chunks that a stream sends by themselves, before small ones are gathered. */
const first = Array.from({ length: 32 }, () => new Uint8Array([1]));

test("StreamSender sends a small chunk within milliseconds if no other follows", async () => {
  const { target, streams } = makeStreamSender();
  const { stream, controller } = manual();
  const sent = streams.sendStream(stream);
  for (const chunk of [...first, new Uint8Array([2]), new Uint8Array([3])]) {
    controller.enqueue(chunk);
  }
  await eventually(() => target.log.at(-1)?.endsWith("03") === true, 5000, "the last chunk");
  assertEquals(target.log.slice(0, 32), ["2+ 01", ...Array<string>(31).fill("0+ 01")]);
  controller.close();
  await sent;
  assertEquals(target.log.filter((line) => line.startsWith("0 ")), ["0 "]);
});

test("StreamSender sends gathered bytes before a large chunk, and with the last fragment", async () => {
  const { target, streams } = makeStreamSender();
  const large = new Uint8Array(5000).fill(7);
  const small = (value: number) => new Uint8Array(10).fill(value);
  await streams.sendStream(
    streamOf([...first, small(2), small(3), large, small(4), large, small(5)]),
  );
  await turns();
  assertEquals(target.log.at(-1), "idle");
  const bytes = target.log.slice(0, -1).flatMap((line) => line.split(" ").slice(1));
  const runs = bytes.join("").replaceAll(/(..)\1*/g, (run, byte) => `${byte}x${run.length / 2} `);
  assertEquals(runs, "01x32 02x10 03x10 07x5000 04x10 07x5000 05x10 ");
});

test("StreamSender sends what it has gathered before a stream errors, and gives up", async () => {
  const { target, streams } = makeStreamSender();
  const { stream, controller } = manual();
  const sent = streams.sendStream(stream);
  controller.enqueue("a");
  controller.enqueue("b");
  await turns();
  controller.error(new Error("broken"));
  await assertRejects(() => sent);
  assertEquals(target.log.filter((line) => line !== "idle").at(-1), "give up");
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

test("StreamSender counts the UTF-8 bytes of the text that waits", async () => {
  const { streams } = makeStreamSender();
  const { stream, controller } = manual();
  const sent = [streams.sendStream(stream), streams.sendMessage("\u20ac\u{1f600}x")];
  assertEquals(streams.waitingBytes, 8);
  controller.close();
  await Promise.all(sent);
  assertEquals(streams.waitingBytes, 0);
});

test("StreamSender waits for room in the send queue after each fragment", async () => {
  const { target, streams } = makeStreamSender();
  const { promise, resolve } = Promise.withResolvers<void>();
  target.queueReady = promise;
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
  await turns();
  assertEquals(state.cancelled, gone);
  assertEquals(target.log, ["idle"]);
});

test("StreamSender refuses a stream that is locked", () => {
  const { streams } = makeStreamSender();
  const stream = streamOf(["a"]);
  stream.getReader();
  assertThrows(() => streams.sendStream(stream), TypeError);
  assertEquals(streams.isBusy, false);
});

test("a connection that ends in the middle of a node:stream does not end the process", async () => {
  const { code, stdout } = await run(...scriptCommand("tests/support/abandoned_streams.ts"));
  assertEquals([code, stdout], [0, "alive\n"]);
});
