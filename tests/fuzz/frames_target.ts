import { join } from "../support/bytes.ts";
import { badFrame, Bytes, damage, validStream } from "./arbitraries.ts";
import { drive, WAYS } from "./drive.ts";
import type { Driven } from "./drive.ts";
import { judge } from "./frame_model.ts";
import type { Verdict } from "./frame_model.ts";
import { Random } from "./random.ts";
import { ensure, same } from "./target.ts";
import type { Target } from "./target.ts";

/** The number of bytes of an input that describe how the rest is used: {@linkcode readPlan}. */
export const PLAN = 3;

/** The limits, selected by a bit of the plan. */
const LIMITS = [
  { maxMessageSize: 1024 * 1024, maxFragments: 1024 },
  { maxMessageSize: 500, maxFragments: 4 },
] as const;

/** Reads a plan: role, way and limits; the split; the pauses. */
export function readPlan(input: Uint8Array) {
  const [flags = 0, cut = 0, pauses = 0] = input;
  return {
    role: (flags & 1) === 0 ? "server" as const : "client" as const,
    ...LIMITS[(flags >> 1) & 1]!,
    way: WAYS[(flags >> 2) % WAYS.length]!,
    cut,
    pauses,
  };
}

/** Returns a random plan for a role. */
export function writePlan(random: Random, isServer: boolean): Uint8Array<ArrayBuffer> {
  const flags = (isServer ? 0 : 1) | (random.below(2) << 1) | (random.below(WAYS.length) << 2);
  const cut = random.once(4) ? random.below(2) : random.below(256);
  return Uint8Array.from([flags, cut, random.once(2) ? 0 : random.below(256)]);
}

/** Returns a stream that is valid, damaged, or random. */
export function anyStream(random: Random, masked: boolean): Uint8Array {
  const kind = random.below(20);
  if (kind === 0) return random.bytes(random.small(120));
  const bytes = new Bytes();
  validStream(random, masked, bytes);
  if (kind >= 12 && kind < 16) {
    badFrame(random, masked, bytes);
    validStream(random, masked, bytes);
  }
  let stream: Uint8Array = bytes.take();
  if (kind >= 14) { for (let n = 1 + random.small(3); n > 0; n--) stream = damage(random, stream); }
  return stream;
}

/**
 * Any bytes, split anywhere, in either role, in any way and with any pauses, give exactly the messages and
 * the close code of the model. Byte by byte, the error is thrown at the model's byte.
 */
export const frames: Target = {
  name: "frames",
  generate(seed, index) {
    const random = new Random(seed, index);
    const masked = random.once(2);
    return join(writePlan(random, masked), anyStream(random, masked));
  },
  check(input) {
    const plan = readPlan(input);
    const bytes = input.subarray(PLAN);
    const verdict = judge(bytes, { ...plan, isServer: plan.role === "server" });
    const driven = drive(bytes, plan);
    const code = driven.error?.closeCode ?? 0;
    ensure(code === verdict.code, () => `${driven.error ?? "no error"}, expected ${verdict.code}`);
    compare(driven, verdict);
    const isOpen = code === 0 && !verdict.isClosed;
    if (plan.way === "codec" && isOpen) {
      ensure(driven.isCut === verdict.isCut, () => `cut: ${driven.isCut}, not ${verdict.isCut}`);
    }
    // A pause delays the error.
    if (plan.cut === 1 && code !== 0 && (plan.way === "codec" || plan.pauses === 0)) {
      ensure(
        driven.taken === verdict.at + 1,
        () => `${driven.error} at byte ${driven.taken - 1}, expected at ${verdict.at}`,
      );
    }
    return isOpen ? (verdict.isCut ? "cut" : "whole") : code === 0 ? "closed" : String(code);
  },
};

/** Fails unless the messages and the control frames are those of the model, in the same order. */
export function compare(driven: Driven, { found }: Verdict): void {
  const { events } = driven;
  ensure(events.length === found.length, () => `${events.length} events, not ${found.length}`);
  found.forEach(({ kind, bytes }, i) => {
    const event = events[i]!;
    if (typeof event === "string") {
      ensure(kind === "text" && event === decode(bytes), () => `event ${i} is another text`);
    } else if (event instanceof Uint8Array) {
      ensure(kind === "binary" && same(event, bytes), () => `event ${i} is other bytes`);
    } else {
      ensure(kind === event.kind && same(event.bytes, bytes), () => `event ${i} is another frame`);
    }
  });
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
