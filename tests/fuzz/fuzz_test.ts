// Tests each property for a moment, with new cases each time, and with inputs that have failed before. The
// long run is `deno task fuzz`.
import { assert, hex, test } from "../harness.ts";
import { REGRESSIONS } from "./regressions.ts";
import { runCases } from "./runner.ts";
import type { Outcomes } from "./runner.ts";
import { TARGETS } from "./targets.ts";

/** The time for each property, in milliseconds. */
const TIME = 400;

for (const target of TARGETS) {
  test(`fuzz: ${target.name}`, () => {
    const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
    const outcomes: Outcomes = new Map();
    const end = performance.now() + TIME;
    let cases = 0;
    while (performance.now() < end) runCases(target, seed, cases, cases += 20, outcomes);
    // If all cases have the same outcome, the generator is broken.
    assert(outcomes.size > 1, `${cases} cases, all ${[...outcomes.keys()]}`);
  });
}

for (const { target: name, input, was } of REGRESSIONS) {
  test(`fuzz: ${name} no longer fails: ${was}`, () => {
    const target = TARGETS.find((target) => target.name === name);
    assert(target !== undefined, name);
    target.check(hex(input));
  });
}
