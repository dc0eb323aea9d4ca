import { afterMicrotasks, afterTurn } from "../transport/event_loop.ts";

// When is what written? A message costs a system call of its own unless it shares a write with others.
// A `Sender` gathers messages, and one of these three decides when their bytes are written:
//
// | sent                                | written                                   | by                   |
// | ----------------------------------- | ----------------------------------------- | -------------------- |
// | while a received chunk is processed | at its end; if short, when the other      | uncorkAfterTurn      |
// |                                     | connections have processed theirs         |                      |
// | while the consumer is idle, from    | after 8 microtasks in which no connection | flushAfterQuiet      |
// | a timer or a broadcast              | has sent anything                         |                      |
// | while the consumer processes a      | when it asks for the next message and     | uncorkAfterTurn      |
// | message, after an await             | there is none; as in the first row        |                      |
// |                                     | at the latest when no microtask is left   | flushAfterMicrotasks |
// | more than 64 KiB                    | at once                                   | Sender itself        |
//
// The first is for many peers that send short messages at the same moment: a kernel that wakes their
// processes one right after the other takes less time for it. The second is for a loop that awaits each
// `send()`: its messages share one write. The third is for a `for await` loop. Its request for
// the next message writes all replies together; the last row is for a loop that awaits something else first.

/** The sender of one connection, as this scheduler sees it. */
export interface ScheduledSender {
  /** Writes the send queue. */
  flushScheduled(): void;
  /** Uncorks, and writes the send queue. */
  uncorkScheduled(): void;
}

/** How many connections {@linkcode uncorkAfterTurn} gathers before it uncorks them. */
const MAX_GROUP = 64;

let group: Pick<ScheduledSender, "uncorkScheduled">[] = [];

/** Uncorks a sender when all connections have processed what they received at the same moment. */
export function uncorkAfterTurn(sender: Pick<ScheduledSender, "uncorkScheduled">): void {
  const count = group.push(sender);
  if (count === MAX_GROUP) uncorkGroup();
  else if (count === 1) afterTurn(uncorkGroup);
}

function uncorkGroup(): void {
  const senders = group;
  group = [];
  for (const sender of senders) sender.uncorkScheduled();
}

/**
 * The number of microtasks without a send that {@linkcode flushAfterQuiet} waits for. A loop that awaits
 * each `send()` takes fewer for one step, so that its messages share one write.
 */
const QUIET = 8;

let waiting: ScheduledSender[] = [];
/** How many sends the senders in `waiting` have reported, and how many they had at the last look. */
let sends = 0;
let seenSends = 0;
/** How many looks in a row have found no new send. */
let quietLooks = 0;

/** Reports that a sender that {@linkcode flushAfterQuiet} was called for has sent more. */
export function noteSend(): void {
  sends++;
}

/**
 * Flushes a sender when nothing has been sent for 8 microtasks. All senders share one look: a broadcast
 * has a thousand of them.
 */
export function flushAfterQuiet(sender: ScheduledSender): void {
  sends++;
  if (waiting.push(sender) === 1) queueMicrotask(look);
}

function look(): void {
  quietLooks = sends === seenSends ? quietLooks + 1 : 0;
  seenSends = sends;
  if (quietLooks < QUIET) return queueMicrotask(look);
  quietLooks = 0;
  const senders = waiting;
  waiting = [];
  for (const sender of senders) sender.flushScheduled();
}

let late: ScheduledSender[] = [];

/** Flushes a sender when no microtask is left. */
export function flushAfterMicrotasks(sender: ScheduledSender): void {
  if (late.push(sender) === 1) afterMicrotasks(flushLate);
}

function flushLate(): void {
  const senders = late;
  late = [];
  for (const sender of senders) sender.flushScheduled();
}
