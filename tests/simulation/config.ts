/** What a scenario is, apart from its actions: chosen by its seed, and printed with a failing one. */

import type { Random } from "../fuzz/random.ts";
import type { Form } from "./actor.ts";
import type { WireTransportOptions } from "./wire.ts";

/** The applications of a scenario. */
export type Kind = "pair" | "server";

/** An action of the driver: its name, its actor, and its arguments. */
export type Action = readonly [name: string, ...args: (number | string | boolean | null)[]];

/** How a scenario ends. */
export type Ending = "first" | "second" | "both" | "abort" | "break" | "slow";

/** What a scenario is, apart from its actions. */
export interface Config {
  readonly kind: Kind;
  /** The forms of the actors: of a pair, of the client and the server; of a server, in turn. */
  readonly forms: readonly Form[];
  /** Whether the actors use their `writable`. */
  readonly usesWritable: boolean;
  readonly overflow: "close" | "reject";
  readonly compression: boolean;
  readonly limits: {
    readonly outgoingHighWaterMark: number;
    readonly maxBufferedAmount: number;
    readonly incomingHighWaterMark: number;
    readonly incomingMaxMessages: number;
    readonly closeTimeout: number;
    readonly pingInterval: number;
    readonly pongTimeout: number;
  };
  readonly wires: readonly WireTransportOptions[];
  /** Whether the server has callbacks. */
  readonly serverCallbacks: boolean;
  readonly ending: Ending;
  /** Whether all is read, and what must hold then is checked, before the end. */
  readonly isCalmed: boolean;
  /** The smallest message: long enough to tell it from others, if that is necessary. */
  readonly leastSize: number;
  /** The largest message, in addition to that. */
  readonly mostSize: number;
}

/** Makes the configuration of a seed. */
export function configOf(random: Random): Config {
  const kind: Kind = random.once(3) ? "server" : "pair";
  const forms: Form[] = [
    random.pick<Form>(["callbacks", "iterator", "iterator", "readable", "streams"]),
    // accept() takes no callbacks.
    random.pick<Form>(["iterator", "readable", "streams"]),
    random.pick<Form>(["iterator", "readable", "streams", "callbacks"]),
  ];
  // A part of a message cannot be told from another's if they may come from two queues.
  const usesWritable = !forms.includes("streams") && !random.once(3);
  const outgoingHighWaterMark = random.pick([64, 500, 2000, 65_536]);
  const ending = random.pick<Ending>([
    "first",
    "first",
    "second",
    "both",
    "abort",
    "break",
    "slow",
  ]);
  // A peer that reads slowly is seen to make progress only if the transport reports it.
  const isSlow = ending === "slow";
  const capacities = isSlow ? [50, 300] : [50, 700, 5000, 65_536, 65_536];
  return {
    kind,
    forms,
    usesWritable,
    overflow: random.once(2) ? "close" : "reject",
    compression: random.once(4),
    limits: {
      outgoingHighWaterMark,
      maxBufferedAmount: Math.max(
        outgoingHighWaterMark + random.pick([200, 3000]),
        random.pick([1000, 10_000, 1_000_000]),
      ),
      incomingHighWaterMark: random.pick([1, 300, 4000, 65_536, 65_536]),
      incomingMaxMessages: random.pick([1, 2, 4, 16]),
      closeTimeout: random.pick([500, 5000]),
      pingInterval: isSlow ? Infinity : random.pick([Infinity, 1000, 30_000]),
      pongTimeout: random.pick([Infinity, 700, 20_000]),
    },
    wires: [0, 1].map(() => ({
      capacity: random.pick(capacities),
      mostTaken: random.pick([7, 300, 1e9, 1e9]),
      writesAtOnce: !random.once(3),
      lendsChunks: random.once(2),
      reportsProgress: isSlow || !random.once(4),
    })),
    serverCallbacks: random.once(3),
    ending,
    isCalmed: !isSlow && !random.once(3),
    // They may come from two queues, or over two connections of one client.
    leastSize: usesWritable || kind === "server" ? 16 : 0,
    mostSize: random.pick([40, 300, 300, 3000, 30_000, 30_000]),
  };
}
