// RFC 6455 §7.1: data sent before a Close is received before the connection ends.
import type { WebSocketConnection } from "../../mod.ts";
import { assert, assertEquals, deadline, delay, test } from "../harness.ts";
import { closeFrame, frame } from "../support/frames.ts";
import { join } from "../support/bytes.ts";
import { rawHandshake } from "./raw_client.ts";
import {
  assertClosed,
  assertClosing,
  assertFrame,
  echo,
  FORMS,
  listen,
  type TestOptions,
} from "./servers.ts";

const utf8 = new TextEncoder();

function texts(count: number, size = 0): string[] {
  return Array.from({ length: count }, (_, i) => `message ${i}`.padEnd(size, "."));
}

function textFrames(payloads: string[]): Uint8Array {
  return join(...payloads.map((payload) => frame({ opcode: 1, payload })));
}

for (const form of FORMS) {
  for (const count of [1, 2, 15, 16, 17, 18, 33, 64, 100, 1000]) {
    test(`RFC 6455 §7.1: ${count} messages and a Close of one segment are all echoed (${form})`, async () => {
      await using server = echo(form);
      await using client = await rawHandshake(server.port);
      const payloads = texts(count);
      await client.write(join(textFrames(payloads), closeFrame(1000)));
      for (const payload of payloads) await assertFrame(client, 1, utf8.encode(payload));
      await assertClosing(client, 1000);
      await assertClosed(server, { closeCode: 1000, wasClean: true });
      assertEquals(server.errors, []);
    });
  }

  test(`RFC 6455 §7.1: 200 KB in 5 messages and a Close are all echoed (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    const payloads = texts(5, 40_000);
    await client.write(join(textFrames(payloads), closeFrame(1000)));
    for (const payload of payloads) await assertFrame(client, 1, utf8.encode(payload));
    await assertClosing(client, 1000);
    await assertClosed(server, { closeCode: 1000, wasClean: true });
  });

  test(`RFC 6455 §7.1: 6 MB and a Close are all echoed to a client that reads late (${form})`, async () => {
    // The client reads nothing at first, so the kernel's buffers fill, then the queues.
    await using server = echo(form, {
      limits: { closeTimeout: 5000, maxBufferedAmount: Infinity },
    });
    await using client = await rawHandshake(server.port);
    client.pause();
    const payloads = Array.from({ length: 60 }, (_, i) => new Uint8Array(100_000).fill(i));
    const written = client.write(
      join(...payloads.map((payload) => frame({ opcode: 2, payload })), closeFrame(1000)),
    );
    await delay(100);
    client.resume();
    for (const payload of payloads) await assertFrame(client, 2, payload);
    await written;
    await assertClosing(client, 1000);
    await assertClosed(server, { closeCode: 1000, wasClean: true });
  });

  test(`RFC 6455 §7.1: long answers to messages before a Close all go out first (${form})`, async () => {
    // More than the kernel's buffers hold, so that replies wait in the queue.
    const answer = new Uint8Array(700_000).fill(1);
    const long = new TransformStream({ transform: (_, controller) => controller.enqueue(answer) });
    await using server = listen(
      { limits: { closeTimeout: 5000 } },
      {
        callbacks: { message: (socket: WebSocketConnection) => void socket.send(answer) },
        "for await": async (socket: WebSocketConnection) => {
          for await (const _ of socket) await socket.send(answer);
        },
        streams: (socket: WebSocketConnection) =>
          socket.readable.pipeThrough(long).pipeTo(socket.writable),
      }[form],
    );
    await using client = await rawHandshake(server.port);
    client.pause();
    await client.write(join(textFrames(texts(10)), closeFrame(1000)));
    await delay(50);
    client.resume();
    for (let i = 0; i < 10; i++) {
      await assertFrame(client, 2, answer);
      // Slow, so that the server waits between two writes.
      client.pause();
      await delay(5);
      client.resume();
    }
    await assertClosing(client, 1000);
    await assertClosed(server, { closeCode: 1000, wasClean: true });
  });

  test(`RFC 6455 §7.1: messages, a Close and a FIN of one segment are answered (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    const payloads = texts(40);
    await client.end(join(textFrames(payloads), closeFrame(3000, "bye")));
    for (const payload of payloads) await assertFrame(client, 1, utf8.encode(payload));
    await assertClosing(client, 3000);
    await assertClosed(server, { closeCode: 3000, reason: "bye", wasClean: true });
  });

  test(`RFC 6455 §7.1: a Close and a FIN of one segment are answered (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await client.end(closeFrame(1001));
    await assertClosing(client, 1001);
    await assertClosed(server, { closeCode: 1001, wasClean: true });
  });

  test(`RFC 6455 §7.1: messages before a FIN without a Close are received (${form})`, async () => {
    const received: unknown[] = [];
    await using server = receiver(form, (message) => void received.push(message));
    await using client = await rawHandshake(server.port);
    const payloads = texts(40);
    await client.end(textFrames(payloads));
    await assertClosed(server, { closeCode: 1006, wasClean: false, error: 1006 });
    // `closed` does not wait for a slow consumer.
    await delay(5);
    assertEquals(received, payloads);
  });

  test(`RFC 6455 §7.1: messages before an error are received (${form})`, async () => {
    const received: unknown[] = [];
    await using server = receiver(form, (message) => void received.push(message));
    await using client = await rawHandshake(server.port);
    const payloads = texts(10);
    await client.write(join(textFrames(payloads), "83"));
    await assertClosing(client, 1002);
    await assertClosed(server, { closeCode: 1006, wasClean: false, error: 1002 });
    assertEquals(received, payloads);
  });
}

/** Creates a server that passes every message to `take`, and awaits the result if the form can. */
function receiver(
  form: string,
  take: (message: unknown) => void | Promise<void>,
  options: TestOptions = {},
): ReturnType<typeof listen> {
  if (form === "callbacks") return listen(options, { message: (_, message) => take(message) });
  return listen(options, async (socket) => {
    try {
      if (form === "for await") {
        for await (const message of socket) await take(message);
      } else {
        await socket.readable.pipeTo(new WritableStream({ write: take }));
      }
    } catch {
      // The stream errors if the connection was not closed cleanly.
    }
  });
}

for (const form of ["for await", "streams"]) {
  // RFC 6455 §5.5.1: "An endpoint MAY delay sending a Close frame until its current message is sent".
  test(`RFC 6455 §5.5.1: the Close waits for a slow handler and its answers (${form})`, async () => {
    await using server = listen({ limits: { closeTimeout: 3000 } }, async (socket) => {
      if (form === "for await") {
        for await (const message of socket) {
          await delay(5);
          await socket.send(message);
        }
      } else {
        const slow = new TransformStream({
          async transform(message, controller) {
            await delay(5);
            controller.enqueue(message);
          },
        });
        await socket.readable.pipeThrough(slow).pipeTo(socket.writable);
      }
    });
    await using client = await rawHandshake(server.port);
    const payloads = texts(40);
    await client.write(join(textFrames(payloads), closeFrame(1000)));
    for (const payload of payloads) await assertFrame(client, 1, utf8.encode(payload));
    await assertClosing(client, 1000);
    await assertClosed(server, { closeCode: 1000, wasClean: true });
  });

  test(`RFC 6455 §5.5.1: the Close does not wait longer than closeTimeout (${form})`, async () => {
    const { promise: forever, resolve } = Promise.withResolvers<void>();
    await using server = receiver(form, () => forever, { limits: { closeTimeout: 50 } });
    await using client = await rawHandshake(server.port);
    const start = performance.now();
    await client.write(join(textFrames(["one"]), closeFrame(1000)));
    await assertClosing(client, 1000);
    // 80 % of closeTimeout: the rest is for the Close on its way to a peer with the same limit.
    assert(performance.now() - start >= 35);
    await assertClosed(server, { closeCode: 1000, wasClean: true });
    resolve();
  });
}

test("RFC 6455 §7.1: what is sent before close() arrives before the Close", async () => {
  await using server = listen({}, {
    open(socket) {
      for (let i = 0; i < 100; i++) socket.send(new Uint8Array(10_000).fill(i));
      socket.close(1000);
    },
  });
  await using client = await rawHandshake(server.port);
  for (let i = 0; i < 100; i++) await assertFrame(client, 2, new Uint8Array(10_000).fill(i));
  await assertFrame(client, 8, "03 e8");
  await client.end(closeFrame(1000));
  await assertClosed(server, { closeCode: 1000, wasClean: true });
});

test("RFC 6455 §7.1: a handler that returns closes with 1000, after what it sent", async () => {
  await using server = listen({}, (socket) => {
    socket.send("only this");
  });
  await using client = await rawHandshake(server.port);
  await assertFrame(client, 1, utf8.encode("only this"));
  await assertFrame(client, 8, "03 e8");
  await client.end(closeFrame(1000));
  await assertClosed(server, { closeCode: 1000, wasClean: true });
});

test("RFC 6455 §7.1: leaving the loop closes with 1000", async () => {
  await using server = listen({}, async (socket) => {
    for await (const message of socket) {
      if (message === "leave") break;
    }
  });
  await using client = await rawHandshake(server.port);
  await client.write(textFrames([...texts(30), "leave", ...texts(30)]));
  await assertFrame(client, 8, "03 e8");
  await client.end(closeFrame(1000));
  await assertClosed(server, { closeCode: 1000, wasClean: true });
});

test("RFC 6455 §7.1: the closing of writable closes with 1000, after what was written", async () => {
  await using server = listen({}, async (socket) => {
    const writer = socket.writable.getWriter();
    writer.write("one");
    writer.write("two");
    await deadline(writer.close(), 3000, "writer.close()");
  });
  await using client = await rawHandshake(server.port);
  await assertFrame(client, 1, utf8.encode("one"));
  await assertFrame(client, 1, utf8.encode("two"));
  await assertFrame(client, 8, "03 e8");
  await client.end(closeFrame(1000));
  await assertClosed(server, { closeCode: 1000, wasClean: true });
  assertEquals(server.errors, []);
});
