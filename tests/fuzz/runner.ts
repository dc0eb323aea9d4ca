import fc from "fast-check";
import { encodeHex } from "@std/encoding/hex";
import type { Target } from "./target.ts";

/** A failed case. */
export class Failure extends Error {
  /** Creates an error whose message says how to keep the case. */
  constructor(
    readonly target: string,
    readonly input: Uint8Array,
    readonly reason: unknown,
    seed: number,
    index: number,
  ) {
    super(
      `${target}, case ${index} of seed ${seed}: ${message(reason)}\n` +
        `for tests/fuzz/regressions.ts: { target: "${target}", input: "${encodeHex(input)}" }`,
      { cause: reason },
    );
  }
}

function message(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

/** The number of cases for each outcome. */
export type Outcomes = Map<string, number>;

/**
 * Runs the cases from `from` up to `to`.
 *
 * @throws {Failure} If a case fails, after it has been shrunk.
 */
export function runCases(
  target: Target,
  seed: number,
  from: number,
  to: number,
  outcomes: Outcomes,
): void {
  for (let index = from; index < to; index++) {
    const input = target.generate(seed, index);
    let outcome: string;
    try {
      outcome = target.check(input);
    } catch (error) {
      const [small, reason] = shrink(target, input, error);
      throw new Failure(target.name, small, reason, seed, index);
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
}

/** Shrinks a failing input with fast-check. Returns the smallest one, and its error. */
function shrink(target: Target, input: Uint8Array, error: unknown): [Uint8Array, unknown] {
  let [smallest, reason] = [input, error];
  // fast-check shrinks a given counterexample like one of its own.
  fc.check(
    fc.property(fc.uint8Array({ maxLength: input.length }), (candidate) => {
      try {
        target.check(candidate);
        return true;
      } catch (error) {
        if (candidate.length <= smallest.length) [smallest, reason] = [candidate.slice(), error];
        return false;
      }
    }),
    { examples: [[input]], numRuns: 1, interruptAfterTimeLimit: 20_000 },
  );
  return [smallest, reason];
}
