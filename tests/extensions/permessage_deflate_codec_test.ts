import { MessageTooBigError, ProtocolError } from "../../src/protocol/errors.ts";
import type { Frame, FrameInit } from "../../src/protocol/frame.ts";
import { Opcode } from "../../src/protocol/opcode.ts";
import { PerMessageDeflateCodec } from "../../src/extensions/permessage_deflate_codec.ts";
import { assert, assertEquals, assertThrows, hex, test, toHex } from "../harness.ts";
import { cut, randomBytes } from "../protocol/frames.ts";
import { join, utf8 } from "../support/bytes.ts";
import {
  compressed,
  CONTEXTS,
  encode,
  json,
  makeDeflate,
  Receiver,
  sendAll,
  toFrames,
} from "./deflate_helpers.ts";

const PING = hex("89 02 68 69");

for (const [name, takesContextOver] of CONTEXTS) {
  test(`PerMessageDeflateCodec (${name}) passes control frames on between the fragments of a message`, () => {
    const receiver = new Receiver(makeDeflate({ takesContextOver }));
    const sent = sendAll(makeDeflate({ takesContextOver }), toFrames(json(3000), 3));
    for (const frame of sent) {
      receiver.take(PING);
      receiver.take(encode([frame]));
    }
    assertEquals(receiver.messages, [json(3000)]);
    const pings = receiver.frames.filter(({ opcode }) => opcode === Opcode.Ping);
    assertEquals(pings.map(({ payload }) => toHex(payload)), ["68 69", "68 69", "68 69"]);
  });

  test(`PerMessageDeflateCodec (${name}) receives uncompressed messages between compressed ones`, () => {
    const sender = makeDeflate({ takesContextOver, threshold: 100 });
    const receiver = new Receiver(makeDeflate({ takesContextOver }));
    const messages = [json(500), "short", json(600), randomBytes(99), "", json(500)];
    const sent = messages.flatMap((message) => sendAll(sender, toFrames(message)));
    assertEquals(sent.map(({ rsv1 }) => rsv1 === true), [true, false, true, false, false, true]);
    for (const chunk of cut(encode(sent), "random chunks")) receiver.take(chunk);
    assertEquals(receiver.messages, messages);
    // An uncompressed message in fragments after a compressed one.
    receiver.take(encode(toFrames("again", 2)));
    assertEquals(receiver.messages.at(-1), "again");
  });

  test(`PerMessageDeflateCodec (${name}) receives and sends a message in fragments of one byte`, () => {
    const sender = makeDeflate({ takesContextOver });
    const [whole] = sendAll(sender, toFrames(json(300)));
    const bytes = Array.from(whole!.payload!, (byte) => new Uint8Array([byte]));
    const receiver = new Receiver(makeDeflate({ takesContextOver }));
    receiver.take(compressed(bytes));
    const fragments = sendAll(makeDeflate({ takesContextOver }), toFrames("0123456789", 10));
    assertEquals(fragments.length, 10);
    const other = new Receiver(makeDeflate({ takesContextOver }));
    other.take(encode(fragments));
    assertEquals([...receiver.messages, ...other.messages], [json(300), "0123456789"]);
  });

  test(`PerMessageDeflateCodec (${name}) passes each fragment on with its length in the last part`, () => {
    const sent = sendAll(makeDeflate({ takesContextOver }), toFrames(json(200_000), 2));
    const receiver = new Receiver(makeDeflate({ takesContextOver }));
    receiver.take(encode(sent));
    assertEquals(receiver.messages, [json(200_000)]);
    let offset = 0;
    for (const frame of receiver.frames) {
      assertEquals([frame.rsv1, frame.payloadOffset], [false, offset]);
      offset += frame.payload.length;
      assert(frame.payloadLength === Infinity || frame.payloadLength === offset);
      if (frame.payloadLength === offset) offset = 0;
    }
    const lasts = receiver.frames.filter(({ payloadLength }) => payloadLength !== Infinity);
    assertEquals(lasts.map(({ fin }) => fin), [false, true]);
  });

  test(`PerMessageDeflateCodec (${name}) passes a whole message on as one whole frame`, () => {
    const receiver = new Receiver(makeDeflate({ takesContextOver }));
    receiver.take(encode(sendAll(makeDeflate({ takesContextOver }), toFrames(utf8(json(5000))))));
    assertEquals(receiver.frames.length, 1);
    const { payload, payloadLength, payloadOffset } = receiver.frames[0]!;
    assertEquals([payloadLength, payloadOffset], [payload.length, 0]);
  });

  test(`PerMessageDeflateCodec (${name}) rejects RSV1 within a message, and then ignores all frames`, () => {
    for (
      const bytes of ["c9 00", "ca 01 41", "41 03 f2 48 cd c0 04 c9 c9 07 00", "01 01 41 c0 01 42"]
    ) {
      const deflate = makeDeflate({ takesContextOver });
      const receiver = new Receiver(deflate);
      const error = assertThrows(() => receiver.take(hex(bytes)), ProtocolError);
      assertEquals(error.code, "ERR_RSV");
      const before = receiver.frames.length;
      deflate.receive(frameOf("late"), { enqueue: () => assert(false) });
      assertEquals(receiver.frames.length, before);
    }
  });

  test(`PerMessageDeflateCodec (${name}) ignores frames after an error and after close()`, () => {
    const failed = makeDeflate({ takesContextOver, maxMessageSize: 4 });
    const hello = { ...frameOf("x"), rsv1: true, payload: hex("f2 48 cd c9 c9 07 00") };
    const sink = { enqueue: () => assert(false, "nothing may come out") };
    assertThrows(
      () => failed.receive({ ...hello, payloadLength: 7 }, sink),
      MessageTooBigError,
    );
    failed.receive({ ...hello, payloadLength: 7 }, sink);
    failed.resume(sink);
    const closed = makeDeflate({ takesContextOver });
    closed.close();
    closed.close();
    closed.receive({ ...hello, payloadLength: 7 }, sink);
  });

  test(`PerMessageDeflateCodec (${name}) that is closed within its sink passes nothing more on`, () => {
    const [frame] = sendAll(makeDeflate({ takesContextOver }), toFrames(new Uint8Array(500_000)));
    const deflate = makeDeflate({ takesContextOver });
    let count = 0;
    const payload = frame!.payload!;
    deflate.receive({
      ...frameOf(""),
      opcode: 2,
      rsv1: true,
      payload,
      payloadLength: payload.length,
    }, {
      enqueue: () => {
        count++;
        deflate.close();
      },
    });
    assertEquals(count, 1);
  });
}

