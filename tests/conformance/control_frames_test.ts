// RFC 6455 §5.5: Close, Ping and Pong as frames. The closing handshake is in closing_test.ts.
import { assert, assertEquals, test } from "../harness.ts";
import { closeFrame, frame } from "../support/frames.ts";
import { join } from "../support/bytes.ts";
import { type RawClient, rawHandshake } from "./raw_client.ts";
import {
  assertClosing,
  assertEnd,
  assertFailed,
  assertFrame,
  echo,
  FORMS,
  listen,
} from "./servers.ts";

const utf8 = new TextEncoder();
const NAMES: Record<number, string> = { 8: "Close", 9: "Ping", 10: "Pong" };

interface Refusal {
  name: string;
  rule: string;
  send: string;
}

const refusals: Refusal[] = [8, 9, 10].flatMap((opcode) => [
  {
    name: `a fragmented ${NAMES[opcode]}`,
    rule: "All control frames ... MUST NOT be fragmented.",
    send: `0${opcode.toString(16)}`,
  },
  {
    name: `a ${NAMES[opcode]} of 126 bytes`,
    rule: "All control frames MUST have a payload length of 125 bytes or less",
    send: `8${opcode.toString(16)} fe`,
  },
  {
    name: `a ${NAMES[opcode]} of 65536 bytes`,
    rule: "All control frames MUST have a payload length of 125 bytes or less",
    send: `8${opcode.toString(16)} ff`,
  },
]);

for (const { name, send } of refusals) {
  test(`RFC 6455 §5.5: ${name} is refused with 1002`, async () => {
    for (const form of FORMS) {
      await using server = echo(form);
      await using client = await rawHandshake(server.port);
      await client.write(send);
      await assertFailed(server, client, 1002);
    }
  });
  test(`RFC 6455 §5.5: ${name} is refused with 1002 inside a fragmented message`, async () => {
    await using server = echo("callbacks");
    await using client = await rawHandshake(server.port);
    await client.write(join(frame({ opcode: 1, fin: false, payload: "a" }), send));
    await assertFailed(server, client, 1002);
  });
}

// RFC 6455 §5.5.2: "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response".
// §5.5.3: it "must have identical "Application data" as found in the message body of the Ping frame".
for (const size of [0, 1, 4, 124, 125]) {
  test(`RFC 6455 §5.5.2: a Ping of ${size} bytes is answered with the same bytes`, async () => {
    for (const form of FORMS) {
      await using server = echo(form);
      await using client = await rawHandshake(server.port);
      const payload = Uint8Array.from({ length: size }, (_, i) => 255 - i);
      await client.write(frame({ opcode: 9, payload }));
      await assertFrame(client, 10, payload);
    }
  });
}

test("RFC 6455 §5.5.2: a Ping's payload need not be UTF-8", async () => {
  await using server = echo("callbacks");
  await using client = await rawHandshake(server.port);
  await client.write(frame({ opcode: 9, payload: new Uint8Array([0xff, 0x00, 0xc0, 0x80]) }));
  await assertFrame(client, 10, "ff 00 c0 80");
});

test("RFC 6455 §5.5.2: a Ping that comes byte by byte is answered", async () => {
  await using server = echo("callbacks");
  await using client = await rawHandshake(server.port);
  await client.writeBytewise(frame({ opcode: 9, payload: "slowly" }));
  await assertFrame(client, 10, utf8.encode("slowly"));
});

test("RFC 6455 §5.5.2: ten Pings of one segment are answered in order", async () => {
  await using server = echo("callbacks");
  await using client = await rawHandshake(server.port);
  const payloads = Array.from({ length: 10 }, (_, i) => `ping ${i}`);
  await client.write(join(...payloads.map((payload) => frame({ opcode: 9, payload }))));
  for (const payload of payloads) await assertFrame(client, 10, utf8.encode(payload));
});

test("RFC 6455 §5.5.2: a Ping is answered while the handler is busy", async () => {
  const { promise: done, resolve } = Promise.withResolvers<void>();
  await using server = listen({}, async (socket) => {
    for await (const _ of socket) await done;
  });
  await using client = await rawHandshake(server.port);
  await client.write(
    join(frame({ opcode: 1, payload: "work" }), frame({ opcode: 9, payload: "?" })),
  );
  await assertFrame(client, 10, utf8.encode("?"));
  resolve();
});

// RFC 6455 §5.5.3: "A Pong frame MAY be sent unsolicited. ... A response to an unsolicited Pong frame
// is not expected."
for (const size of [0, 4, 125]) {
  test(`RFC 6455 §5.5.3: an unsolicited Pong of ${size} bytes is ignored`, async () => {
    for (const form of FORMS) {
      await using server = echo(form);
      await using client = await rawHandshake(server.port);
      const pong = frame({ opcode: 10, payload: new Uint8Array(size) });
      await client.write(join(pong, pong, frame({ opcode: 1, payload: "next" })));
      await assertFrame(client, 1, utf8.encode("next"));
    }
  });
}

async function answerPing(client: RawClient): Promise<void> {
  const { opcode, payload } = await client.readFrame();
  assertEquals(opcode, 9);
  await client.write(frame({ opcode: 10, payload }));
}

test("RFC 6455 §5.5.3: ping() resolves on the Pong that answers it, and on no other", async () => {
  await using server = echo("callbacks");
  await using client = await rawHandshake(server.port);
  const socket = await server.socket;
  let roundTrip: number | undefined;
  const pinged = socket.ping().then((ms) => roundTrip = ms);
  const { opcode, payload } = await client.readFrame();
  assertEquals(opcode, 9);
  await client.write(join(frame({ opcode: 10 }), frame({ opcode: 10, payload: "some other" })));
  await client.write(frame({ opcode: 1, payload: "mark" }));
  await assertFrame(client, 1, utf8.encode("mark"));
  assertEquals(roundTrip, undefined);
  await client.write(frame({ opcode: 10, payload }));
  await pinged;
  assert(roundTrip! >= 0);
});

test("RFC 6455 §5.5.3: a Pong for the latest Ping answers those before it", async () => {
  await using server = echo("callbacks");
  await using client = await rawHandshake(server.port);
  const socket = await server.socket;
  const first = socket.ping();
  const second = socket.ping();
  await client.readFrame();
  await answerPing(client);
  await first;
  await second;
});

// RFC 6455 §5.5.2: a Ping MUST be answered "unless it already received a Close frame". Having sent
// one does not change that: §5.5.1 forbids "any more data frames" after it, and a Pong is no data frame.
test("RFC 6455 §5.5.2: a Ping after the server's Close, before the client's, is answered", async () => {
  for (const form of FORMS) {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    const socket = await server.socket;
    socket.close(1000);
    await assertFrame(client, 8, "03 e8");
    await client.write(join(frame({ opcode: 9, payload: "late" }), closeFrame(1000)));
    await assertFrame(client, 10, utf8.encode("late"));
    await assertEnd(client);
    assertEquals((await server.closed).wasClean, true);
  }
});

test("RFC 6455 §5.5.2: a Ping after the client's Close is not answered", async () => {
  for (const form of FORMS) {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await client.write(join(closeFrame(1000), frame({ opcode: 9, payload: "late" })));
    await assertClosing(client, 1000);
  }
});

test("RFC 6455 §5.5.1: an empty Close frame is valid", async () => {
  for (const form of FORMS) {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await client.write("88 80 01 02 03 04");
    await assertClosing(client);
    assertEquals((await server.closed).wasClean, true);
  }
});
