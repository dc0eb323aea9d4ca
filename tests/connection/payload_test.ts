// The option `payload`: what the bytes of a received binary message are, in each way to receive them.
import { connect, serve, WebSocketStream } from "../../mod.ts";
import type { ConnectionOptions, SocketHandler } from "../../mod.ts";
import { assert, assertEquals, assertThrows, deadline, onTestEnd, test } from "../harness.ts";
import { randomBytes, sameBytes } from "../protocol/frames.ts";
import { open } from "../support/open.ts";
import { serving } from "../support/server.ts";

const SIZES = [1, 125, 126, 4096, 70_000, 1_000_000, 40];

/** Sends a message of each size to a server with callbacks, and returns what `look` returns of each. */
async function received<T>(
  options: ConnectionOptions,
  look: (message: Uint8Array, index: number) => T,
  compression = false,
): Promise<T[]> {
  const seen: T[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const handler: SocketHandler = {
    message(_socket, message) {
      seen.push(look(message as Uint8Array, seen.length));
      if (seen.length === SIZES.length) resolve();
    },
  };
  const { url } = serving(handler, { ...options, compression });
  const client = await connect(url, { compression });
  for (const size of SIZES) await client.send(randomBytes(size, size));
  await deadline(promise, 20_000, "all messages");
  await client.close(1000);
  return seen;
}

const isRight = (message: Uint8Array, i: number) =>
  sameBytes(message, randomBytes(SIZES[i]!, SIZES[i]!));

for (const compression of [false, true]) {
  const how = compression ? "compressed" : "uncompressed";

  test(`payload "shared" keeps ${how} messages as they are`, async () => {
    const messages = await received({}, (message) => message, compression);
    assert(messages.every(isRight));
  });

  test(`payload "owned" gives ${how} messages an ArrayBuffer of their own`, async () => {
    const messages = await received({ payload: "owned" }, (message) => message, compression);
    assert(messages.every(isRight));
    for (const message of messages) {
      assertEquals([message.byteOffset, message.buffer.byteLength], [0, message.length]);
    }
    assertEquals(new Set(messages.map(({ buffer }) => buffer)).size, SIZES.length);
  });

  test(`payload "borrowed" gives ${how} messages that are right until the callback returns`, async () => {
    const options = { payload: "borrowed", overwriteBorrowed: true } as const;
    const right = await received(options, isRight, compression);
    assertEquals(right, SIZES.map(() => true));
  });
}

test("overwriteBorrowed overwrites a borrowed message when the callback has returned", async () => {
  const options = { payload: "borrowed", overwriteBorrowed: true } as const;
  const messages = await received(options, (message) => message);
  // A buffer may also be detached, or used again for another message, but none is right.
  const kept = messages.filter(({ length }) => length > 0);
  assert(kept.some((message) => message.every((byte) => byte === 0xdd)));
  assert(!messages.some((message, i) => message.length > 1 && isRight(message, i)));
});

test('payload "borrowed" echoes by callbacks, with overwriteBorrowed', async () => {
  const { url } = serving({ message: (socket, message) => socket.send(message) }, {
    payload: "borrowed",
    overwriteBorrowed: true,
  });
  const client = await connect(url, { payload: "owned" });
  const reader = client[Symbol.asyncIterator]();
  for (const size of SIZES) {
    await client.send(randomBytes(size, size));
    const { value } = await reader.next();
    assert(sameBytes(value as Uint8Array, randomBytes(size, size)), `${size} bytes`);
  }
  await client.close(1000);
});

test('payload "borrowed" gives a loop messages that stay valid', async () => {
  const { socket, peer } = open({ payload: "borrowed", overwriteBorrowed: true });
  for (const size of [3, 200, 70_000]) {
    peer.send({ first: 0x82, payload: randomBytes(size, size) });
  }
  const messages: Uint8Array[] = [];
  for await (const message of socket) {
    messages.push(message as Uint8Array);
    if (messages.length === 3) break;
  }
  assertEquals(messages.map(({ length }) => length), [3, 200, 70_000]);
  for (const message of messages) {
    assert(sameBytes(message, randomBytes(message.length, message.length)));
  }
});

test("WebSocketStream gives messages an ArrayBuffer of their own", async () => {
  const { url } = serving({
    open(socket) {
      for (const size of SIZES) socket.send(randomBytes(size, size));
    },
  });
  const stream = new WebSocketStream(url);
  onTestEnd(() => stream.close());
  const { readable } = await stream.opened;
  const reader = readable.getReader();
  for (const size of SIZES) {
    const { value } = await reader.read() as { value: Uint8Array };
    assertEquals([value.byteOffset, value.buffer.byteLength, value.length], [0, size, size]);
  }
  await reader.cancel();
  await stream.closed;
});

test("serve refuses an unknown payload, and overwriteBorrowed that is no boolean", () => {
  const handler = () => {};
  for (
    const [options, name] of [
      [{ payload: "mine" }, "payload"],
      [{ overwriteBorrowed: 1 }, "overwriteBorrowed"],
    ] as const
  ) {
    const given = { hostname: "127.0.0.1", port: 0, ...options } as never;
    const error = assertThrows(() => serve(given, handler), TypeError);
    assert(error.message.includes(name), error.message);
  }
});
