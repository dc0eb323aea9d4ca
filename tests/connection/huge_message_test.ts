import { connect, type WebSocketConnection } from "../../mod.ts";
import { SharedMessage } from "../../src/connection/shared_message.ts";
import { Opcode } from "../../src/protocol/opcode.ts";
import { assert, assertEquals, delay, test } from "../harness.ts";
import { join } from "../support/bytes.ts";
import { makeSender } from "../support/make_sender.ts";
import { turns } from "../support/open.ts";
import { serving } from "../support/server.ts";
import { servingTls, trust } from "../support/tls.ts";

/** A message that is written from the caller's bytes, with a different value at each position of a page. */
const HUGE_MESSAGE = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
const HUGE_FRAME = new Uint8Array([0x82, 127, 0, 0, 0, 0, 0, 4, 0x93, 0xe0, ...HUGE_MESSAGE]);

test("Sender writes a huge message from the caller's bytes, within the call", () => {
  const { sender, transport, core } = makeSender();
  transport.writesSome(Infinity);
  sender.send(new Uint8Array([7]));
  sender.send(HUGE_MESSAGE);
  assertEquals(transport.writes.length, 2);
  assertEquals(join(...transport.writes), new Uint8Array([0x82, 1, 7, ...HUGE_FRAME]));
  assertEquals(sender.bufferedAmount, 0);
  assertEquals(core.settings.counters.bytesSent, 3 + HUGE_FRAME.length);
});

for (const most of [0, 1, 200_000]) {
  test(`Sender copies what the kernel does not accept of a huge message: all but ${most}`, async () => {
    const { sender, transport, core } = makeSender();
    transport.writesSome(most);
    const message = HUGE_MESSAGE.slice();
    sender.cork();
    sender.send(message);
    message.fill(0);
    sender.send("a");
    const rest = HUGE_FRAME.length - 10 - 32 * 1024 - most;
    assertEquals(sender.bufferedAmount, rest + 3);
    sender.uncork();
    await turns();
    assertEquals(join(...transport.writes), new Uint8Array([...HUGE_FRAME, 0x81, 1, 0x61]));
    assertEquals(sender.bufferedAmount, 0);
    assertEquals(core.settings.counters.bytesSent, HUGE_FRAME.length + 3);
  });
}

test("Sender keeps a huge message that the kernel does not begin with, and those behind it", () => {
  const { sender, transport } = makeSender();
  transport.writesSome(Infinity);
  transport.takes = false;
  const message = HUGE_MESSAGE.slice();
  sender.send(message);
  sender.send(message);
  message.fill(0);
  transport.takes = true;
  transport.drained();
  assertEquals(join(...transport.writes), join(HUGE_FRAME, HUGE_FRAME));
  assertEquals(sender.bufferedAmount, 0);
});

test("Sender sends nothing inside the frame of a huge message", () => {
  const { sender, transport, core } = makeSender();
  transport.writesSome(Infinity);
  let isFirst = true;
  core.onWritten = () => {
    if (isFirst) sender.enqueue({ opcode: Opcode.Pong });
    isFirst = false;
  };
  sender.send(HUGE_MESSAGE);
  sender.flush();
  assertEquals(join(...transport.writes), new Uint8Array([...HUGE_FRAME, 0x8a, 0]));
});

test("Sender writes a huge message after the segments before it", async () => {
  const { sender, transport } = makeSender();
  transport.writesSome(Infinity);
  sender.cork();
  sender.sendShared(new SharedMessage("a"));
  sender.send(HUGE_MESSAGE);
  sender.uncork();
  await turns();
  assertEquals(join(...transport.writes), new Uint8Array([0x81, 1, 0x61, ...HUGE_FRAME]));
});

test("Sender drops the rest of a huge message if the transport fails", () => {
  const { sender, transport } = makeSender();
  transport.writesSome(Infinity);
  const { write } = transport;
  transport.write = (bytes) => {
    sender.close(undefined);
    return write.call(transport, bytes);
  };
  sender.send(HUGE_MESSAGE);
  assertEquals(transport.writes.length, 1);
  assertEquals(sender.bufferedAmount, 0);
});

for (const isTls of [false, true]) {
  test(`serve sends huge messages to a slow reader${isTls ? ", over TLS" : ""}`, async () => {
    const { url } = (isTls ? servingTls : serving)((socket: WebSocketConnection) => {
      const message = new Uint8Array(1_000_000);
      for (let i = 0; i < 8; i++) {
        for (let at = i; at < message.length; at += 1000) message[at] = i + 1;
        socket.send(message);
        message.fill(0);
        socket.send(`${i}`);
      }
      return socket.closed.then(() => {});
    });
    const client = await connect(url, isTls ? trust : {});
    let count = 0;
    for await (const message of client) {
      const i = count++ >> 1;
      if (typeof message === "string") {
        assertEquals(message, `${i}`);
      } else {
        await delay(10);
        const expected = new Uint8Array(1_000_000);
        for (let at = i; at < expected.length; at += 1000) expected[at] = i + 1;
        assertEquals(message.length, expected.length);
        assert(message.every((byte, at) => byte === expected[at]), `message ${i}`);
      }
      if (count === 16) break;
    }
    await client.close();
  });
}
