/** Runs schedules: by their seed, or by a script of actions. */

import { Random } from "../../fuzz/random.ts";
import type { Violation } from "../ledger.ts";
import { shrink } from "../shrink.ts";
import { chooseAction, perform } from "./actions.ts";
import type { ClusterAction } from "./actions.ts";
import { inTask } from "./clock.ts";
import type { ClusterClock } from "./clock.ts";
import { Cluster } from "./cluster.ts";
import { configOf } from "./config.ts";
import type { ClusterConfig } from "./config.ts";

/** What came of a schedule. */
export interface ClusterOutcome {
  readonly config: ClusterConfig;
  readonly actions: readonly ClusterAction[];
  readonly violation: Violation | undefined;
  readonly received: number;
  readonly told: number;
  readonly events: number;
  readonly errors: ReadonlyMap<string, number>;
}

/** Runs the schedule of a seed; or, with a script, its actions. */
export function runSchedule(
  clock: ClusterClock,
  seed: number,
  script?: readonly ClusterAction[],
  trace?: (text: string) => void,
): ClusterOutcome {
  const random = new Random(seed);
  const config = configOf(random);
  const before = clock.count;
  const cluster = new Cluster(clock, seed, config);
  const count = script?.length ?? 5 + random.below(40);
  const actions: ClusterAction[] = [];
  for (let n = 0; n < count && cluster.violation === undefined; n++) {
    const action = script?.[n] ?? chooseAction(random);
    actions.push(action);
    trace?.(`${clock.now} ${action}`);
    perform(cluster, action);
  }
  if (cluster.violation === undefined) cluster.calm();
  if (cluster.violation === undefined) cluster.checkPresence();
  if (cluster.violation === undefined) cluster.killOne();
  if (cluster.violation === undefined) cluster.end();
  const { violation, received, told, errors } = cluster;
  return { config, actions, violation, received, told, events: clock.count - before, errors };
}

/** Returns the shortest script found that breaks the same invariant. */
export async function shrinkSchedule(
  clock: ClusterClock,
  seed: number,
  outcome: ClusterOutcome,
): Promise<ClusterOutcome> {
  let best = outcome;
  await shrink(outcome.actions, async (script) => {
    const shorter = await inTask(() => runSchedule(clock, seed, script));
    if (shorter.violation?.invariant !== outcome.violation!.invariant) return undefined;
    best = shorter;
    return shorter.actions;
  });
  return best;
}
