// RFC 6455 §4.2 over real TCP: heads in several segments, early frames, clients that leave.
import { assert, assertEquals, deadline, delay, eventually, hex, test, toHex } from "../harness.ts";
import { closeFrame, frame } from "../support/frames.ts";
import { join, latin1 } from "../support/bytes.ts";
import { HANDSHAKE, RawClient, rawHandshake } from "./raw_client.ts";
import { assertRefusal } from "./requests.ts";
import {
  assertClosed,
  assertClosing,
  assertEnd,
  assertFrame,
  echo,
  type Form,
  FORMS,
  listen,
} from "./servers.ts";

const HEAD = latin1(HANDSHAKE);
const HELLO = hex("48 65 6c 6c 6f");
const hello = frame({ opcode: 1, payload: HELLO });

async function assertOpen(client: RawClient): Promise<void> {
  assertEquals((await client.readHead()).status, 101);
}

test("RFC 6455 §4.2.1: a head and a frame that come byte by byte", async () => {
  await using server = echo("callbacks");
  await using client = await RawClient.connect(server.port);
  await client.writeBytewise(join(HEAD, hello));
  await assertOpen(client);
  await assertFrame(client, 1, HELLO);
});

test("RFC 6455 §4.2.1: a head, a frame and a Close, cut in two at every byte", async () => {
  await using server = echo("callbacks");
  const bytes = join(HEAD, hello, closeFrame(1000));
  for (let cut = 1; cut < bytes.length; cut++) {
    await using client = await RawClient.connect(server.port);
    await client.write(bytes.subarray(0, cut));
    // The part of the response that may precede the rest of the request has been received.
    if (cut >= HEAD.length) await assertOpen(client);
    if (cut >= HEAD.length + hello.length) await assertFrame(client, 1, HELLO);
    if (cut < HEAD.length) await delay(0);
    await client.write(bytes.subarray(cut));
    if (cut < HEAD.length) await assertOpen(client);
    if (cut < HEAD.length + hello.length) await assertFrame(client, 1, HELLO);
    await assertClosing(client, 1000);
  }
});

test("RFC 6455 §4.2.2: nothing is answered before the head has ended", async () => {
  await using server = echo("callbacks");
  await using client = await RawClient.connect(server.port);
  await client.write(HEAD.subarray(0, -1));
  await delay(30);
  assertEquals(toHex(client.received), "");
  await client.write(HEAD.subarray(-1));
  await assertOpen(client);
});

for (const form of FORMS) {
  for (const wait of [undefined, 0, 20]) {
    const how = `${form}, ${wait === undefined ? "no upgrade()" : `upgrade() takes ${wait} ms`}`;
    const options = wait === undefined ? {} : { upgrade: () => delay(wait).then(() => ({})) };

    test(`RFC 6455 §4.2.2: frames in the head's segment are taken, after the 101 (${how})`, async () => {
      await using server = echo(form, options);
      await using client = await RawClient.connect(server.port);
      const ping = frame({ opcode: 9, payload: HELLO });
      await client.write(join(HEAD, ping, hello, hello.subarray(0, 3)));
      await client.write(hello.subarray(3));
      await assertOpen(client);
      const frames = [await client.readFrame(), await client.readFrame(), await client.readFrame()];
      // RFC 6455 §5.5.2: the Pong is sent "as soon as is practical", in no defined order.
      assertEquals(frames.map(({ opcode }) => opcode).sort(), [1, 1, 10]);
      for (const { payload } of frames) assertEquals(toHex(payload), toHex(HELLO));
    });

    test(`RFC 6455 §4.2.2: frames right after the head's segment are taken (${how})`, async () => {
      await using server = echo(form, options);
      await using client = await RawClient.connect(server.port);
      await client.write(HEAD);
      for (let i = 0; i < 5; i++) {
        await client.write(hello);
        await delay(1);
      }
      await assertOpen(client);
      for (let i = 0; i < 5; i++) await assertFrame(client, 1, HELLO);
    });

    test(`RFC 6455 §4.2.2: a head, a frame, a Close and a FIN of one segment (${how})`, async () => {
      await using server = echo(form, options);
      await using client = await RawClient.connect(server.port);
      await client.end(join(HEAD, hello, closeFrame(1000)));
      await assertOpen(client);
      await assertFrame(client, 1, HELLO);
      await assertClosing(client, 1000);
      await assertClosed(server, { closeCode: 1000, wasClean: true });
    });

    test(`RFC 6455 §4.2.2: a wrong frame in the head's segment is refused after the 101 (${how})`, async () => {
      await using server = echo(form, options);
      await using client = await RawClient.connect(server.port);
      await client.write(join(HEAD, hex("c1"), hello));
      await assertOpen(client);
      await assertClosing(client, 1002);
      await assertClosed(server, { closeCode: 1006, wasClean: false, error: 1002 });
    });
  }
}

test("RFC 6455 §4.2.2: what open() sends comes after the 101, and before the echo", async () => {
  await using server = listen({}, {
    open: (socket) => void socket.send("welcome"),
    message: (socket, message) => void socket.send(message),
  });
  await using client = await RawClient.connect(server.port);
  await client.write(join(HEAD, hello));
  await assertOpen(client);
  await assertFrame(client, 1, new TextEncoder().encode("welcome"));
  await assertFrame(client, 1, HELLO);
});

