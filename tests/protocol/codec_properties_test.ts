// What must hold for all input: fast-check looks for a case where it does not.
import fc from "fast-check";
import { WebSocketError } from "../../src/protocol/errors.ts";
import { FrameDecoder } from "../../src/protocol/frame_decoder.ts";
import { FrameEncoder } from "../../src/protocol/frame_encoder.ts";
import type { Message } from "../../src/protocol/message.ts";
import { MessageAssembler } from "../../src/protocol/message_assembler.ts";
import { MessagePartDecoder } from "../../src/protocol/message_part_decoder.ts";
import type { MessagePart } from "../../src/protocol/message.ts";
import { isValidUtf8 } from "../../src/protocol/utf8.ts";
import { assert, assertEquals, test } from "../harness.ts";
import { assembleAll, assertMessages, decodeAll, join, parseFrames, rawFrame } from "./frames.ts";

const role = fc.constantFrom("server" as const, "client" as const);
const text = fc.string({ unit: "binary", maxLength: 300 });
const message: fc.Arbitrary<Message> = fc.oneof(text, fc.uint8Array({ maxLength: 300 }));

/** A message as a series of frames, with control frames anywhere between them. */
const frames = fc.record({
  message,
  cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
  pings: fc.array(fc.uint8Array({ maxLength: 125 }), { maxLength: 3 }),
}).map(({ message, cuts, pings }) => {
  const bytes = typeof message === "string" ? new TextEncoder().encode(message) : message;
  const edges = [0, ...cuts.map((cut) => Math.round(cut * bytes.length)).sort((a, b) => a - b)];
  const series = edges.map((start, i) => ({
    first: (i === 0 ? (typeof message === "string" ? 1 : 2) : 0) |
      (i === edges.length - 1 ? 0x80 : 0),
    payload: bytes.subarray(start, edges[i + 1] ?? bytes.length),
  }));
  pings.forEach((payload, i) =>
    series.splice((i * 7 + payload.length) % (series.length + 1), 0, { first: 0x89, payload })
  );
  return { message, series };
});

/** The bytes in chunks that end where `cuts`, each from 0 to 1, says. */
function chunksOf(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const edges = [...cuts.map((cut) => Math.floor(cut * bytes.length)), 0, bytes.length];
  edges.sort((a, b) => a - b);
  return edges.slice(1).map((edge, i) => bytes.slice(edges[i], edge));
}

const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

test("any split of any valid frames gives the same messages", () => {
  fc.assert(
    fc.property(
      fc.array(frames, { maxLength: 5 }),
      role,
      cuts,
      fc.constantFrom("kept" as const, "given" as const, "lent" as const),
      (all, role, cuts, chunks) => {
        const bytes = join(
          ...all.flatMap(({ series }) => series.map((frame) => rawFrame(frame, role))),
        );
        const received = assembleAll(chunksOf(bytes, cuts), { role, chunks });
        assertMessages(received, all.map(({ message }) => message));
      },
    ),
    { numRuns: 400 },
  );
});

test("the parts of a message add up to the message", () => {
  fc.assert(
    fc.property(frames, cuts, ({ message, series }, cuts) => {
      const parts: MessagePart[] = [];
      const decoder = new FrameDecoder({ role: "server" });
      const messages = new MessagePartDecoder();
      const sink = { enqueue: (part: MessagePart) => parts.push(part) };
      for (const chunk of chunksOf(join(...series.map((f) => rawFrame(f, "server"))), cuts)) {
        decoder.transform(chunk, { enqueue: (frame) => messages.transform(frame, sink) });
      }
      const data = parts.map((part) => part.data);
      const whole = typeof message === "string"
        ? data.join("")
        : join(...data.map((piece) => piece as Uint8Array));
      assertMessages([whole], [message]);
      assertEquals(parts.map((part) => part.fin).indexOf(true), parts.length - 1);
    }),
    { numRuns: 300 },
  );
});

