import { FrameEncoder } from "../../src/protocol/frame_encoder.ts";
import type { FrameInit } from "../../src/protocol/frame.ts";
import type { Message } from "../../src/protocol/message.ts";
import { writeFragments } from "../protocol/frames.ts";
import { join } from "../support/bytes.ts";
import { Bytes, codePoint } from "./arbitraries.ts";
import { drive } from "./drive.ts";
import { judge } from "./frame_model.ts";
import type { Found } from "./frame_model.ts";
import { compare, PLAN, readPlan, writePlan } from "./frames_target.ts";
import { Random } from "./random.ts";
import { ensure } from "./target.ts";
import type { Target } from "./target.ts";

/** The sizes on both sides of each change of the header's format and of the way to encode text. */
const EDGES = [0, 1, 32, 33, 47, 48, 49, 63, 64, 65, 124, 125, 126, 127, 500];
const LARGE = [16_384, 16_385, 21_845, 65_535, 65_536];

const textEncoder = new TextEncoder();

/**
 * Encoded messages are decoded to the same, by the model and by src/. Input: a plan, the size of the
 * fragments, and items of four bytes: a kind, a size (two bytes) and a seed.
 */
export const encode: Target = {
  name: "encode",
  generate(seed, index) {
    const random = new Random(seed, index);
    const bytes = new Bytes();
    for (let count = 1 + random.small(6); count > 0; count--) {
      const size = random.once(3000) ? random.pick(LARGE) : random.pick([
        random.small(64),
        random.small(600),
        random.pick(EDGES),
      ]);
      bytes.push(random.below(8), size >> 8, size & 0xff, random.below(256));
    }
    const longest = random.once(2) ? 0 : 1 + random.small(255);
    return join(
      writePlan(random, random.once(2)),
      Uint8Array.from([longest]),
      bytes.take(),
    );
  },
  check(input) {
    const plan = { ...readPlan(input), maxMessageSize: Infinity, maxFragments: Infinity };
    const longest = input[PLAN] ?? 0;
    const encoder = new FrameEncoder({ role: plan.role === "server" ? "client" : "server" });
    const sent: Found[] = [];
    for (let at = PLAN + 1; at + 4 <= input.length; at += 4) {
      const [kind = 0, high = 0, low = 0, seed = 0] = input.subarray(at, at + 4);
      const { message, found } = make(kind, (high << 8) | low, seed);
      const isMessage = typeof message === "string" || message instanceof Uint8Array;
      if (longest > 0 && isMessage) writeFragments(encoder, message, longest);
      else encoder.write(message);
      sent.push(found);
    }
    const bytes = encoder.take();
    const rules = { ...plan, isServer: plan.role === "server" };
    const verdict = judge(bytes, rules);
    ensure(verdict.code === 0 && !verdict.isCut, () => `encoded ${verdict.code}`);
    const driven = drive(bytes, plan);
    ensure(driven.error === undefined, () => `${driven.error}`);
    compare(driven, verdict);
    compare(driven, { ...verdict, found: sent });
    FrameEncoder.recycle(bytes);
    return plan.role === "server" ? "sent by a client" : "sent by a server";
  },
};

function make(
  kind: number,
  size: number,
  seed: number,
): { message: Message | FrameInit; found: Found } {
  const random = new Random(seed, kind);
  if (kind % 8 < 2) {
    const bytes = random.bytes(size);
    return { message: bytes, found: { kind: "binary", bytes } };
  }
  if (kind % 8 === 2) {
    const bytes = random.bytes(size % 126);
    return { message: { opcode: 0x9, payload: bytes }, found: { kind: "ping", bytes } };
  }
  const isAscii = kind % 8 < 5;
  let text = "";
  while (text.length < size) {
    text += isAscii
      ? String.fromCharCode(random.below(0x80))
      : String.fromCodePoint(codePoint(random));
  }
  // A lone surrogate has no UTF-8; the platform's encoder replaces it.
  if (kind % 8 === 7) text += random.pick(["\ud83d", "\ude00", "\ude00\ud83d"]);
  return { message: text, found: { kind: "text", bytes: textEncoder.encode(text) } };
}