test("RFC 6455 §4.2.2: what comes while upgrade() thinks is held back by TCP, and not lost", async () => {
  const { promise: decided, resolve } = Promise.withResolvers<Record<string, never>>();
  let count = 0;
  await using server = listen({ upgrade: () => decided }, {
    message: (_, message) => void (count += message.length),
  });
  await using client = await RawClient.connect(server.port);
  await client.write(HEAD);
  const flood = frame({ opcode: 2, payload: new Uint8Array(1_000_000), mask: "00 00 00 00" });
  let isWritten = false;
  const written = client.write(join(...Array.from({ length: 24 }, () => flood)))
    .then(() => isWritten = true);
  await delay(100);
  assertEquals(isWritten, false, "24 MB have been taken before upgrade() let the client in");
  resolve({});
  await assertOpen(client);
  await deadline(written, 10_000, "the flood");
  await client.write(closeFrame(1000));
  await assertClosing(client, 1000);
  assertEquals(count, 24_000_000);
});

test("RFC 6455 §4.2.1: a refusal arrives whole though the client is still sending", async () => {
  await using server = echo("callbacks");
  await using client = await RawClient.connect(server.port);
  await client.write(latin1(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n`));
  for (let i = 0; i < 50; i++) await client.write(new Uint8Array(10_000));
  assertRefusal(await client.readResponse(), 405);
});

test("RFC 6455 §4.2.1: what follows a refused request is no second request", async () => {
  await using server = echo("callbacks");
  await using client = await RawClient.connect(server.port);
  await client.write(latin1(HANDSHAKE.replace("ZQ==", "bad") + HANDSHAKE));
  assertRefusal(await client.readResponse(), 400);
});

const LEAVERS = [
  ["resets", (client: RawClient) => client.reset()],
  ["ends TCP", (client: RawClient) => client.end()],
] as const;

for (const [how, leave] of LEAVERS) {
  test(`RFC 6455 §4.2: a client that ${how} while upgrade() thinks leaves nothing behind`, async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    await using server = echo("callbacks", {
      async upgrade() {
        ask();
        await delay(30);
        answer();
        return {};
      },
    });
    await using client = await RawClient.connect(server.port);
    await client.write(HEAD);
    await asked;
    await leave(client);
    await answered;
    await delay(30);
    await eventually(() => server.server.connections.size === 0, 10_000, "no connections");
    assertEquals(server.errors, []);
    await using other = await RawClient.connect(server.port);
    await other.write(HEAD);
    await assertOpen(other);
  });
}

/** All bytes that a client may send, in order. At each of them one client leaves. */
const EVERYTHING = join(
  HEAD,
  hello,
  frame({ opcode: 2, fin: false, payload: new Uint8Array(130) }).subarray(0, 20),
);
const WHOLE = join(HEAD, hello, frame({ opcode: 1, fin: false, payload: "x" }), closeFrame(1000));

for (const [how, leave] of LEAVERS) {
  for (const [what, bytes] of [["a long frame", EVERYTHING], ["a Close", WHOLE]] as const) {
    test(`RFC 6455 §4.2, §7: a client that ${how} at every byte up to ${what} leaves nothing behind`, async () => {
      await Promise.all(FORMS.map((form) => leaveEverywhere(form, bytes, leave)));
    });
  }
}

async function leaveEverywhere(
  form: Form,
  bytes: Uint8Array,
  leave: (client: RawClient) => Promise<void>,
): Promise<void> {
  // A connection that remains in the handshake would be reported when its timeout expires.
  const handshakeTimeout = 400;
  await using server = echo(form, { limits: { handshakeTimeout } });
  await using other = await rawHandshake(server.port);
  for (let offset = 0; offset < bytes.length; offset++) {
    await using client = await RawClient.connect(server.port);
    await client.write(bytes.subarray(0, offset));
    // Some leave before the server has read what they sent, some after.
    if (offset % 2 === 0) await delay(0);
    await leave(client);
    if (client.ending === undefined) await client.readToEnd();
    if (offset % 20 > 0) continue;
    await other.write(hello);
    await assertFrame(other, 1, HELLO);
  }
  await delay(handshakeTimeout + 50);
  assertEquals(server.server.connections.size, 1);
  assertEquals(server.errors, []);
  await other.write(closeFrame(1000));
  await assertClosing(other, 1000);
}

test("RFC 6455 §4.2: 200 clients that reset at once leave nothing behind", async () => {
  await using server = echo("for await");
  await using other = await rawHandshake(server.port);
  await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    await using client = await RawClient.connect(server.port);
    await client.write(join(HEAD, hello).subarray(0, i));
    await client.reset();
  }));
  await other.write(hello);
  await assertFrame(other, 1, HELLO);
  for (let i = 0; server.server.connections.size > 1; i++) {
    assert(i < 100, `${server.server.connections.size} connections are left`);
    await delay(5);
  }
  await other.write(closeFrame(1000));
  await assertFrame(other, 8, "03 e8");
  await assertEnd(other);
});
