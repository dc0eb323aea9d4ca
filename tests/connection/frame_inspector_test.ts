import { broadcast } from "../../src/connection/broadcast.ts";
import type { InspectedFrame } from "../../src/connection/frame_inspector.ts";
import { testPair } from "../../src/testing/mod.ts";
import type { TestPairOptions } from "../../src/testing/mod.ts";
import { ROLES } from "../protocol/frames.ts";
import { assert, assertEquals, deadline, test } from "../harness.ts";
import { open, turns } from "../support/open.ts";
import { First, textFrame } from "../support/memory_peer.ts";

/** A frame in words: `> text fin 5+2`, with the lengths of payload and header. */
function words(frame: InspectedFrame): string {
  const { direction, opcode, fin, rsv1, payloadLength, frameLength, payload } = frame;
  const name =
    { 0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong" }[opcode];
  const flags = `${fin ? " fin" : ""}${rsv1 ? " rsv1" : ""}`;
  const bytes = payload === undefined ? "" : ` [${payload}]`;
  return `${direction === "sent" ? ">" : "<"} ${name}${flags} ${payloadLength}+${
    frameLength - payloadLength
  }${bytes}`;
}

for (const role of ROLES) {
  const key = (direction: "in" | "out") => (direction === "in") === (role === "server") ? 4 : 0;
  const [received, sent] = [key("in"), key("out")];

  for (const maxChunk of [Infinity, 1000, 7]) {
    test(`inspect sees each frame of a ${role} once, in chunks of ${maxChunk}`, async () => {
      const seen: string[] = [];
      const inspect = (frame: InspectedFrame) => seen.push(words(frame));
      const { socket, peer } = open({ role, inspect, peerMemory: { maxChunk }, handler: {} });
      // Thousands of chunks would take seconds on a busy machine.
      const sizes = [0, 125, 126, ...(maxChunk < 1000 ? [] : [65_535, 65_536])];
      for (const size of sizes) {
        peer.send({ first: First.Binary, payload: "x".repeat(size) });
      }
      peer.send({ first: First.TextStart, payload: "ab" }, { first: First.Ping, payload: "?" });
      peer.send({ first: First.Continuation }, { first: First.ContinuationEnd, payload: "c" });
      await peer.received(1);
      for (const message of ["", "é", new Uint8Array(126), "x".repeat(65_536)]) {
        socket.send(message);
      }
      await turns(5);
      socket.close(4000, "no");
      await peer.closeBack();
      await deadline(socket.closed, 5000, "the end");
      assertEquals(seen, [
        ...sizes.map((size) =>
          `< binary fin ${size}+${(size < 126 ? 2 : size < 65_536 ? 4 : 10) + received}`
        ),
        `< text 2+${2 + received}`,
        `< ping fin 1+${2 + received} [63]`,
        `> pong fin 1+${2 + sent} [63]`,
        `< continuation 0+${2 + received}`,
        `< continuation fin 1+${2 + received}`,
        `> text fin 0+${2 + sent}`,
        `> text fin 2+${2 + sent}`,
        `> binary fin 126+${4 + sent}`,
        `> text fin 65536+${10 + sent}`,
        `> close fin 4+${2 + sent} [15,160,110,111]`,
        `< close fin 4+${2 + received} [15,160,110,111]`,
      ]);
    });
  }

  test(`inspect sees the frames of a stream and of a broadcast of a ${role}`, async () => {
    const seen: string[] = [];
    const inspect = (frame: InspectedFrame) => seen.push(words(frame));
    const { socket, peer } = open({ role, inspect });
    broadcast([socket] as never, "to all");
    await socket.send(
      new ReadableStream<string>({
        start(controller) {
          for (const chunk of ["ab", "c"]) controller.enqueue(chunk);
          controller.close();
        },
      }),
    );
    await peer.received(4);
    assertEquals(seen, [
      `> text fin 6+${2 + sent}`,
      `> text 2+${2 + sent}`,
      `> continuation 1+${2 + sent}`,
      `> continuation fin 0+${2 + sent}`,
    ]);
    assertEquals(peer.words[0], "text to all");
  });

  test(`an inspect of a ${role} that throws is reported, and changes nothing else`, async () => {
    const inspect = () => {
      throw new Error("by inspect");
    };
    const { socket, peer, errors } = open({ role, inspect });
    peer.send(textFrame("in"));
    const { value } = await socket[Symbol.asyncIterator]().next();
    socket.send("out");
    await peer.received(1);
    assertEquals([value, peer.words], ["in", ["text out"]]);
    assertEquals(errors.map((error) => (error as Error).message), ["by inspect", "by inspect"]);
  });
}

test("inspect sees compressed frames as they are on the wire, with RSV1", async () => {
  const ends: Record<"client" | "server", InspectedFrame[]> = { client: [], server: [] };
  const sockets = new Set<unknown>();
  const options: TestPairOptions = {
    compression: true,
    inspect: (frame, socket) => {
      sockets.add(socket);
      ends.server.push(frame);
    },
    client: { compression: true, inspect: (frame) => ends.client.push(frame) },
  };
  await using pair = await testPair({ message: (socket, text) => socket.send(text) }, options);
  const text = "to be compressed ".repeat(1000);
  const before = performance.timeOrigin + performance.now();
  pair.client.send(text);
  pair.client.send("short");
  const messages = pair.client[Symbol.asyncIterator]();
  assertEquals((await messages.next()).value, text);
  assertEquals((await messages.next()).value, "short");
  const [first, second] = ends.client;
  assertEquals([first!.rsv1, second!.rsv1], [true, false]);
  assert(first!.payloadLength < 1000 && first!.time >= before && first!.time < before + 5000);
  // What one end has sent, the other has received, with the same lengths.
  const facts = (frames: InspectedFrame[], direction: string) =>
    frames.filter((frame) => frame.direction === direction)
      .map(({ time: _, direction: __, ...rest }) => rest);
  for (const [one, other] of [["client", "server"], ["server", "client"]] as const) {
    assertEquals(facts(ends[one], "sent"), facts(ends[other], "received"));
  }
  assertEquals([...sockets], [pair.server]);
});
