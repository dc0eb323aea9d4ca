/** Replays many sessions at the same time, and checks what they leave behind together. */

import { assert, assertEquals, deadline, fail } from "../harness.ts";
import type { Fault } from "../support/fault_transport.ts";
import { CountedSignal, TimerWatch, unwatchedDelay, watchRejections } from "../support/leaks.ts";
import { check, messagesCome } from "./check.ts";
import { play } from "./sessions.ts";
import type { Played, PlayOptions, Session } from "./sessions.ts";
import { turnBudget } from "../../src/transport/turn_budget.ts";

// What has been received when a fault strikes must not depend on the speed of the machine.
turnBudget.budget = Infinity;

/** The limits that end a stall. */
const SHORT = { closeTimeout: 20, handshakeTimeout: 30 };
/** Without a stall nothing has to wait, and a timer that is left is detected. */
const LONG = { closeTimeout: 60_000, handshakeTimeout: 60_000 };
/** How many failures are reported. */
const ENOUGH = 10;

/** Replays a session with each of the faults at the same time, and checks each result. */
export async function playAll(
  session: Session,
  faults: readonly (Fault | undefined)[],
  options: Partial<PlayOptions> = {},
): Promise<void> {
  const timers = new TimerWatch();
  watchRejections();
  const signals: CountedSignal[] = [];
  const all = faults.map((fault, i): Played => {
    const signal = new CountedSignal();
    signals.push(signal);
    const memory = { lendsChunks: i % 2 === 0, ...options.memory };
    const limits = fault?.kind.includes("stall") ? SHORT : LONG;
    return play(session, { limits, ...options, memory, fault, signal: signal.signal });
  });
  await struck(session, all);
  // A stalled connection is ended by its application.
  for (const { subject } of all) {
    const { app, socket } = subject;
    if (socket !== undefined) app.promises.watch("close()", socket.close(1001, "given up"));
  }
  const failed: string[] = [];
  for (const [i, played] of all.entries()) {
    if (failed.length === ENOUGH) break;
    const fault = faults[i];
    try {
      const info = await deadline(played.subject.over, 10_000, "the end");
      await settled(played);
      await check(session, played, info);
      assertEquals(signals[i].listeners, 0, "listeners of the signal");
      if (fault === undefined) assert(info.wasClean, "it was not clean");
      else if (!options.isEager) assert(played.transport.isHit, "the fault was not met");
    } catch (error) {
      const where = fault === undefined ? "no fault" : `${fault.kind} after byte ${fault.at}`;
      failed.push(`${session.name}: ${where}: ${(error as Error).message}`);
    }
  }
  assert(timers.count > 0);
  assert(
    failed.length === 0,
    `${failed.length} of ${all.length}:\n${failed.join("\n")}`,
  );
  await timers.assertNone(session.name);
}

/**
 * Resolves once each session is over, or has met its fault; if the fault is a stall, once it has also
 * read what was received before. On a busy machine that takes longer than `closeTimeout`.
 */
async function struck(session: Session, all: readonly Played[]): Promise<void> {
  const since = performance.now();
  const isStruck = ({ transport, subject }: Played): boolean => {
    if (transport.isGone || !transport.isHit) return transport.isGone;
    if (transport.fault?.kind !== "stall" || performance.now() - since > 5000) return true;
    return subject.app.messages.length >= messagesCome(session, transport);
  };
  while (!all.every(isStruck)) {
    if (performance.now() - since > 20_000) fail("A session neither ends nor meets its fault");
    await unwatchedDelay(1);
  }
}

/** Waits for what follows the end, such as a response to a refused request. */
async function settled({ subject, transport }: Played): Promise<void> {
  const isDone = () => transport.isGone && subject.app.promises.pending.length === 0;
  for (let i = 0; i < 100 && !isDone(); i++) await unwatchedDelay(i >> 3);
}
