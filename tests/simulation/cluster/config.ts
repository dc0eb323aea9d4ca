/** What a schedule is, apart from its actions: chosen by its seed. */

import type { Random } from "../../fuzz/random.ts";
import type { Delays } from "./link.ts";
import type { RedisKind } from "./redis.ts";
import type { Keep } from "../../../src/topics/mod.ts";

export interface ClusterConfig {
  readonly broker: "nats" | RedisKind;
  readonly nodes: number;
  readonly delays: Delays;
  readonly keep: Keep;
  readonly bounds: { readonly most: number; readonly mostPerTopic: number };
  /** Whether the nodes know each other before the first action. */
  readonly isSettled: boolean;
  /** Whether the clocks of the nodes are hours apart. */
  readonly clocks: boolean;
  /** Whether there are members. */
  readonly hasPresence: boolean;
}

export function configOf(random: Random): ClusterConfig {
  const broker = random.pick<ClusterConfig["broker"]>([
    "nats",
    "nats",
    "node-redis",
    "ioredis",
    "bun",
  ]);
  return {
    broker,
    nodes: 1 + random.below(3),
    delays: random.pick([
      { usual: 1, longest: 0 },
      { usual: 3, longest: 20 },
      { usual: 20, longest: 300 },
    ]),
    keep: {
      messages: random.pick([1, 3, 1000, 1000]),
      age: random.pick([1500, 600_000, 600_000]),
      ...(random.once(5) ? { bytes: 40 } : {}),
    },
    bounds: random.pick([
      { most: -1, mostPerTopic: -1 },
      { most: -1, mostPerTopic: -1 },
      { most: 4, mostPerTopic: -1 },
      { most: -1, mostPerTopic: 2 },
    ]),
    isSettled: !random.once(3),
    clocks: random.once(2),
    hasPresence: random.once(4),
  };
}
