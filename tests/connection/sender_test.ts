import { Opcode } from "../../src/protocol/opcode.ts";
import { assert, assertEquals, assertRejects, test, toHex } from "../harness.ts";
import { makeSender } from "../support/make_sender.ts";
import { turns } from "../support/open.ts";
import { manual } from "../support/streams.ts";

test("Sender writes what one turn sends at once, when the turn is over", async () => {
  const { sender, transport } = makeSender();
  sender.send("a");
  await Promise.resolve();
  sender.enqueue({ opcode: Opcode.Ping });
  await Promise.resolve();
  sender.send(new Uint8Array([1]));
  assertEquals(transport.writes, []);
  assertEquals(sender.bufferedAmount, 8);
  await turns();
  assertEquals(transport.writes.map(toHex), ["81 01 61 89 00 82 01 01"]);
  assertEquals(sender.bufferedAmount, 0);
});

test("Sender writes the next turn's on its own", async () => {
  const { sender, transport } = makeSender();
  sender.send("a");
  await turns();
  sender.send("b");
  await turns();
  assertEquals(transport.writes.map(toHex), ["81 01 61", "81 01 62"]);
});

test("Sender leaves the write to a consumer that processes a message, but not for long", async () => {
  const { sender, core, transport } = makeSender();
  core.isIdle = false;
  sender.send("a");
  for (let i = 0; i < 100; i++) await Promise.resolve();
  assertEquals(transport.writes, []);
  sender.send("b");
  sender.flush(); // The consumer asks for the next message.
  sender.send("c");
  assertEquals(transport.writes.map(toHex), ["81 01 61 81 01 62"]);
  await turns(); // The consumer waits for something else.
  assertEquals(transport.writes.map(toHex), ["81 01 61 81 01 62", "81 01 63"]);
});

test("Sender's short replies wait until all connections have processed what they received", async () => {
  const all = Array.from({ length: 100 }, () => makeSender());
  const turn = ({ sender }: typeof all[0], text: string) => {
    sender.cork();
    sender.send(text);
    sender.scheduleFlush();
  };
  const written = () => all.filter(({ transport }) => transport.writes.length > 0).length;
  for (const each of all.slice(0, 63)) turn(each, "a");
  turn(all[0], "b");
  assertEquals(written(), 0);
  turn(all[63], "a");
  assertEquals(written(), 64, "a group has an end");
  for (const each of all.slice(64)) turn(each, "a");
  assertEquals(written(), 64);
  await turns();
  assertEquals(written(), 100);
  assertEquals(all[0].transport.writes.map(toHex), ["81 01 61 81 01 62"]);
  assertEquals(all[99].transport.writes.map(toHex), ["81 01 61"]);
});

test("Sender writes a long reply at once, and a short one at flush()", async () => {
  const { sender, transport } = makeSender();
  sender.cork();
  sender.send(new Uint8Array(40_000));
  sender.scheduleFlush();
  assertEquals(transport.writes.length, 1);
  sender.cork();
  sender.send("a");
  sender.scheduleFlush();
  sender.flush();
  assertEquals(transport.writes.length, 2);
  sender.close(new Error("gone"));
  await turns();
  assertEquals(transport.writes.length, 2);
});

test("Sender writes nothing while it is corked", async () => {
  const { sender, transport } = makeSender();
  sender.cork();
  sender.send("a");
  await turns();
  assertEquals(transport.writes, []);
  sender.uncork();
  assertEquals(transport.writes.map(toHex), ["81 01 61"]);
});

test("Sender sends raw bytes before the messages, and with them", () => {
  const { sender, transport } = makeSender();
  sender.cork();
  sender.sendRaw(new Uint8Array([1, 2, 3]));
  sender.send("a");
  assertEquals(sender.bufferedAmount, 6);
  sender.uncork();
  assertEquals(transport.writes.map(toHex), ["01 02 03 81 01 61"]);
});

