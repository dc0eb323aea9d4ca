/** Runs scenarios: by their seed, or by a script of actions; and shrinks a script that fails. */

import { Random } from "../fuzz/random.ts";
import { chooseAction, perform } from "./actions.ts";
import { configOf } from "./config.ts";
import type { Action } from "./config.ts";
import { Violation } from "./ledger.ts";
import type { Network } from "./network.ts";
import { Scenario } from "./scenario.ts";
import { shrink } from "./shrink.ts";
import type { VirtualTime } from "./virtual_time.ts";

/** The outcome of a scenario. */
export interface Outcome {
  readonly actions: Action[];
  readonly violation: Violation | undefined;
  /** How many promises were followed to their end. */
  readonly promises: number;
  /** How many connections a server has accepted. */
  readonly served: number;
  /** A number that depends on everything that has happened, to compare two runs. */
  readonly digest: number;
}

/** The world of a process, in which one scenario runs at a time. */
export class Driver {
  readonly #time: VirtualTime;
  readonly #network: Network;
  #scenario: Scenario | undefined;

  constructor(time: VirtualTime, network: Network) {
    this.#time = time;
    this.#network = network;
  }

  /** Reports an error that no code of a scenario has caught: an unhandled rejection, for one. */
  uncaught(error: unknown): void {
    this.#scenario?.violated(
      new Violation(
        "no rejection is unhandled",
        error instanceof Error ? `${error.stack}` : `${error}`,
      ),
    );
  }

  /** Runs the scenario of a seed, of at most so many actions; or, with a script, its actions. */
  async run(seed: number, most: number, script?: readonly Action[]): Promise<Outcome> {
    const random = new Random(seed);
    const config = configOf(random);
    const scenario = this.#scenario = new Scenario(config, this.#time, this.#network);
    const actions: Action[] = [];
    let digest = 0;
    await scenario.start();
    const count = script?.length ?? Math.min(most, 20 + random.below(200));
    for (let i = 0; i < count && scenario.violation === undefined; i++) {
      const action = script?.[i] ?? chooseAction(random, scenario);
      actions.push(action);
      await perform(scenario, action);
      digest = mix(digest, `${action}${scenario.netEvents}${this.#time.elapsed}`);
    }
    if (config.isCalmed && scenario.violation === undefined) {
      await scenario.calm();
      scenario.checkQuiet();
    }
    if (scenario.violation === undefined) await scenario.end();
    digest = mix(digest, `${scenario.netEvents} ${scenario.promises.count}`);
    const { violation } = scenario;
    if (violation !== undefined) await scenario.dispose();
    return {
      actions,
      violation,
      promises: scenario.promises.count,
      served: scenario.served,
      digest,
    };
  }

  /** Returns the shortest script found that breaks the same invariant. */
  async shrink(seed: number, { actions, violation }: Outcome): Promise<Outcome> {
    let best: Outcome = { ...await this.run(seed, 0, actions), actions, violation };
    await shrink(actions, async (script) => {
      const outcome = await this.run(seed, 0, script);
      if (outcome.violation?.invariant !== violation!.invariant) return undefined;
      best = outcome;
      // Actions after the failure have not been performed.
      return outcome.actions;
    });
    return best;
  }
}

function mix(digest: number, text: string): number {
  for (let i = 0; i < text.length; i++) digest = Math.imul(digest ^ text.charCodeAt(i), 0x01000193);
  return digest >>> 0;
}
