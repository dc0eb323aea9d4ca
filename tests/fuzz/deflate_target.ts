import { PerMessageDeflateCodec } from "../../src/extensions/permessage_deflate_codec.ts";
import { join } from "../support/bytes.ts";
import { Bytes, frame } from "./arbitraries.ts";
import { payloads } from "./deflate_arbitraries.ts";
import { drive, WAYS } from "./drive.ts";
import { inflate } from "./inflate_model.ts";
import type { Inflated } from "./inflate_model.ts";
import { Random } from "./random.ts";
import { ensure, same } from "./target.ts";
import type { Target } from "./target.ts";

/** The number of bytes of an input that describe how the rest is used. */
const PLAN = 4;
const SIZES = [1024 * 1024, 500, 1024 * 1024, 70_000] as const;

function readPlan(input: Uint8Array) {
  const [flags = 0, window = 0, cut = 0, pauses = 0] = input;
  return {
    takesContextOver: (flags & 2) === 0,
    maxMessageSize: SIZES[(flags >> 2) & 3]!,
    way: WAYS[(flags >> 4) % WAYS.length]!,
    windowBits: 8 + (window & 7),
    fragments: window >> 3,
    cut,
    pauses,
  };
}

/**
 * Any bytes as the payloads of compressed messages, in any fragments, give the messages of the model, or
 * the close code for the first invalid one.
 */
export const deflate: Target = {
  name: "deflate",
  generate(seed, index) {
    const random = new Random(seed, index);
    const cut = random.once(2) ? 0 : random.below(256);
    const plan = [
      random.below(256),
      random.below(256),
      cut,
      random.once(2) ? 0 : random.below(256),
    ];
    return join(Uint8Array.from(plan), payloads(random));
  },
  check(input) {
    const plan = readPlan(input);
    const messages = split(input.subarray(PLAN));
    const wire = new Bytes();
    for (const [i, payload] of messages.entries()) send(payload, plan.fragments + i, wire);
    const extensions = new PerMessageDeflateCodec(plan, undefined, 0);
    const driven = drive(wire.take(), {
      ...plan,
      role: "client",
      maxFragments: Infinity,
      extensions,
    });
    extensions.close();
    return compareWithModel(messages, plan, driven.events, driven.error?.closeCode ?? 0);
  },
};

/** Splits the input into messages: each has a length of two bytes, then its bytes. */
function split(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!;
    messages.push(bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return messages;
}

/** Writes a message as a server sends it, in fragments that depend on the seed. */
function send(payload: Uint8Array, seed: number, wire: Bytes): void {
  const random = new Random(seed);
  const fragments = (seed & 31) < 12 ? 1 : 1 + random.below(5);
  for (let i = 0, start = 0; i < fragments; i++) {
    const isLast = i === fragments - 1;
    const end = isLast ? payload.length : start + random.below(payload.length - start + 1);
    const first = (isLast ? 0x80 : 0) | (i === 0 ? 0x42 : 0);
    frame(random, first, payload.subarray(start, end), false, wire);
    start = end;
  }
}

function compareWithModel(
  messages: Uint8Array[],
  plan: ReturnType<typeof readPlan>,
  events: readonly unknown[],
  code: number,
): string {
  const { maxMessageSize, takesContextOver } = plan;
  let before = new Uint8Array(0);
  let isFar = false;
  for (const [i, payload] of messages.entries()) {
    const inflated = inflate(payload, before, maxMessageSize + 100_000);
    const codes = acceptable(inflated, payload.length, plan);
    isFar ||= inflated.distance > 1 << plan.windowBits;
    // A distance beyond the negotiated window: the bytes may or may not be available.
    if (isFar) codes.add(1007);
    if (i === events.length) {
      ensure(codes.has(code), () => `${code} at message ${i}, expected ${[...codes].join(" or ")}`);
      return `${code}`;
    }
    ensure(codes.has(0), () => `a message, expected ${[...codes].join(" or ")} at message ${i}`);
    const event = events[i];
    ensure(
      event instanceof Uint8Array && same(event, inflated.output),
      () => `message ${i} is another`,
    );
    if (takesContextOver) before = join(before, inflated.output).slice(-32_768);
  }
  ensure(code === 0, () => `${code} after the last message`);
  return "messages";
}

/** Returns the acceptable close codes for a message; 0 if it may be accepted. */
function acceptable(
  inflated: Inflated,
  length: number,
  plan: ReturnType<typeof readPlan>,
): Set<number> {
  const { output, end, finals, outputs } = inflated;
  const { maxMessageSize } = plan;
  const codes = new Set<number>();
  // The limit of final blocks applies first if the output was still small enough. There is no restart after
  // a final block at the end.
  const restart = finals.findIndex((consumed, i) =>
    consumed < length && i + 1 > 64 + consumed / 64
  );
  const isBig = output.length > maxMessageSize;
  if (restart !== -1 && outputs[restart]! <= maxMessageSize) return codes.add(1008);
  if (!isBig) return codes.add(end === "ok" ? 0 : 1007);
  codes.add(1009);
  // An error directly after the first byte over the limit may be found first.
  if (end === "wrong" && output.length === maxMessageSize + 1) codes.add(1007);
  return codes;
}
