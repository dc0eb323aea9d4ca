/** The verdict: what subscribers received and were told, compared with what was published. */

import { KEPT } from "./protocol.ts";
import type { Account } from "./protocol.ts";

/** The number of messages of each topic of each publisher; `undefined` if it was killed. */
type Published = ReadonlyMap<string, Readonly<Record<string, number>> | undefined>;

/** Compares accounts with what was published. @returns The differences, in words. */
export function accountProblems(accounts: readonly Account[], published: Published): string[] {
  const problems: string[] = [];
  const last = lastOfKilled(accounts, published);
  for (const account of accounts) {
    const { topic, node } = account;
    const say = (text: string) => problems.push(`${topic} at node ${node}: ${text}`);
    if (account.wrong > 0) say(`${account.wrong} messages twice or out of order`);
    if (topic.startsWith(KEPT)) keptProblems(account, published, last, say);
    else if (account.starts === 1) plainProblems(account, published, last, say);
  }
  return problems;
}

/**
 * The last number of each killed publisher in each topic that a subscriber has. Of topics that are not kept,
 * subscribers of its own node do not count: it may have been cut off from the broker before it was killed.
 */
function lastOfKilled(accounts: readonly Account[], published: Published): Map<string, number> {
  const last = new Map<string, number>();
  for (const { topic, node, received } of accounts) {
    for (const [publisher, [, number]] of Object.entries(received)) {
      if (published.get(publisher) !== undefined) continue;
      if (!topic.startsWith(KEPT) && publisher.startsWith(`${node}.`)) continue;
      const name = `${publisher} ${topic}`;
      last.set(name, Math.max(last.get(name) ?? 0, number));
    }
  }
  return last;
}

type Last = ReadonlyMap<string, number>;

/** A kept topic: every subscriber has all messages, and is told of no gap. */
function keptProblems(
  account: Account,
  published: Published,
  last: Last,
  say: (text: string) => void,
): void {
  const { topic, received, lost, unknown, unrecovered } = account;
  if (lost + unknown > 0) say(`${lost + unknown} gaps were told`);
  if (unrecovered > 0) say(`${unrecovered} times not recovered`);
  for (const [publisher, counts] of published) {
    const expected = counts === undefined
      ? last.get(`${publisher} ${topic}`) ?? 0
      : counts[topic] ?? 0;
    const [first, end, count] = received[publisher] ?? [1, 0, 0];
    if (first === 1 && end === expected && count === expected) continue;
    say(`received ${count} from ${first} to ${end} of ${publisher}, expected ${expected}`);
  }
}

/** Another topic: what was received and what was told is what was published. */
function plainProblems(
  account: Account,
  published: Published,
  last: Last,
  say: (text: string) => void,
): void {
  const { topic, received, lost, unknown } = account;
  if (unknown > 0) say(`${unknown} gaps of unknown length`);
  let missing = 0;
  let hasKilled = false;
  for (const [publisher, counts] of published) {
    const count = received[publisher]?.[2] ?? 0;
    if (counts === undefined) {
      hasKilled = true;
      missing += (last.get(`${publisher} ${topic}`) ?? 0) - count;
    } else missing += (counts[topic] ?? 0) - count;
  }
  // Messages of a killed publisher that no subscriber has can have been told.
  if (missing !== lost && !(hasKilled && missing < lost)) say(`${missing} missing, ${lost} told`);
}