test("what is encoded is decoded to the same", () => {
  const size = fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 400 }));
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), role, size, cuts, (all, role, size, cuts) => {
      const encoder = new FrameEncoder({ role, maxFramePayload: size });
      for (const message of all) encoder.write(message);
      const bytes = encoder.take();
      assert(parseFrames(bytes).every((frame) => frame.payload.length <= size));
      const other = role === "server" ? "client" : "server";
      assertMessages(assembleAll(chunksOf(bytes, cuts), { role: other }), all);
      FrameEncoder.recycle(bytes);
    }),
    { numRuns: 400 },
  );
});

/** Bytes that look like frames, more or less, so that more than the first byte is reached. */
const nearFrames = fc.array(
  fc.record({
    first: fc.oneof(
      {
        weight: 8,
        arbitrary: fc.constantFrom(0x81, 0x82, 0x01, 0x02, 0x80, 0x00, 0x89, 0x8a, 0x88),
      },
      { weight: 1, arbitrary: fc.nat(255) },
    ),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 140 }),
      fc.string({ unit: "binary", maxLength: 140 }),
    ),
    form: fc.option(fc.constantFrom(16 as const, 64 as const), { nil: undefined, freq: 6 }),
  }).map(({ first, payload, form }) => ({ first, payload, ...(form !== undefined && { form }) })),
  { maxLength: 12 },
);

function assertFramesOrError(chunks: Uint8Array[], role: "server" | "client"): void {
  const options = { role, maxMessageSize: 500, maxFragments: 4 };
  const decoder = new FrameDecoder(options);
  const assembler = new MessageAssembler(options);
  const sink = { enqueue: () => {} };
  try {
    for (const chunk of chunks) {
      decoder.transform(chunk, { enqueue: (frame) => assembler.transform(frame, sink) });
    }
  } catch (error) {
    assert(error instanceof WebSocketError, `${error}`);
    assert([1002, 1007, 1008, 1009].includes(error.closeCode), `${error.closeCode}`);
    assert(/^ERR_[A-Z0-9_]+$/.test(error.code), error.code);
  }
}

test("any bytes at all give frames, or a WebSocketError with a close code for the peer", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), role, cuts, (bytes, role, cuts) => {
      assertFramesOrError(chunksOf(bytes, cuts), role);
    }),
    { numRuns: 1500 },
  );
});

test("any frames, right or wrong, give messages, or a WebSocketError with a close code", () => {
  fc.assert(
    fc.property(nearFrames, role, cuts, (all, role, cuts) => {
      const bytes = join(...all.map((frame) => rawFrame(frame, role)));
      assertFramesOrError(chunksOf(bytes, cuts), role);
    }),
    { numRuns: 1500 },
  );
});

test("a frame that is wrong is as wrong in one chunk as byte by byte", () => {
  const verdict = (chunks: Iterable<Uint8Array>, role: "server" | "client") => {
    try {
      return join(...decodeAll(chunks, { role }).map((frame) => frame.payload)).join();
    } catch (error) {
      return (error as Error).message;
    }
  };
  fc.assert(
    fc.property(nearFrames, role, (all, role) => {
      const bytes = join(...all.map((frame) => rawFrame(frame, role)));
      const bytewise = [...bytes].map((byte) => new Uint8Array([byte]));
      assertEquals(verdict(bytewise, role), verdict([bytes], role));
    }),
    { numRuns: 300 },
  );
});

test("isValidUtf8 agrees with the platform on any bytes", () => {
  const pieces = fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    fc.string({ unit: "binary", maxLength: 40 }).map((text) => new TextEncoder().encode(text)),
  );
  const decoder = new TextDecoder("utf-8", { fatal: true });
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 6 }), (all) => {
      const bytes = join(...all);
      let valid = true;
      try {
        decoder.decode(bytes);
      } catch {
        valid = false;
      }
      assertEquals(isValidUtf8(bytes), valid);
    }),
    { numRuns: 1000 },
  );
});
