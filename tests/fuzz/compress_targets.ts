import { PerMessageDeflateCodec } from "../../src/extensions/permessage_deflate_codec.ts";
import type { FrameInit } from "../../src/protocol/frame.ts";
import { FrameEncoder } from "../../src/protocol/frame_encoder.ts";
import type { Message, OutgoingMessage } from "../../src/protocol/message.ts";
import { join } from "../support/bytes.ts";
import { badFrame, Bytes, damage, frame, message, ping, text } from "./arbitraries.ts";
import { payload } from "./deflate_arbitraries.ts";
import { drive } from "./drive.ts";
import type { Drive, Driven } from "./drive.ts";
import { PLAN, readPlan, writePlan } from "./frames_target.ts";
import { Random } from "./random.ts";
import { ensure, same } from "./target.ts";
import type { Target } from "./target.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Returns the extension in use, with parameters from the bits of `flags`. */
function use(
  flags: number,
  windowBits: number,
  maxMessageSize: number,
  level = 1,
): PerMessageDeflateCodec {
  const takesContextOver = (flags & 1) === 0;
  return new PerMessageDeflateCodec(
    { windowBits, takesContextOver, maxMessageSize },
    { windowBits, takesContextOver, level, memLevel: 1 + (flags >> 4) % 9 },
    (flags & 8) === 0 ? 0 : 20,
  );
}

/**
 * Compressed messages are decompressed to the same, with all parameters. Input: a plan, a byte of flags, a
 * byte with the window and the level, and items of four bytes: a kind, a size (two bytes) and a seed.
 */
export const compress: Target = {
  name: "compress",
  generate(seed, index) {
    const random = new Random(seed, index);
    const bytes = new Bytes();
    for (let count = 1 + random.small(5); count > 0; count--) {
      const size = random.once(500) ? 20_000 + random.below(20_000) : random.small(700);
      bytes.push(random.below(256), size >> 8, size & 0xff, random.below(8));
    }
    const settings = [random.below(256), random.below(256)];
    return join(writePlan(random, random.once(2)), Uint8Array.from(settings), bytes.take());
  },
  check(input) {
    const plan = { ...readPlan(input), maxMessageSize: 1024 * 1024, maxFragments: Infinity };
    const [flags = 0, numbers = 0] = input.subarray(PLAN);
    const windowBits = 9 + (numbers & 7) % 7;
    const [from, to] = [0, 1].map(() => use(flags, windowBits, 1024 * 1024, (numbers >> 3) % 10));
    const encoder = new FrameEncoder({ role: plan.role === "server" ? "client" : "server" });
    const sent: OutgoingMessage[] = [];
    for (let at = PLAN + 2; at + 4 <= input.length; at += 4) {
      const [kind = 0, high = 0, low = 0, seed = 0] = input.subarray(at, at + 4);
      sent.push(send(from!, encoder, kind, (high << 8) | low, seed));
    }
    const driven = drive(encoder.take(), { ...plan, extensions: to });
    from!.close();
    to!.close();
    ensure(driven.error === undefined, () => `${driven.error}`);
    ensure(driven.events.length === sent.length, () => `${driven.events.length} messages`);
    sent.forEach((message, i) =>
      ensure(isSame(driven.events[i]!, message as Message), () => `message ${i}`)
    );
    return (flags & 1) === 0 ? "context taken over" : "no context taken over";
  },
};

function send(
  extension: PerMessageDeflateCodec,
  encoder: FrameEncoder,
  kind: number,
  size: number,
  seed: number,
): OutgoingMessage {
  const random = new Random(seed, kind & 3);
  const isText = (kind & 1) === 0;
  let bytes: Uint8Array = isText ? text(random, size) : random.bytes(size);
  // Few seeds and few letters, so that there are matches in this message and in others.
  if (!isText && (kind & 2) !== 0) bytes = bytes.map((byte) => byte & 3);
  const fragments = (kind >> 2) % 4 === 3 ? 3 : 1;
  const sink = { enqueue: (frame: FrameInit) => encoder.writeFrame(frame) };
  const each = Math.ceil(bytes.length / fragments);
  for (let i = 0; i < fragments; i++) {
    extension.send(
      {
        opcode: i > 0 ? 0 : isText ? 1 : 2,
        fin: i === fragments - 1,
        payload: bytes.subarray(i * each, (i + 1) * each),
      },
      sink,
      { compress: (kind & 0x80) === 0 },
    );
  }
  return isText ? decoder.decode(bytes) : bytes;
}

function isSame(a: Driven["events"][number] | undefined, b: Driven["events"][number] | undefined) {
  if (typeof a !== "object" || typeof b !== "object") return a === b;
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && same(a, b);
  }
  return a.kind === b.kind && same(a.bytes, b.bytes);
}

/**
 * Any bytes with permessage-deflate in use, split anywhere, with any pauses, give the messages and the
 * close code that they give in one piece. For a stream that is cut off, as far as both got.
 */
export const wire: Target = {
  name: "wire",
  generate(seed, index) {
    const random = new Random(seed, index);
    const isServer = random.once(2);
    const bytes = new Bytes();
    for (let count = 1 + random.small(5); count > 0; count--) {
      const kind = random.below(8);
      if (kind < 2) message(random, 2 - kind, text(random, random.small(60)), isServer, bytes);
      else if (kind === 2) ping(random, isServer, bytes);
      else if (kind === 3 && random.once(2)) badFrame(random, isServer, bytes);
      else compressedMessage(random, isServer, bytes);
    }
    let stream: Uint8Array = bytes.take();
    if (random.once(3)) stream = damage(random, stream);
    const settings = [random.below(256), random.below(256)];
    return join(writePlan(random, isServer), Uint8Array.from(settings), stream);
  },
  check(input) {
    const plan = readPlan(input);
    const [flags = 0, numbers = 0] = input.subarray(PLAN);
    const bytes = input.subarray(PLAN + 2);
    const run = (how: Partial<Drive>) => {
      const extensions = use(flags, 9 + (numbers & 7) % 7, plan.maxMessageSize);
      const driven = drive(bytes, { ...plan, ...how, extensions });
      extensions.close();
      return driven;
    };
    const [whole, other] = [run({ way: "codec", cut: 0, pauses: 0 }), run({})];
    const [one, two] = [whole, other].map(({ error }) => error?.closeCode ?? 0);
    // If two things are wrong with a message, the split decides which is found first: invalid UTF-8, too
    // many fragments, or too many bytes, which all come from one call of zlib.
    const isEither = one! >= 1007 && two! >= 1007;
    ensure(
      one === two || isEither,
      () => `${whole.error ?? 0} in one piece, ${other.error ?? 0} else`,
    );
    const count = Math.max(whole.events.length, other.events.length);
    for (let i = 0; i < count; i++) {
      ensure(isSame(whole.events[i], other.events[i]), () => `event ${i} is another`);
    }
    return `${one === two ? one || "open" : [one, two].sort().join(" or ")}`;
  },
};

function compressedMessage(random: Random, isServer: boolean, into: Bytes): void {
  const { bytes } = payload(random, 0);
  const opcode = random.once(2) ? 0x42 : 0x41;
  if (random.once(2)) return frame(random, 0x80 | opcode, bytes, isServer, into);
  const middle = random.below(bytes.length + 1);
  frame(random, opcode, bytes.subarray(0, middle), isServer, into);
  if (random.once(3)) ping(random, isServer, into);
  frame(random, 0x80, bytes.subarray(middle), isServer, into);
}
