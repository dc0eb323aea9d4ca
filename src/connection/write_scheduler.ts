import { afterMicrotasks } from "../transport/event_loop.ts";

/**
 * For how many microtasks nothing must have been sent before what was is written. A loop that awaits
 * each `send()` goes round in fewer, so that its messages share one write.
 */
const QUIET = 8;

/** Who waits for a moment in which nothing is sent. */
export interface Waiting {
  /** It's there. */
  settled(): void;
}

let waiting: Waiting[] = [];
/** How often something has been sent by those who wait, when they were last looked at, and since when. */
let sends = 0;
let seen = 0;
let quiet = 0;

/** Somebody who waits has sent more. */
export function notQuiet(): void {
  sends++;
}

/**
 * Calls `settled()` once nothing is sent any more, within this turn. One look for all who wait: a
 * broadcast has a thousand of them.
 */
export function whenQuiet(who: Waiting): void {
  sends++;
  if (waiting.push(who) === 1) queueMicrotask(look);
}

function look(): void {
  quiet = sends === seen ? quiet + 1 : 0;
  seen = sends;
  if (quiet < QUIET) return queueMicrotask(look);
  quiet = 0;
  const all = waiting;
  waiting = [];
  for (const one of all) one.settled();
}

let late: Waiting[] = [];

/** Calls `settled()` once no microtask is left. */
export function whenLate(who: Waiting): void {
  if (late.push(who) === 1) afterMicrotasks(tellLate);
}

function tellLate(): void {
  const all = late;
  late = [];
  for (const one of all) one.settled();
}
