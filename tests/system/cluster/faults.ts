/** Scripts of faults: the same for the same seed. */

import { between, chanceOf } from "../soak/payloads.ts";
import { pause } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";

/**
 * The kinds of faults: `kill` ends the broker, `crash` a node, each with SIGKILL and a start afterwards; the
 * others are faults of the connections between a node and the broker.
 */
export type FaultKind = "kill" | "crash" | "stop" | "reset" | "delay";

/** All kinds. */
export const FAULTS: readonly FaultKind[] = ["kill", "crash", "stop", "reset", "delay"];

/** A fault. */
export interface Fault {
  kind: FaultKind;
  /** When it begins, in milliseconds from the start. */
  at: number;
  /** How long it lasts, in milliseconds. */
  ms: number;
  /** The node. */
  node: number;
  /** For `delay`: how much later bytes arrive, in milliseconds. */
  delay: number;
}

/** Makes a script. Faults of one kind follow each other; faults of different kinds overlap. */
export function scriptOf(
  seed: number,
  seconds: number,
  kinds: readonly FaultKind[],
  nodes: number,
): Fault[] {
  const chance = chanceOf(seed);
  const faults: Fault[] = [];
  for (const kind of kinds) {
    let at = between(chance, 500, 3000);
    while (true) {
      const ms = kind === "reset" ? 0 : between(chance, 200, kind === "stop" ? 5000 : 2000);
      if (at + ms > seconds * 1000) break;
      const node = between(chance, 0, nodes - 1);
      faults.push({ kind, at, ms, node, delay: between(chance, 10, 300) });
      at += ms + between(chance, 500, 2000 * kinds.length);
    }
  }
  return faults.sort((a, b) => a.at - b.at);
}

/** Runs a script. Resolves when the last fault has ended. */
export async function runScript(
  cluster: Cluster,
  faults: readonly Fault[],
  log: (text: string) => void,
): Promise<void> {
  const startedAt = performance.now();
  let crashing = Promise.resolve();
  const crash = async ({ node, ms }: Fault) => {
    await cluster.kill(node);
    await pause(ms);
    await cluster.restart(node);
  };
  const all = faults.map(async (fault) => {
    const { kind, at, ms, node, delay } = fault;
    await pause(startedAt + at - performance.now());
    const where = kind === "kill" ? "" : ` node ${node}`;
    log(`${(at / 1000).toFixed(1).padStart(6)} s  ${kind}${where}${ms > 0 ? `, ${ms} ms` : ""}`);
    switch (kind) {
      case "kill":
        await cluster.broker.kill();
        await pause(ms);
        return await cluster.broker.start();
      case "crash":
        // A node can't start while the broker is out of reach, so this may take longer than the script says.
        return await (crashing = crashing.then(() => crash(fault)));
      case "reset":
        return cluster.proxies[node]!.reset();
      default:
        cluster.proxies[node]!.set(kind === "stop" ? { kind } : { kind: "delay", ms: delay });
        await pause(ms);
        cluster.proxies[node]!.set({ kind: "pass" });
    }
  });
  await Promise.all(all);
}