test("Sender gathers while a write is under way", async () => {
  const { sender, transport } = makeSender();
  transport.takes = false;
  sender.send("a");
  sender.flush();
  sender.send("b");
  await turns();
  sender.send("c");
  await turns();
  assertEquals(transport.writes.map(toHex), ["81 01 61"]);
  assertEquals(sender.bufferedAmount, 9);
  transport.drained();
  assertEquals(transport.writes.map(toHex), ["81 01 61", "81 01 62 81 01 63"]);
  transport.drained();
  assertEquals(sender.bufferedAmount, 0);
});

test("Sender takes a drain without a write", () => {
  const { sender, transport } = makeSender();
  transport.drained();
  assertEquals(sender.bufferedAmount, 0);
  assertEquals(transport.writes, []);
});

test("Sender writes much at once, without waiting for the turn's end", () => {
  const { sender, transport } = makeSender();
  sender.send(new Uint8Array(100_000));
  assertEquals(transport.writes.map((bytes) => bytes.length), [100_010]);
});

test("Sender puts much aside in parts while a write is under way, in order", () => {
  const { sender, transport } = makeSender();
  transport.takes = false;
  for (let i = 0; i < 100; i++) sender.send(new Uint8Array(10_000).fill(i));
  assertEquals(sender.bufferedAmount, 1_000_400);
  const marks: number[] = [];
  for (let i = 0; sender.bufferedAmount > 0; i++) {
    assert(i < 20);
    const bytes = transport.writes[i];
    for (let at = 4; at < bytes.length; at += 10_004) marks.push(bytes[at]);
    transport.drained();
  }
  assertEquals(marks, Array.from({ length: 100 }, (_, i) => i));
  assert(transport.writes.length > 3, `${transport.writes.length} writes`);
});

test("Sender is ready while it is below its mark", async () => {
  const { sender, transport, drains } = makeSender({ outgoingHighWaterMark: 10 });
  transport.takes = false;
  sender.send("12345678");
  assertEquals(sender.isFull, false, "10 bytes are not above 10");
  await sender.ready;
  sender.send("");
  assertEquals(sender.isFull, true);
  let isReady = false;
  const { ready } = sender;
  assert(ready === sender.ready, "one promise for all callers");
  ready.then(() => isReady = true);
  sender.flush();
  await turns();
  assertEquals(isReady, false);
  assertEquals(drains, []);
  transport.drained();
  await ready;
  assertEquals(drains, [true]);
});

test("Sender reports that everything is written", async () => {
  const { sender, drains } = makeSender();
  sender.send("a");
  await turns();
  assertEquals(drains, [false]);
});

test("Sender.close rejects ready, and writes nothing more", async () => {
  const { sender, transport } = makeSender({ outgoingHighWaterMark: 10 });
  transport.takes = false;
  for (let i = 0; i < 10; i++) sender.send(new Uint8Array(40_000));
  const { ready } = sender;
  const gone = new Error("gone");
  sender.close(gone);
  assertEquals(await assertRejects(() => ready), gone);
  assertEquals(sender.bufferedAmount, 0);
  sender.send("late");
  transport.drained();
  await turns();
  assertEquals(transport.writes.length, 1);
  await sender.ready;
});

test("Sender.close rejects a ready that no caller looks at", async () => {
  const { sender } = makeSender({ outgoingHighWaterMark: 1 });
  sender.cork();
  sender.send("a");
  sender.ready;
  sender.close(new Error("gone"));
  await turns();
});

test("Sender counts the bytes of a write that fails within the call, until it is closed", () => {
  const { sender, transport } = makeSender();
  let during = 0;
  transport.write = () => {
    during = sender.bufferedAmount;
    sender.close(new Error("gone"));
    return false;
  };
  sender.send("a");
  sender.flush();
  assertEquals([during, sender.bufferedAmount], [3, 0]);
});

test("Sender has its memory usage recounted when it grows, not for each message", () => {
  const { sender, transport, recounts } = makeSender();
  assertEquals(sender.memoryUsage, 0);
  transport.takes = false;
  sender.send(new Uint8Array(100));
  sender.flush();
  assertEquals(recounts, [4096], "the buffer, not what is in it");
  for (let i = 0; i < 10_000; i++) {
    sender.send(new Uint8Array(100));
    assertEquals(recounts.at(-1), sender.memoryUsage);
  }
  assert(recounts.length < 100, `${recounts.length} times`);
  assert(sender.memoryUsage >= sender.bufferedAmount);
  while (sender.bufferedAmount > 0) transport.drained();
  assertEquals(sender.memoryUsage, 0);
});

