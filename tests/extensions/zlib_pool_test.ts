import { ZlibLease, ZlibPool } from "../../src/extensions/zlib_pool.ts";
import type { PooledZlib } from "../../src/extensions/zlib_pool.ts";
import { PerMessageDeflate } from "@sluice/websocket/extensions";
import type { ExtensionInUse } from "@sluice/websocket/extensions";
import { Z_SYNC_FLUSH, ZlibStream } from "../../src/extensions/zlib_stream.ts";
import { assert, assertEquals, hex, test } from "../harness.ts";
import { encode, json, makeDeflate, Receiver, sendAll, toFrames } from "./deflate_helpers.ts";

const inflater = () => ZlibStream.inflate();

/** Borrows a stream and returns it, as an owner that has decompressed a message. */
function use(pool: ZlibPool, owner: object, last?: PooledZlib): PooledZlib {
  const stream = pool.take(owner, last);
  stream.owner = owner;
  pool.give(stream);
  return stream;
}

/** Returns whether a stream is closed. The error for that depends on the runtime. */
function isClosed(zlib: ZlibStream): boolean {
  try {
    zlib.write(Z_SYNC_FLUSH, hex("f2 48 cd c9 c9 07 00"), 0, new Uint8Array(9), 9);
    return zlib.availableOut === 9;
  } catch {
    return true;
  }
}

test("ZlibPool lends an owner its own stream again, unless another has taken it", () => {
  const pool = new ZlibPool(2, inflater);
  const [a, b, c] = [{}, {}, {}];
  const first = use(pool, a);
  const second = use(pool, b);
  assert(first !== second);
  assertEquals(pool.take(a, first), first);
  pool.give(first);
  // The pool is full, so the least recently used stream is lent.
  const third = use(pool, c);
  assertEquals(third, second);
  const again = pool.take(b, second);
  assertEquals(again, first);
  assertEquals(again.owner, undefined);
  pool.give(again);
});

test("ZlibPool lends streams without a context first, and closes surplus ones", () => {
  const pool = new ZlibPool(1, inflater);
  const [a, b] = [{}, {}];
  // One with a context, four without, and one too many.
  const streams = Array.from({ length: 6 }, () => pool.take(a, undefined));
  for (const stream of streams) stream.owner = a;
  for (const stream of streams) pool.give(stream);
  assertEquals(streams.map(({ owner }) => owner), [a, ...Array(4).fill(undefined), a]);
  assertEquals(streams.map(({ zlib }) => isClosed(zlib)), [...Array(5).fill(false), true]);
  const [first, , , , fifth] = streams as [PooledZlib, unknown, unknown, unknown, PooledZlib];
  assertEquals(pool.take(b, undefined), fifth);
  pool.forget(fifth, a);
  pool.forget(first, b);
  assertEquals(first.owner, a);
  pool.forget(first, a);
  pool.forget(first, a);
  assertEquals(pool.take(b, undefined), first);
  for (const { zlib } of streams.slice(0, 5)) zlib.close();
});

test("ZlibLease primes only a stream without its context", () => {
  const pool = new ZlibPool(1, inflater);
  const primed: string[] = [];
  const [a, b] = ["a", "b"].map((name) => new ZlibLease(pool, () => primed.push(name)));
  const turn = (lease: ZlibLease) => {
    assertEquals(lease.zlib, lease.zlib);
    lease.end(true);
  };
  for (const lease of [a!, a!, b!, b!, a!]) turn(lease);
  assertEquals(primed, ["a", "b", "a"]);
  const failed = a!.zlib;
  a!.fail();
  assert(isClosed(failed));
  b!.close();
  b!.end(true);
});

