// What compiles: received bytes have an ArrayBuffer, never a SharedArrayBuffer.
import { connect, WebSocketStream } from "../../mod.ts";
import type { Message, MessageStream, ReconnectEvent } from "../../mod.ts";
import { assert, assertEquals, test } from "../harness.ts";
import { echo, serving } from "../support/server.ts";

const toBlob = (message: Message): Blob => new Blob([message]);

test("received messages are parts of a Blob", async () => {
  const { url } = serving(echo);
  const socket = await connect(url);
  await socket.send(Uint8Array.of(1, 2, 3));
  for await (const message of socket) {
    assertEquals(await toBlob(message).bytes(), Uint8Array.of(1, 2, 3));
    assert(typeof message !== "string");
    const buffer: ArrayBuffer = message.buffer;
    assertEquals(new DataView(buffer, message.byteOffset, message.byteLength).getUint8(2), 3);
    break;
  }
  await socket.close();
});

test("messages of streams and of ReconnectingWebSocket are parts of a Blob", async () => {
  const ofEvent = (event: ReconnectEvent) =>
    event.type === "message" ? toBlob(event.data) : undefined;
  const ofStream = async ({ type, readable }: MessageStream) => {
    if (type === "text") return;
    for await (const chunk of readable) new Blob([chunk]);
  };
  assertEquals([typeof ofEvent, typeof ofStream], ["function", "function"]);
  const { url } = serving(echo);
  const stream = new WebSocketStream(url);
  const { readable, writable } = await stream.opened;
  await writable.getWriter().write("x");
  for await (const message of readable) {
    assertEquals(await toBlob(message).text(), "x");
    break;
  }
  await stream.closed.catch(() => {});
});
