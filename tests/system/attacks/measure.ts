/** Runs one attack on a victim in a process of its own, and measures the victim. */

import { Context, pause } from "./attack.ts";
import type { Attack } from "./attack.ts";
import { HonestProcess, VictimProcess } from "./processes.ts";
import type { Latencies } from "./processes.ts";
import { frame } from "../../support/frames.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** The shortest measurement of the honest client, in milliseconds. */
const LEAST = 700;
/** How long the victim may take to close the remaining connections, in milliseconds. */
const LET_GO = 15_000;
/** The longest echo of the honest client at the 99th percentile and of all, in milliseconds. */
const MAX_P99 = 50;
const MAX_ECHO = 200;
/** The largest delay of a timer, in milliseconds. */
const MAX_LATE = 200;

/** The result of an attack. */
export interface Measured {
  name: string;
  known: readonly string[];
  expected: readonly string[];
  /** The answers, each with the number of connections that got it. */
  answers: Record<string, number>;
  /** The largest growth of the victim's memory, in bytes. */
  growth: number;
  /** The victim's memory for each connection, in bytes, if it was measured. */
  perConnection: number | undefined;
  /** The growth of the victim's heap at the end, without garbage, in bytes. */
  held: number;
  /** The heap for each connection, if it was measured. */
  heldEach: number | undefined;
  /** The number of bytes that the attacker sent. */
  sent: number;
  /** How long it took, in milliseconds. */
  time: number;
  /** The honest client, meanwhile. */
  honest: Latencies;
  /** The largest delay of a timer of 10 ms, in milliseconds. */
  late: number;
  /** How many more sockets the victim had open after the attack than before. */
  sockets: number;
  /** The problems; none if the attack has failed. */
  problems: string[];
}

/**
 * Measures an attack.
 *
 * @param isFull Whether it runs at full size.
 * @param checkout The path of another checkout, whose library is attacked.
 */
export async function measure(
  attack: Attack,
  isFull: boolean,
  checkout?: string,
): Promise<Measured> {
  const victim = await VictimProcess.start(checkout);
  let honest: HonestProcess | undefined;
  try {
    await warmUp(victim);
    honest = await HonestProcess.start(victim.ports.callbacks);
    await pause(200);
    const heap = await victim.collect();
    await honest.latencies();
    await victim.lateness();
    const sockets = victim.sockets;
    const before = victim.memory;
    victim.resetPeak();
    let perConnection: number | undefined;
    let heldEach: number | undefined;
    const context = new Context(victim, isFull, async (connections) => {
      const grown = Math.max(0, await victim.collect() - heap);
      heldEach = grown / connections;
      perConnection = Math.max(0, victim.memory - before) / connections;
      // Pages of a buffer that have not been written count in the heap alone.
      return Math.min(grown, perConnection * connections);
    });

    context.before = await victim.connections();
    const startedAt = performance.now();
    const problems: string[] = [];
    let answers: string[] = [];
    try {
      answers = await attack.run(context);
    } catch (error) {
      problems.push(String(error));
    }
    const time = performance.now() - startedAt;
    await pause(Math.max(0, LEAST - time));
    const latencies = await honest.latencies();
    const late = await victim.lateness();
    const growth = Math.max(0, victim.peak - before);
    const held = Math.max(0, await victim.collect() - heap);
    await context.end();

    const wrong = new Set(answers.filter((answer) => !attack.expected.includes(answer)));
    if (wrong.size > 0) {
      problems.push(`answered ${[...wrong].slice(0, 3).join(", ")}, not ${attack.expected.join()}`);
    }
    if (growth > attack.maxGrowth * MIB) {
      problems.push(
        `grew by ${Math.round(growth / MIB)} MiB, at most ${attack.maxGrowth} are right`,
      );
    }
    problems.push(...tooMuch(attack, held, heldEach));
    if (attack.isFair) problems.push(...unfair(latencies, late));
    if (!await serves(context)) problems.push("serves no other client any more");
    await context.end();
    const left = await socketsLeft(victim, sockets);
    if (left > 0 && !attack.isSlow) problems.push(`${left} sockets left open`);
    return {
      name: attack.name,
      known: attack.known ?? [],
      expected: attack.expected,
      answers: count(answers),
      growth,
      perConnection,
      held,
      heldEach,
      sent: context.sent,
      time,
      honest: latencies,
      late,
      sockets: left,
      problems,
    };
  } finally {
    await honest?.stop();
    await victim.stop();
  }
}

/** Returns the delays of other clients and of timers that are above the limits. */
function unfair({ p99, max }: Latencies, late: number): string[] {
  const all: [what: string, ms: number, most: number][] = [
    ["an echo took", max, MAX_ECHO],
    ["1 % of the echoes took", p99, MAX_P99],
    ["a timer was late by", late, MAX_LATE],
  ];
  return all.flatMap(([what, ms, most]) =>
    ms > most ? [`${what} ${Math.round(ms)} ms, at most ${most} are right`] : []
  );
}

/** Returns how the heap exceeds the limits of the attack, without garbage. */
function tooMuch(attack: Attack, held: number, heldEach: number | undefined): string[] {
  const { maxHeld = Infinity, maxHeldEach = Infinity } = attack;
  const problems: string[] = [];
  if (held > maxHeld * MIB) {
    problems.push(`holds ${(held / MIB).toFixed(1)} MiB, at most ${maxHeld} are right`);
  }
  if (heldEach !== undefined && heldEach > maxHeldEach * KIB) {
    problems.push(`holds ${Math.round(heldEach / KIB)} KiB each, at most ${maxHeldEach} are right`);
  }
  return problems;
}

/** Warms the victim up, so that its code is compiled and its heap has its normal size. */
async function warmUp(victim: VictimProcess): Promise<void> {
  const context = new Context(victim, true);
  const message = frame({ opcode: 1, payload: "Hello".repeat(20) });
  for (const form of ["callbacks", "await", "pipe", "compressed"] as const) {
    await context.many(50, async () => {
      const peer = await context.open(form);
      for (let i = 0; i < 40; i++) peer.write(message);
      await peer.until(() => peer.reader.messages === 40 || peer.isGone, 10_000);
    }, 10);
  }
  await context.end();
}

/** Resolves to whether a new client is served. */
async function serves(context: Context): Promise<boolean> {
  try {
    const peer = await context.open("await");
    return await context.echoes(peer, (payload) => frame({ opcode: 1, payload }));
  } catch {
    return false;
  }
}

/** Resolves to the number of additional sockets, after the time that the victim has to close them. */
async function socketsLeft(victim: VictimProcess, before: number): Promise<number> {
  const until = performance.now() + LET_GO;
  while (performance.now() < until && victim.sockets > before) await pause(50);
  return Math.max(0, victim.sockets - before);
}

function count(answers: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
}
