import { assertEquals, deadline, onTestEnd, test } from "../harness.ts";
import { First } from "../support/memory_peer.ts";
import type { Opened } from "../support/open.ts";
import { open, turns } from "../support/open.ts";

const SIZE = 20_000;

/** The bytes of a large message: each is its index, modulo 251. */
const LARGE = Uint8Array.from({ length: SIZE }, (_, i) => i % 251);

/** The stream of the first binary message, of which no byte has been received. */
async function begin({ socket, peer }: Opened): Promise<ReadableStream<Uint8Array>> {
  const next = socket.messageStreams().next();
  peer.send({ first: 0x02, payload: "" });
  const { value } = await next;
  onTestEnd(() => void value!.readable.cancel().catch(() => {}));
  return value!.readable as ReadableStream<Uint8Array>;
}

function join(parts: readonly (Uint8Array | undefined)[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part ?? []]));
}

for (const kind of ["default", "byob"] as const) {
  for (const count of [2, 3, 7]) {
    test(`${count} pending reads of a binary message settle in order, ${kind} reader`, async () => {
      const opened = open();
      const stream = await begin(opened);
      const reader = kind === "byob" ? stream.getReader({ mode: "byob" }) : stream.getReader();
      const read = (): Promise<{ done: boolean; value?: Uint8Array | undefined }> =>
        kind === "byob"
          ? (reader as ReadableStreamBYOBReader).read(new Uint8Array(3000))
          : (reader as ReadableStreamDefaultReader<Uint8Array>).read();
      const reads = Array.from({ length: count }, read);
      await turns();
      opened.peer.send({ first: First.ContinuationEnd, payload: LARGE });
      const parts: (Uint8Array | undefined)[] = [];
      for (let i = 0;; i++) {
        const { done, value } = await deadline(reads[i] ?? read(), 1000, `read ${i}`);
        if (done) break;
        parts.push(value);
      }
      assertEquals(join(parts), LARGE);
      // The peer is not held back by what has been read.
      opened.peer.send({ first: First.Binary, payload: "next" });
      const { value } = await deadline(opened.socket.messageStreams().next(), 1000, "the next");
      assertEquals(value!.type, "binary");
    });
  }
}

for (const kind of ["default", "byob"] as const) {
  test(`pending reads of a binary message get small parts one each, ${kind} reader`, async () => {
    const opened = open();
    const stream = await begin(opened);
    const reader = kind === "byob" ? stream.getReader({ mode: "byob" }) : stream.getReader();
    const reads = Array.from(
      { length: 4 },
      () =>
        kind === "byob"
          ? (reader as ReadableStreamBYOBReader).read(new Uint8Array(10))
          : (reader as ReadableStreamDefaultReader<Uint8Array>).read(),
    );
    await turns();
    opened.peer.send({ first: First.Continuation, payload: "a" }, {
      first: First.Continuation,
      payload: "b",
    });
    opened.peer.send({ first: First.ContinuationEnd, payload: "c" });
    const results = await deadline(Promise.all(reads), 1000, "the reads");
    const texts = results.map(({ value }) => new TextDecoder().decode(value));
    assertEquals(texts.join(""), "abc");
    assertEquals(results.at(-1)!.done, true);
  });

  test(`pending reads of a binary message reject when it is cut, ${kind} reader`, async () => {
    const opened = open();
    const stream = await begin(opened);
    const reader = kind === "byob" ? stream.getReader({ mode: "byob" }) : stream.getReader();
    const reads = Array.from(
      { length: 2 },
      () =>
        kind === "byob"
          ? (reader as ReadableStreamBYOBReader).read(new Uint8Array(10))
          : (reader as ReadableStreamDefaultReader<Uint8Array>).read(),
    );
    const settled = Promise.allSettled(reads);
    opened.socket.abort();
    const results = await deadline(settled, 1000, "the reads");
    assertEquals(results.map(({ status }) => status), ["rejected", "rejected"]);
  });
}

test("pending reads of a text message settle in order", async () => {
  const { socket, peer } = open();
  const next = socket.messageStreams().next();
  peer.send({ first: First.TextStart, payload: "" });
  const { value } = await next;
  const reader = (value!.readable as ReadableStream<string>).getReader();
  const reads = [reader.read(), reader.read(), reader.read()];
  await turns();
  peer.send({ first: First.Continuation, payload: "a" }, {
    first: First.ContinuationEnd,
    payload: "b",
  });
  const results = await deadline(Promise.all(reads), 1000, "the reads");
  assertEquals(results.map(({ value }) => value), ["a", "b", undefined]);
});

test("pending reads of readable settle in order", async () => {
  const { socket, peer } = open();
  const reader = socket.readable.getReader();
  const reads = Array.from({ length: 4 }, () => reader.read());
  await turns();
  for (const payload of ["a", "b", "c", "d"]) peer.send({ first: First.Text, payload });
  const results = await deadline(Promise.all(reads), 1000, "the reads");
  assertEquals(results.map(({ value }) => value), ["a", "b", "c", "d"]);
});
