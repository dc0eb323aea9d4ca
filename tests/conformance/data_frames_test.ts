// RFC 6455 §5.6, §5.7 and §6: data frames, both ways.
import type { Sendable } from "../../mod.ts";
import { assertEquals, assertRejects, hex, test, toHex } from "../harness.ts";
import { closeFrame, frame } from "../support/frames.ts";
import { join } from "../support/bytes.ts";
import { rawHandshake } from "./raw_client.ts";
import { assertClosing, assertFrame, echo, FORMS, listen } from "./servers.ts";

const utf8 = new TextEncoder();
const HELLO = "48 65 6c 6c 6f";

interface Example {
  name: string;
  /** The bytes that the client sends, in hex. */
  send: Uint8Array;
  /** The bytes of the reply, in hex. */
  receive: Uint8Array;
}

const bytes256 = Uint8Array.from({ length: 256 }, (_, i) => i);
const bytes64k = Uint8Array.from({ length: 65536 }, (_, i) => i);
/** A masking key that leaves the payload as it is. */
const PLAIN = "00 00 00 00";

// The RFC's unmasked examples are frames of a server. Those of a client are masked here.
const examples: Example[] = [
  {
    name: "the single-frame masked text message",
    send: hex("81 85 37 fa 21 3d 7f 9f 4d 51 58"),
    receive: hex("81 05 48 65 6c 6c 6f"),
  },
  {
    name: "the fragmented text message, masked",
    send: hex(`01 83 ${PLAIN} 48 65 6c 80 82 ${PLAIN} 6c 6f`),
    receive: hex("81 05 48 65 6c 6c 6f"),
  },
  {
    name: "the Ping, masked",
    send: hex(`89 85 37 fa 21 3d 7f 9f 4d 51 58`),
    receive: hex(`8a 05 ${HELLO}`),
  },
  {
    name: "the masked Pong, and a text after it",
    send: hex(`8a 85 37 fa 21 3d 7f 9f 4d 51 58 81 80 ${PLAIN}`),
    receive: hex("81 00"),
  },
  {
    name: "256 bytes in a single frame",
    send: join(`82 fe 01 00 ${PLAIN}`, bytes256),
    receive: join("82 7e 01 00", bytes256),
  },
  {
    name: "64 KiB in a single frame",
    send: join(`82 ff 00 00 00 00 00 01 00 00 ${PLAIN}`, bytes64k),
    receive: join("82 7f 00 00 00 00 00 01 00 00", bytes64k),
  },
];

for (const { name, send, receive } of examples) {
  for (const form of FORMS) {
    test(`RFC 6455 §5.7: ${name} (${form})`, async () => {
      await using server = echo(form);
      await using client = await rawHandshake(server.port);
      await client.write(send);
      const bytes = await client.read(receive.length);
      assertEquals(toHex(bytes), toHex(receive));
    });
  }
}

for (const form of FORMS) {
  test(`RFC 6455 §5.6: a message's type is kept, text for text and binary for binary (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    for (const opcode of [1, 2, 2, 1]) {
      await client.write(frame({ opcode, payload: "same" }));
      await assertFrame(client, opcode, utf8.encode("same"));
    }
  });

  test(`RFC 6455 §5.6: an empty text and an empty binary message are messages (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await client.write(join(frame({ opcode: 1 }), frame({ opcode: 2 })));
    await assertFrame(client, 1, "");
    await assertFrame(client, 2, "");
  });

  test(`RFC 6455 §6.2: 500 messages of one segment are echoed in order (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    const payloads = Array.from({ length: 500 }, (_, i) => `message ${i}`);
    await client.write(join(...payloads.map((payload) => frame({ opcode: 1, payload }))));
    for (const payload of payloads) await assertFrame(client, 1, utf8.encode(payload));
    await client.write(closeFrame(1000));
    await assertClosing(client, 1000);
  });

  test(`RFC 6455 §6.2: four messages of 100,000 bytes are echoed in order (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    const payloads = [1, 2, 3, 4].map((byte) => new Uint8Array(100_000).fill(byte));
    await client.write(join(...payloads.map((payload) => frame({ opcode: 2, payload }))));
    for (const payload of payloads) await assertFrame(client, 2, payload);
    await client.write(closeFrame(1000));
    await assertClosing(client, 1000);
  });
}