function frameOf(text: string) {
  const payload = utf8(text);
  const rest = { payload, payloadLength: payload.length, payloadOffset: 0, opcode: Opcode.Text };
  return { fin: true, rsv1: false, rsv2: false, rsv3: false, ...rest };
}

test("PerMessageDeflateCodec.pause stops within a message, and resume continues there", () => {
  const message = new Uint8Array(1_000_000);
  const wire = encode(sendAll(makeDeflate(), [...toFrames(message), ...toFrames("after")]));
  const deflate = makeDeflate();
  const sizes: number[] = [];
  const sink = {
    enqueue: ({ payload }: { payload: Uint8Array }) => {
      sizes.push(payload.length);
      deflate.pause();
    },
  };
  const [first] = sendAll(makeDeflate(), toFrames(message));
  const payload = first!.payload!.slice();
  assert(wire.length > payload.length);
  deflate.receive(
    { ...frameOf(""), opcode: 2, rsv1: true, payload, payloadLength: payload.length },
    sink,
  );
  payload.fill(0xff); // It was lent.
  for (let count = 1; deflate.isPaused; count++) {
    assertEquals(sizes.length, count);
    deflate.resume(sink);
    if (sizes.length === count) break;
  }
  assertEquals(sizes.reduce((sum, size) => sum + size, 0), message.length);
  assert(sizes.length > 10 && sizes.every((size) => size <= 64 * 1024));
  // The context is complete: the next message can be inflated.
  const receiver = new Receiver(deflate);
  receiver.take(compressed([hex("f2 48 cd c9 c9 07 00")]));
  assertEquals(receiver.messages, ["Hello"]);
});

test("PerMessageDeflateCodec lends the parts of a message to a sink that copies them", () => {
  const [sent] = sendAll(makeDeflate(), toFrames(new Uint8Array(200_000)));
  const [small] = sendAll(makeDeflate(), toFrames(new Uint8Array(50_000)));
  const lends = (how: { copies?: boolean; copiesParts?: boolean }, payload: Uint8Array) => {
    const deflate = makeDeflate();
    const buffers: ArrayBufferLike[] = [];
    const sink = { ...how, enqueue: (frame: Frame) => buffers.push(frame.payload.buffer) };
    const frame = { ...frameOf(""), opcode: 2, rsv1: true, payload, payloadLength: payload.length };
    for (let i = 0; i < 2; i++) deflate.receive(frame as Frame, sink);
    return new Set(buffers).size < buffers.length;
  };
  assertEquals(lends({}, sent!.payload!), false);
  assertEquals(lends({ copiesParts: true }, sent!.payload!), true);
  assertEquals(lends({ copiesParts: true }, small!.payload!), false, "a whole message");
  assertEquals(lends({ copies: true }, small!.payload!), true);
});

test("PerMessageDeflateCodec.resume within the sink continues at once", () => {
  for (const [, takesContextOver] of CONTEXTS) {
    const [sent] = sendAll(makeDeflate(), toFrames(new Uint8Array(200_000)));
    const payload = sent!.payload!;
    const deflate = makeDeflate({ takesContextOver });
    let size = 0;
    const sink = {
      enqueue: (frame: { payload: Uint8Array }) => {
        size += frame.payload.length;
        deflate.pause();
        deflate.resume(sink);
      },
    };
    const frame = { ...frameOf(""), opcode: 2, rsv1: true, payload, payloadLength: payload.length };
    deflate.receive(frame as Frame, sink);
    assertEquals(size, 200_000);
  }
});

