import { broadcast } from "../../src/connection/broadcast.ts";
import type { WebSocketConnection } from "../../src/connection/connection.ts";
import { assert, assertEquals, assertThrows, delay, test } from "../harness.ts";
import { open, turns } from "../support/open.ts";
import type { Opened } from "../support/open.ts";

const sockets = (opened: Opened[]) =>
  opened.map(({ socket }) => socket as WebSocketConnection<unknown>);
const textsOf = ({ peer }: Opened) =>
  peer.frames.map(({ payload }) => new TextDecoder().decode(payload));

test("broadcast() sends to all connections but one, and counts them", async () => {
  const all = [open(), open(), open()];
  assertEquals(broadcast(sockets(all), "hello", { except: sockets(all)[1] }), 2);
  await turns();
  assertEquals(all.map(textsOf), [["hello"], [], ["hello"]]);
  assertEquals(all[0]!.peer.words, ["text hello"]);
  assertThrows(() => broadcast(sockets(all), 5 as never), TypeError);
});

test("broadcast() leaves out connections that are not open", async () => {
  const all = [open(), open()];
  all[0]!.socket.abort();
  assertEquals(broadcast(sockets(all), "x"), 1);
  await turns();
  assertEquals(textsOf(all[1]!), ["x"]);
});

for (const role of ["server", "client"] as const) {
  test(`broadcast() keeps the order of a ${role}'s messages, of its own and of broadcasts`, async () => {
    const all = [open({ role }), open({ role })];
    const expected: string[] = [];
    for (let n = 0; n < 200; n++) {
      const text = `${n} ${"x".repeat(n * 50)}`;
      expected.push(text);
      if (n % 3 === 0) { for (const { socket } of all) socket.send(text); }
      else broadcast(sockets(all), text);
      if (n % 50 === 0) await turns();
    }
    await turns(20);
    for (const opened of all) assertEquals(textsOf(opened), expected);
  });
}

test("broadcast() writes the messages of one turn together, from the same bytes", async () => {
  const all = [open(), open()];
  const before = all.map(({ writes }) => writes.length);
  for (let n = 0; n < 32; n++) broadcast(sockets(all), new Uint8Array(64).fill(n));
  await turns();
  for (const [i, { writes }] of all.entries()) {
    const sizes = writes.slice(before[i]);
    assert(sizes.length <= 2, "two if a block ends between them");
    assertEquals(sizes.reduce((sum, size) => sum + size), 32 * 66);
  }
  const [first, second] = all.map(({ peer }) => peer.frames);
  assertEquals(first!.length, 32);
  assertEquals(first, second);
  assertEquals(first![31]!.payload, new Uint8Array(64).fill(31));
});

test("bytes that were broadcast stay as they are when buffers are used again", async () => {
  const all = [open(), open()];
  const bytes = new Uint8Array(3000).fill(1);
  broadcast(sockets(all), bytes);
  bytes.fill(2);
  for (const { socket } of all) socket.send(bytes);
  await turns();
  for (const { peer } of all) {
    assertEquals(peer.frames.map(({ payload }) => payload[0]), [1, 2]);
    assert(peer.frames.every(({ payload }) => payload.every((byte) => byte === payload[0])));
  }
});

test("a broadcast to a connection that is full is its overflow", async () => {
  const limits = { maxBufferedAmount: 3000 };
  const closing = open({ limits });
  const rejecting = open({ limits, overflow: "reject" });
  const fine = open();
  for (const { peer } of [closing, rejecting]) peer.transport.pause();
  const all = sockets([closing, rejecting, fine]);
  broadcast(all, "w".repeat(1500));
  assertEquals(broadcast(all, "x".repeat(2000)), 1);
  assertEquals([closing.socket.readyState, rejecting.socket.readyState], [2, 1]);
  assertEquals(broadcast(all, "y"), 2);
  await turns();
  assertEquals(textsOf(fine), ["w".repeat(1500), "x".repeat(2000), "y"]);
  assertEquals(broadcast(all, "z".repeat(4000)), 1, "a message that is too long for the limit");
  assertEquals(rejecting.socket.readyState, 1);
});

test("a broadcast waits behind a stream that is being sent", async () => {
  const opened = open();
  const { readable, writable } = new TransformStream<string, string>();
  const writer = writable.getWriter();
  const sent = opened.socket.send(readable);
  await writer.write("a");
  await turns();
  broadcast(sockets([opened]), "b");
  await writer.close();
  await sent;
  await turns(10);
  const data = opened.peer.frames.map(({ payload }) => new TextDecoder().decode(payload)).join("|");
  assert(data.endsWith("|b"), data);
});

test("broadcasts to stalled connections are held once", async () => {
  const all = Array.from({ length: 50 }, () => open());
  for (const { peer } of all) peer.transport.pause();
  const before = all[0]!.socket.heldBytes;
  for (let n = 0; n < 4; n++) broadcast(sockets(all), new Uint8Array(200_000));
  await delay(0);
  assertEquals(all[0]!.socket.bufferedAmount, 4 * 200_010);
  const held = all[0]!.socket.heldBytes - before;
  assert(held >= 4 * 200_010 && held < 4 * 200_010 + 20_000, `${held} bytes: its share in full`);
  for (const { peer } of all) peer.transport.resume();
  await turns(30);
  for (const { peer } of all) {
    assertEquals(peer.frames.map(({ payload }) => payload.length), Array(4).fill(200_000));
  }
  assertEquals(all[0]!.socket.bufferedAmount, 0);
});
