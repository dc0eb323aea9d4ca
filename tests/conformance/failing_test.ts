// RFC 6455 §7.4.1 and §7.1.7: failing handlers, peers that break the protocol, and the
// connections of other peers.
import { assertEquals, delay, test } from "../harness.ts";
import { closeFrame, frame } from "../support/frames.ts";
import { type RawClient, rawHandshake } from "./raw_client.ts";
import {
  assertClosed,
  assertClosing,
  assertEnd,
  assertFrame,
  echo,
  FORMS,
  listen,
} from "./servers.ts";

/** Handlers of both kinds that throw or reject. Each receives one message. */
const BOOM = new Error("boom");
const fails = [
  ["a function that throws", () => {
    throw BOOM;
  }],
  ["a function that rejects", () => Promise.reject(BOOM)],
  ["a loop that throws", async (socket: AsyncIterable<unknown>) => {
    for await (const _ of socket) throw BOOM;
  }],
  ["open() that throws", {
    open() {
      throw BOOM;
    },
  }],
  ["open() that rejects", { open: () => Promise.reject(BOOM) }],
  ["message() that throws", {
    message() {
      throw BOOM;
    },
  }],
  ["message() that rejects", { message: () => Promise.reject(BOOM) }],
] as const;

for (const [name, handler] of fails) {
  // RFC 6455 §7.4.1: 1011, "an unexpected condition that prevented it from fulfilling the request."
  test(`RFC 6455 §7.4.1: ${name} closes with 1011, and onError is told`, async () => {
    await using server = listen({}, handler);
    await using client = await rawHandshake(server.port);
    await client.write(frame({ opcode: 1, payload: "x" }));
    await assertFrame(client, 8, "03 f3");
    await client.write(closeFrame(1011));
    await assertEnd(client);
    await assertClosed(server, { closeCode: 1011, wasClean: true });
    assertEquals(server.errors, [BOOM]);
  });
}

test("RFC 6455 §7.4.1: close() that throws is told to onError, and nothing else", async () => {
  await using server = listen({}, {
    close() {
      throw BOOM;
    },
  });
  await using client = await rawHandshake(server.port);
  await client.write(closeFrame(1000));
  await assertClosing(client, 1000);
  await assertClosed(server, { closeCode: 1000, wasClean: true });
  assertEquals(server.errors, [BOOM]);
});

test("RFC 6455 §7.4.1: a handler that throws does no harm to other connections", async () => {
  await using server = listen({}, {
    message(socket, message) {
      if (message === "boom") throw BOOM;
      socket.send(message);
    },
  });
  await using other = await rawHandshake(server.port);
  await using client = await rawHandshake(server.port);
  await client.write(frame({ opcode: 1, payload: "boom" }));
  await assertFrame(client, 8, "03 f3");
  await client.write(closeFrame(1011));
  await assertEnd(client);
  await roundTrip(other);
});

for (const form of FORMS) {
  test(`RFC 6455 §7.1.7: an error is told to onError once, and harms no one else (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await using other = await rawHandshake(server.port);
    await client.write("83");
    await assertClosing(client, 1002);
    await assertClosed(server, { closeCode: 1006, wasClean: false, error: 1002 });
    await roundTrip(other);
    await delay(1);
    assertEquals(server.errors.map((error) => (error as { code: unknown }).code), [
      "ERR_RESERVED_OPCODE",
    ]);
  });
}

async function roundTrip(client: RawClient): Promise<void> {
  await client.write(frame({ opcode: 1, payload: "on" }));
  await assertFrame(client, 1, "6f 6e");
}