test("PerMessageDeflateCodec sends small and empty messages, and those with compress: false, uncompressed", () => {
  const deflate = makeDeflate({ threshold: 10 });
  assertEquals([deflate.changes(9), deflate.changes(10)], [false, true]);
  assertEquals(makeDeflate({ threshold: 0 }).changes(0), false);
  const rsv = (frames: FrameInit[], compress?: boolean) =>
    sendAll(deflate, frames, compress === undefined ? {} : { compress })
      .map(({ rsv1 }) => rsv1 === true);
  assertEquals(rsv(toFrames("123456789")), [false]);
  assertEquals(rsv(toFrames("1234567890")), [true]);
  assertEquals(rsv(toFrames("1234567890"), true), [true]);
  assertEquals(rsv(toFrames("1234567890"), false), [false]);
  assertEquals(rsv(toFrames(json(1000), 3), false), [false, false, false]);
  // A message in fragments may still become large.
  assertEquals(rsv(toFrames("1234", 2)), [true, false]);
  // A compressed message with a control frame between its fragments.
  const ping: FrameInit = { opcode: Opcode.Ping, payload: utf8("1234567890") };
  const [first, second] = toFrames("12345678901234567890", 2);
  assertEquals(rsv([first!, ping, second!]), [true, false, false]);
  deflate.close();
});

test("PerMessageDeflateCodec sends a frame that only has an opcode", () => {
  const sent = sendAll(makeDeflate(), [{ opcode: Opcode.Text }, { opcode: Opcode.Pong }]);
  assertEquals(toHex(encode(sent)), "81 00 8a 00");
});

test("PerMessageDeflateCodec passes on payloads that it does not overwrite", () => {
  const receiver = new Receiver(makeDeflate());
  const sender = makeDeflate();
  const messages = [randomBytes(1000, 1), randomBytes(1000, 2), new Uint8Array(100_000).fill(7)];
  for (const message of messages) receiver.take(encode(sendAll(sender, toFrames(message))));
  receiver.take(encode(sendAll(sender, toFrames(new Uint8Array(100_000).fill(9)))));
  assertEquals(join(...receiver.messages.slice(0, 3) as Uint8Array[]), join(...messages));
});

test("PerMessageDeflateCodec.heldBytes counts both windows, and the streams of unfinished messages", () => {
  const deflate = makeDeflate({ windowBits: 10 });
  const receiver = new Receiver(deflate);
  assertEquals(deflate.heldBytes, 0);
  const [first, last] = sendAll(deflate, toFrames(json(3000), 2));
  // What has been sent: at most 1 KiB, which is the window.
  assertEquals(deflate.heldBytes, 1024);
  receiver.take(encode([first!]));
  assert(deflate.heldBytes > 40 * 1024, "a stream is in use for an unfinished message");
  receiver.take(encode([last!]));
  assertEquals(deflate.heldBytes, 2 * 1024);
  deflate.close();
  assertEquals(deflate.heldBytes, 0);
});

test("PerMessageDeflateCodec shares its transform with equal codecs, while it compresses", () => {
  const codec = makeDeflate({ level: 3 });
  const { shared } = codec;
  assert(shared !== undefined && codec.shared === shared);
  assert(makeDeflate({ level: 3 }).shared === shared, "equal options");
  assert(makeDeflate({ level: 4 }).shared !== shared, "other options");
  codec.close();
  assertEquals(codec.shared, undefined);
  const inflaterOptions = { windowBits: 15, takesContextOver: true, maxMessageSize: 1024 };
  assertEquals(new PerMessageDeflateCodec(inflaterOptions, undefined, 0).shared, undefined);
});

for (const [name, takesContextOver] of CONTEXTS) {
  test(`PerMessageDeflateCodec.shared (${name}) compresses messages that fit between a connection's own`, () => {
    const sender = makeDeflate({ takesContextOver });
    const receiver = new Receiver(makeDeflate({ takesContextOver }));
    const own = (message: string) => receiver.take(encode(sendAll(sender, toFrames(message))));
    const shared = (message: string) => {
      const { frame, context } = sender.shared!.transform(toFrames(message)[0]!);
      assertEquals(frame.rsv1, true);
      receiver.take(encode([frame]));
      sender.sentShared(context);
    };
    // Twice each: a message refers to the one before it, if the context is taken over.
    const messages = [json(900), json(900), json(700), json(700), json(900), json(700)];
    for (const [i, message] of messages.entries()) (i % 3 === 1 ? shared : own)(message);
    assertEquals(receiver.messages, messages);
  });

  test(`PerMessageDeflateCodec.shared (${name}) does not depend on the messages before it`, () => {
    const used = makeDeflate({ takesContextOver });
    sendAll(used, toFrames(json(800)));
    const payloadOf = (deflate: typeof used) =>
      toHex(deflate.shared!.transform(toFrames(json(800))[0]!).frame.payload!);
    assertEquals(payloadOf(used), payloadOf(makeDeflate({ takesContextOver })));
  });
}

test("PerMessageDeflateCodec.shared is undefined after close()", () => {
  const deflate = makeDeflate();
  assert(deflate.shared !== undefined, "before");
  deflate.close();
  assertEquals(deflate.shared, undefined);
});
