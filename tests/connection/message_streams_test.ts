import { PART_OVERHEAD } from "../../src/connection/memory_usage.ts";
import { MessageStreams } from "../../src/connection/message_streams.ts";
import type { MessageStream } from "../../src/connection/message_streams.ts";
import type { MessagePart } from "../../src/protocol/message.ts";
import { assertEquals, assertRejects, test } from "../harness.ts";

/** The streams, and how often they have reported to their connection that they are idle. */
function make(mark = 10) {
  const source = { asked: 0, onIdle: () => void source.asked++ };
  return { streams: new MessageStreams(source, mark), source };
}

function text(data: string, fin = true): MessagePart {
  return { type: "text", data, fin };
}

/** All that is left of a message. */
async function rest(message: MessageStream | undefined): Promise<unknown[]> {
  const chunks: unknown[] = [];
  for await (const chunk of message!.readable as ReadableStream<unknown>) chunks.push(chunk);
  return chunks;
}

test("MessageStreams hands a message over when it begins", async () => {
  const { streams } = make();
  const next = streams.next();
  streams.push(text("a", false));
  const { value } = await next;
  assertEquals(value?.type, "text");
  const reader = value!.readable.getReader();
  assertEquals(await reader.read(), { done: false, value: "a" });
  streams.push(text("b"));
  assertEquals(await reader.read(), { done: false, value: "b" });
  assertEquals((await reader.read()).done, true);
});

test("MessageStreams is full at its mark, and with a message that has not been asked for", async () => {
  const { streams } = make();
  assertEquals(streams.isFull, false);
  streams.push(text("", false));
  assertEquals(streams.isFull, true);
  const { value } = await streams.next();
  assertEquals(streams.isFull, false);
  streams.push(text("0123456789", false));
  assertEquals(streams.isFull, true);
  await value!.readable.getReader().read();
  assertEquals(streams.isFull, false);
});

test("MessageStreams has room for the next message while a caller waits for it", async () => {
  const { streams } = make();
  const [first, second] = [streams.next(), streams.next()];
  streams.lookAhead();
  streams.push(text("0123456789".repeat(10)));
  // Nothing would report that this message has been read to its end.
  assertEquals(streams.isFull, false);
  streams.push(text("next"));
  assertEquals(await rest((await first).value), ["0123456789".repeat(10)]);
  assertEquals(await rest((await second).value), ["next"]);
});

test("MessageStreams is full by what parts cost, however small they are", async () => {
  const { streams } = make(64 * 1024);
  const first = streams.next();
  let count = 0;
  for (; !streams.isFull && count < 1000; count++) streams.push(text("a", false));
  assertEquals(count, Math.ceil(64 * 1024 / (PART_OVERHEAD + 1)));
  streams.push(text("", true));
  assertEquals(await rest((await first).value), Array.from({ length: count }, () => "a"));
});

test("MessageStreams discards what is left of a message when the next is asked for", async () => {
  const { streams } = make();
  const first = streams.next();
  streams.push(text("a very long part", false));
  const { value } = await first;
  const second = streams.next();
  assertEquals(streams.isFull, false);
  streams.push(text("another very long part", false));
  assertEquals(streams.isFull, false);
  streams.push(text("end"));
  streams.push(text("next"));
  assertEquals(await rest((await second).value), ["next"]);
  assertEquals((await assertRejects(() => rest(value), DOMException)).name, "AbortError");
});

test("MessageStreams discards a message that has come and was not read", async () => {
  const { streams } = make();
  const first = streams.next();
  streams.push(text("one"));
  streams.push(text("two"));
  const { value } = await first;
  assertEquals(await rest((await streams.next()).value), ["two"]);
  await assertRejects(() => rest(value), DOMException);
});

test("MessageStreams discards what is left of a message that is cancelled", async () => {
  const { streams, source } = make();
  const first = streams.next();
  streams.push(text("a very long part", false));
  await (await first).value!.readable.cancel();
  assertEquals(streams.isFull, false);
  assertEquals(source.asked > 1, true);
  streams.push(text("another very long part", false));
  assertEquals(streams.isFull, false);
  streams.push(text("end"));
  streams.push(text("next"));
  assertEquals(await rest((await streams.next()).value), ["next"]);
});

test("MessageStreams keeps the current message when one before it is cancelled", async () => {
  const { streams } = make();
  streams.push(text("one"));
  const first = (await streams.next()).value!;
  await streams.return();
  streams.push(text("two", false));
  await first.readable.cancel();
  const second = (await streams.next()).value;
  streams.push(text("end"));
  assertEquals(await rest(second), ["two", "end"]);
});

test("MessageStreams is idle when the caller with the last message asks again, or leaves", async () => {
  const { streams } = make();
  assertEquals(streams.isIdle, true);
  streams.push(text("one"));
  assertEquals(streams.isIdle, false);
  await rest((await streams.next()).value);
  assertEquals(streams.isIdle, false, "it's being handled");
  const next = streams.next();
  assertEquals(streams.isIdle, true);
  streams.push(text("two", false));
  await next;
  await streams.return();
  assertEquals(streams.isIdle, false, "it has not ended");
  streams.push(text("end"));
  assertEquals(streams.isIdle, true);
});

test("MessageStreams.onClose errors the message that it cuts short, and keeps those before", async () => {
  const { streams } = make();
  const error = new Error("lost");
  streams.push(text("one"));
  streams.push(text("two", false));
  streams.onClose({ error });
  assertEquals(await rest((await streams.next()).value), ["one"]);
  const { value } = await streams.next();
  assertEquals(await assertRejects(() => rest(value)), error);
  assertEquals(await streams.next(), { done: true, value: undefined });
});

test("MessageStreams.onClose reaches all pending calls of next(), and gives a cut message an error", async () => {
  const { streams } = make();
  const waiting = [streams.next(), streams.next(), streams.next()];
  streams.push(text("one", false));
  streams.onClose({});
  const [first, ...others] = await Promise.all(waiting);
  assertEquals(
    (await assertRejects(() => rest(first.value), DOMException)).name,
    "InvalidStateError",
  );
  assertEquals(others.map(({ done }) => done), [true, true]);
});

test("MessageStreams.drop ends the message that is received, and drops all that follows", async () => {
  const { streams } = make();
  const next = streams.next();
  streams.push(text("a very long part", false));
  streams.drop();
  streams.push(text("c"));
  streams.push(text("begun", false));
  streams.drop();
  streams.push(text("end"));
  streams.push(text("next"));
  const { value } = await next;
  await assertRejects(() => rest(value), DOMException);
  const pending = streams.next();
  streams.onClose({});
  assertEquals((await pending).done, true);
});
