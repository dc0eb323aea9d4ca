// One codec, two drives: what the public streams make of a captured byte stream is what a connection
// makes of it, however it is cut.
import { FrameDecoderStream, MessageAssemblerStream } from "../../mod.ts";
import type { Message, Role } from "../../mod.ts";
import { WebSocketError } from "../../src/protocol/errors.ts";
import { assert, assertEquals, test } from "../harness.ts";
import {
  assertMessages,
  CHUNKINGS,
  cut,
  mixedText,
  random,
  randomBytes,
  ROLES,
} from "../protocol/frames.ts";
import { join } from "../support/bytes.ts";
import { rawFrame } from "../support/frames.ts";
import type { RawFrame } from "../support/frames.ts";
import { open } from "../support/open.ts";
import { closeFrame, First } from "../support/memory_peer.ts";
import { streamOf } from "../support/streams.ts";

/** What became of a byte stream: its messages, and the code of the error that ended it. */
interface Outcome {
  messages: Message[];
  code: string | undefined;
}

const codeOf = (error: unknown) => error instanceof WebSocketError ? error.code : `${error}`;

/** By the public streams. */
async function byStreams(chunks: Iterable<Uint8Array>, role: Role): Promise<Outcome> {
  const messages: Message[] = [];
  try {
    const stream = streamOf(chunks)
      .pipeThrough(new FrameDecoderStream({ role }))
      .pipeThrough(new MessageAssemblerStream());
    for await (const message of stream) messages.push(message);
    return { messages, code: undefined };
  } catch (error) {
    return { messages, code: codeOf(error) };
  }
}

/** By a connection, read in each of its ways. */
type Drive = "callbacks" | "for await" | "readable";

async function byConnection(
  chunks: Iterable<Uint8Array>,
  role: Role,
  drive: Drive,
  lendsChunks: boolean,
): Promise<Outcome> {
  const messages: Message[] = [];
  const { socket, peer } = open({
    role,
    memory: { capacity: Infinity, lendsChunks },
    ...(drive === "callbacks" && { handler: { message: (_, message) => messages.push(message) } }),
  });
  for (const chunk of chunks) peer.transport.write(chunk);
  peer.transport.shutdown();
  if (drive === "for await") {
    for await (const message of socket) messages.push(message);
  } else if (drive === "readable") {
    const read = async () => {
      for await (const message of socket.readable) messages.push(message);
    };
    await read().catch(() => {});
  }
  const { error } = await socket.closed;
  return { messages, code: error === undefined ? undefined : codeOf(error) };
}

const CONTROL: RawFrame[] = [
  { first: First.Ping, payload: "ping" },
  { first: First.Pong },
  { first: First.Ping, payload: "x".repeat(125) },
];

/** A byte stream with something of everything, and the messages in it. */
function capture(
  role: Role,
  seed: number,
  largest = 70_000,
): { bytes: Uint8Array; messages: Message[] } {
  const next = random(seed);
  const messages: Message[] = [];
  const frames: RawFrame[] = [];
  const sizes = [0, 1, 2, 125, 126, 127, 5000, 65535, 65536, 70_000]
    .filter((size) => size <= largest);
  for (let i = 0; i < 40; i++) {
    const size = i % 4 === 0 ? sizes[next() % sizes.length] : next() % 40;
    const isText = next() % 2 === 0;
    const message = isText ? mixedText(size) : randomBytes(size, seed + i);
    const payload = typeof message === "string" ? new TextEncoder().encode(message) : message;
    messages.push(message);
    const count = next() % 3 === 0 ? 1 + next() % 5 : 1;
    for (let part = 0, start = 0; part < count; part++) {
      const end = part === count - 1
        ? payload.length
        : start + next() % (payload.length + 1 - start);
      const opcode = part > 0 ? 0 : isText ? 1 : 2;
      frames.push({
        first: opcode | (part === count - 1 ? 0x80 : 0),
        payload: payload.slice(start, end),
      });
      start = end;
      if (next() % 4 === 0) frames.push(CONTROL[next() % CONTROL.length]);
    }
  }
  frames.push(closeFrame(1000, "done"));
  return { bytes: join(...frames.map((frame) => rawFrame(frame, role))), messages };
}

const DRIVES: readonly Drive[] = ["callbacks", "for await", "readable"];

for (const role of ROLES) {
  for (const chunking of CHUNKINGS) {
    test(`the streams and a connection agree as a ${role}, ${chunking}`, async () => {
      const [seeds, largest] = chunking === "byte by byte" ? [1, 5000] : [5, 70_000];
      for (let seed = 1; seed <= seeds; seed++) {
        const { bytes, messages } = capture(role, seed, largest);
        const streamed = await byStreams(cut(bytes, chunking, seed), role);
        assertEquals(streamed.code, undefined);
        assertMessages(streamed.messages, messages);
        for (const drive of DRIVES) {
          for (const lendsChunks of [false, true]) {
            const chunks = cut(bytes, chunking, seed);
            const connected = await byConnection(chunks, role, drive, lendsChunks);
            assertEquals(connected.code, undefined, drive);
            assertMessages(connected.messages, messages);
          }
        }
      }
    });
  }

  test(`the streams and a connection agree on what is wrong, as a ${role}`, async () => {
    const { bytes, messages } = capture(role, 7);
    const next = random(11);
    let count = 0;
    for (let i = 0; i < 60; i++) {
      // A byte that is another, or the end, somewhere: most of it breaks a rule sooner or later.
      const at = next() % bytes.length;
      const broken = i % 3 === 0 ? bytes.slice(0, at) : bytes.slice();
      if (i % 3 !== 0) broken[at] ^= 1 << next() % 8;
      const streamed = await byStreams(cut(broken, "random chunks", i), role);
      if (streamed.code !== undefined) count++;
      for (const drive of DRIVES) {
        const connected = await byConnection(
          cut(broken, "random chunks", i),
          role,
          drive,
          i % 2 === 0,
        );
        // The end inside a frame has a code of its own in the streams, which know nothing of TCP.
        const isEnd = connected.code === "ERR_NO_CLOSE_FRAME";
        const expected = streamed.code === "ERR_TRUNCATED" ? "ERR_NO_CLOSE_FRAME" : streamed.code;
        if (isEnd && streamed.code === undefined) assert(at >= 0, "cut between two messages");
        else assertEquals(connected.code, expected, `${drive}, change ${i} at ${at}`);
        assertMessages(connected.messages, streamed.messages);
      }
    }
    assert(count > 20, `${count} of 60 broke a rule`);
    assert(messages.length > 0);
  });
}
