// Subscribers in a process of their own, over the subprotocol, with a ledger.
import process from "node:process";
import { openFeed } from "../../../src/topics/mod.ts";
import type { Feed } from "../../../src/topics/mod.ts";
import { answer, configuration } from "./processes.ts";
import type { Account, SubscribersConfig } from "./protocol.ts";

const { ports, count, topics, maxDelay } = configuration<SubscribersConfig>();
const accounts: Account[] = [];
const feeds: Feed[] = [];
const unhandled: string[] = [];
process.on("unhandledRejection", (error) => unhandled.push(String(error)));
let received = 0;

/** What waits for a message of another node than the subscriber's, in each account. */
let mark: { missing: Set<Account>; resolve: (ms: number) => void; at: number } | undefined;

function take(account: Account, data: string): void {
  const [publisher, text] = data.split(" ");
  const number = Number(text);
  received++;
  const known = account.received[publisher!];
  if (known === undefined) account.received[publisher!] = [number, number, 1];
  else {
    if (number <= known[1]) account.wrong++;
    known[1] = Math.max(known[1], number);
    known[2]++;
  }
  if (mark === undefined || publisher!.startsWith(`${account.node}.`)) return;
  mark.missing.delete(account);
  if (mark.missing.size > 0) return;
  mark.resolve(performance.now() - mark.at);
  mark = undefined;
}

async function subscribe(node: number, names: string[]): Promise<void> {
  const own = new Map(names.map((topic): [string, Account] => [topic, {
    node,
    topic,
    received: {},
    wrong: 0,
    lost: 0,
    unknown: 0,
    starts: 0,
    unrecovered: 0,
  }]));
  accounts.push(...own.values());
  const feed = openFeed(`ws://127.0.0.1:${ports[node]}/`, {
    topics: names,
    maxAttempts: Infinity,
    ...(maxDelay === undefined ? {} : { maxDelay }),
  });
  feeds.push(feed);
  for await (const event of feed) {
    if (event.type === "message") take(own.get(event.topic)!, event.data as string);
    else if (event.type === "gap") {
      const account = own.get(event.topic)!;
      if (event.count === undefined) account.unknown++;
      else account.lost += event.count;
    } else if (event.type === "subscribed") {
      const account = own.get(event.topic)!;
      if (account.starts++ > 0 && !event.recovered) account.unrecovered++;
    } else if (event.type === "refused") throw new Error(`refused: ${event.reason}`);
  }
}

for (let n = 0; n < count; n++) {
  const names = topics.map((list) => list[n % list.length]!);
  subscribe(n % ports.length, names).catch((error) => unhandled.push(String(error)));
}

answer({
  /** Resolves when all subscriptions have begun, so many times. */
  async started(times: number) {
    while (accounts.some(({ starts }) => starts < times)) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  },
  accounts: () => accounts,
  /** The number of messages received so far. */
  received: () => received,
  unhandled: () => unhandled,
  /** Resolves when each subscriber of a topic has a message of another node, to the time. */
  async again(topic: string) {
    const missing = new Set(accounts.filter((account) => account.topic.startsWith(topic)));
    if (missing.size === 0) return 0;
    return await new Promise<number>((resolve) => {
      mark = { missing, resolve, at: performance.now() };
    });
  },
});