test("Sender's long queue uses at most a third more memory than its bytes", () => {
  const { sender, transport } = makeSender({ maxBufferedAmount: Infinity });
  transport.takes = false;
  // Two of them are more than a segment, and half of a buffer's next size.
  for (let i = 0; i < 500; i++) sender.send(new Uint8Array(40_000));
  const { bufferedAmount, memoryUsage } = sender;
  assertEquals(bufferedAmount, 500 * 40_004);
  assert(memoryUsage < bufferedAmount * 4 / 3 + 1024 * 1024, `${memoryUsage} bytes`);
  sender.close(new Error("gone"));
  assertEquals(sender.memoryUsage, 0);
});

test("Sender has nothing recounted while it is corked", () => {
  const { sender, transport, recounts } = makeSender();
  transport.takes = false;
  sender.cork();
  for (let i = 0; i < 10; i++) sender.send(new Uint8Array(40_000));
  assertEquals(recounts, []);
  sender.uncork();
  transport.drained();
  assertEquals(
    recounts,
    [],
    "nor at uncork(), nor at the end of a write: the connection does that itself",
  );
});

test("Sender.send refuses a message when the connection is not open", async () => {
  const { sender, core } = makeSender();
  core.isOpen = false;
  const error = await assertRejects(() => sender.send("late"), DOMException);
  assertEquals(error.name, "InvalidStateError");
  assertEquals(sender.bufferedAmount, 0);
});

test("Sender.send closes with 1013 when the send queue has no room, or rejects", async () => {
  const { sender, transport, core, closes } = makeSender({ maxBufferedAmount: 10 });
  transport.takes = false;
  sender.send("12345678");
  core.settings.overflow = "reject";
  const full = await assertRejects(() => sender.send("x"), DOMException);
  assertEquals([full.name, closes], ["QuotaExceededError", []]);
  core.settings.overflow = "close";
  const closed = await assertRejects(() => sender.send("x"), DOMException);
  assertEquals([closed.name, closes], ["InvalidStateError", ["03 f5"]]);
});

test("Sender sends messages behind the stream that is being sent", async () => {
  const { sender, transport, core } = makeSender();
  const { stream, controller } = manual();
  const streamed = sender.sendStream(stream);
  const sent = sender.send("b");
  assertEquals([sender.isStreaming, sender.bufferedAmount], [true, 1]);
  assert(sender.memoryUsage > 0);
  controller.enqueue("a");
  controller.close();
  await Promise.all([streamed, sent]);
  await turns();
  assertEquals(transport.writes.map(toHex).join(" "), "01 01 61 80 00 81 01 62");
  assertEquals([sender.isStreaming, core.idles], [false, 1]);
});

test("Sender.finish closes at once, or after the stream that is being sent", async () => {
  const { sender } = makeSender();
  const log: string[] = [];
  sender.finish(() => log.push("first"));
  assertEquals(log, ["first"]);
  const { stream, controller } = manual();
  const streamed = sender.sendStream(stream);
  sender.finish(() => log.push("second"));
  assertEquals([log, sender.isFinishing], [["first"], true]);
  await assertRejects(() => sender.send("late"), DOMException);
  controller.close();
  await streamed;
  await turns();
  assertEquals(log, ["first", "second"]);
});

test("Sender.close cancels a stream, and gives up a message that has begun", async () => {
  const { sender, closes } = makeSender();
  const { stream, controller, state } = manual();
  const streamed = sender.sendStream(stream);
  controller.enqueue("a");
  await turns();
  sender.close(new Error("gone"));
  await assertRejects(() => streamed, DOMException);
  assert(state.cancelled instanceof DOMException);
  assertEquals(closes[0], "03 f3");
});