interface Sent {
  name: string;
  message: Sendable;
  /** The bytes of the frame, in hex. */
  bytes: string;
}

// RFC 6455 §5.1: "A server MUST NOT mask any frames that it sends to the client." §6.1: "The FIN bit
// of the last frame containing the data MUST be set to 1".
const sent: Sent[] = [
  { name: "a string is text", message: "Hello", bytes: `81 05 ${HELLO}` },
  { name: "an empty string is text", message: "", bytes: "81 00" },
  { name: "beyond ASCII is UTF-8", message: "é€😀", bytes: "81 09 c3 a9 e2 82 ac f0 9f 98 80" },
  {
    // RFC 6455 §8.1 has no encoding of a lone surrogate. It is sent as U+FFFD, as the platform does.
    name: "a lone surrogate is U+FFFD",
    message: "a\ud800b",
    bytes: "81 05 61 ef bf bd 62",
  },
  { name: "a Uint8Array is binary", message: hex("00 ff 80"), bytes: "82 03 00 ff 80" },
  { name: "an ArrayBuffer is binary", message: hex("01 02").buffer, bytes: "82 02 01 02" },
  {
    name: "a view is binary, and no more than its range",
    message: new DataView(hex("01 02 03 04").buffer, 1, 2),
    bytes: "82 02 02 03",
  },
  {
    name: "a Uint16Array is its bytes",
    message: new Uint16Array(hex("01 02 03 04").buffer),
    bytes: "82 04 01 02 03 04",
  },
  { name: "an empty Uint8Array is binary", message: new Uint8Array(0), bytes: "82 00" },
];

for (const { name, message, bytes } of sent) {
  test(`RFC 6455 §6.1: ${name}: one frame with FIN, no RSV bit and no mask`, async () => {
    await using server = listen({}, { open: (socket) => void socket.send(message) });
    await using client = await rawHandshake(server.port);
    assertEquals(toHex(await client.read(hex(bytes).length)), bytes);
  });
}

for (
  const [size, header] of [
    [125, "82 7d"],
    [126, "82 7e 00 7e"],
    [65535, "82 7e ff ff"],
    [65536, "82 7f 00 00 00 00 00 01 00 00"],
    [1024 * 1024 + 1, "82 7f 00 00 00 00 00 10 00 01"],
  ] as const
) {
  test(`RFC 6455 §5.2: the server's length of ${size} is minimal`, async () => {
    const message = new Uint8Array(size).fill(7);
    await using server = listen({}, { open: (socket) => void socket.send(message) });
    await using client = await rawHandshake(server.port);
    const head = hex(header);
    assertEquals(toHex(await client.read(head.length)), header);
    assertEquals((await client.read(size)).every((byte) => byte === 7), true);
  });
}

test("RFC 6455 §6.1: what is sent is what it was at send(), whatever becomes of the buffer", async () => {
  await using server = listen({}, {
    open(socket) {
      const bytes = hex("01 02 03");
      socket.send(bytes);
      bytes.fill(0xff);
      socket.send(bytes);
    },
  });
  await using client = await rawHandshake(server.port);
  await assertFrame(client, 2, "01 02 03");
  await assertFrame(client, 2, "ff ff ff");
});

test("RFC 6455 §6.1: messages and Pings keep the order of their calls", async () => {
  await using server = listen({}, {
    open(socket) {
      socket.send("1");
      socket.ping();
      socket.send(hex("02"));
      socket.close(1000, "3");
    },
  });
  await using client = await rawHandshake(server.port);
  await assertFrame(client, 1, "31");
  assertEquals((await client.readFrame()).opcode, 9);
  await assertFrame(client, 2, "02");
  await assertFrame(client, 8, "03 e8 33");
});

// RFC 6455 §6.1: "The endpoint MUST ensure the WebSocket connection is in the OPEN state".
test("RFC 6455 §6.1: a send in the CLOSED state is refused", async () => {
  await using server = echo("callbacks");
  await using client = await rawHandshake(server.port);
  await client.write(closeFrame(1000));
  await assertClosing(client, 1000);
  await server.closed;
  const socket = await server.socket;
  assertEquals(socket.readyState, 3);
  await assertRejects(() => socket.send("late"), DOMException, "not open");
});