test("Inflater and Deflater keep their contexts while others use their streams", () => {
  // More connections than the pool has streams, in turn.
  const pairs = Array.from({ length: 150 }, () => {
    const receiver = makeDeflate({ windowBits: 10 });
    return { sender: makeDeflate({ windowBits: 10 }), receiver, end: new Receiver(receiver) };
  });
  for (let round = 0; round < 5; round++) {
    for (const [i, { sender, end }] of pairs.entries()) {
      const frames = sendAll(sender, toFrames(json(200 + 400 * round, i % 3), 1 + round % 2));
      end.take(encode(frames));
      assertEquals(end.messages.at(-1), json(200 + 400 * round, i % 3));
    }
  }
  // Each message refers to earlier ones: a record has 90 bytes or more.
  for (const { sender, receiver, end } of pairs) {
    const [frame] = sendAll(sender, toFrames(json(1800, 1)));
    assert(frame!.payload!.length < 1800 / 3);
    end.take(encode([frame!]));
    assertEquals(end.messages.at(-1), json(1800, 1));
    sender.close();
    receiver.close();
  }
});

test("Inflater uses a stream of its own for each unfinished message", () => {
  const pairs = Array.from({ length: 80 }, (_, i) => {
    const receiver = makeDeflate();
    const frames = sendAll(makeDeflate(), toFrames(json(3000, i), 3));
    return { frames, receiver, end: new Receiver(receiver) };
  });
  for (let fragment = 0; fragment < 3; fragment++) {
    for (const { frames, end } of pairs) end.take(encode([frames[fragment]!]));
  }
  pairs.forEach(({ end }, i) => assertEquals(end.messages, [json(3000, i)]));
  for (const { receiver } of pairs) receiver.close();
});

test("Inflater frees the stream of an unfinished message when it is closed", () => {
  for (let i = 0; i < 200; i++) {
    const receiver = makeDeflate();
    const [first] = sendAll(makeDeflate(), toFrames(json(3000, i), 2));
    new Receiver(receiver).take(encode([first!]));
    receiver.close();
  }
});

test("PerMessageDeflate creates no zlib stream before the first compressed message", () => {
  const made = { inflate: 0, deflate: 0 };
  const { inflate, deflate } = ZlibStream;
  const agreement = new PerMessageDeflate().acceptOffer({
    name: "permessage-deflate",
    params: [],
  })!;
  ZlibStream.inflate = () => (made.inflate++, inflate());
  ZlibStream.deflate = (options) => (made.deflate++, deflate(options));
  try {
    const idle = Array.from({ length: 100 }, () => agreement.use());
    for (const extension of idle) {
      sendAll(extension, toFrames("short"));
      new Receiver(extension).take(encode(toFrames("as it is")));
    }
    assertEquals(made, { inflate: 0, deflate: 0 });
    for (const extension of idle) extension.close();
  } finally {
    Object.assign(ZlibStream, { inflate, deflate });
  }
});

for (const takesContextOver of [true, false]) {
  test(`PerMessageDeflate's memory does not grow over 10,000 connections (context ${takesContextOver})`, () => {
    const made = { inflate: 0, deflate: 0 };
    const { inflate, deflate } = ZlibStream;
    ZlibStream.inflate = () => (made.inflate++, inflate());
    ZlibStream.deflate = (options) => (made.deflate++, deflate(options));
    try {
      const payload = hex("f2 48 cd c9 c9 07 00");
      let received = 0;
      for (let i = 0; i < 10_000; i++) {
        const extension: ExtensionInUse = makeDeflate({
          windowBits: 13,
          takesContextOver,
        });
        extension.receive({ ...HELLO, payload }, { enqueue: () => received++ });
        extension.send({ opcode: 1, payload }, { enqueue: () => received++ });
        extension.close();
      }
      assertEquals(received, 20_000);
      assert(made.inflate <= 1 && made.deflate <= 1, JSON.stringify(made));
    } finally {
      Object.assign(ZlibStream, { inflate, deflate });
    }
  });
}

const HELLO = {
  fin: true,
  rsv1: true,
  rsv2: false,
  rsv3: false,
  opcode: 1,
  payloadLength: 7,
  payloadOffset: 0,
} as const;
