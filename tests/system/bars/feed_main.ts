// A feed of one topic, in a process of its own: whether its numbers are consecutive, and their age.
import { openFeed } from "../../../src/topics/mod.ts";
import type { Position } from "../../../src/topics/mod.ts";
import { answer, configuration } from "../cluster/processes.ts";
import { quantile } from "./bar.ts";

const { port, since } = configuration<{ port: number; since?: Position }>();
let last = 0;
let wrong = 0;
let told = 0;
const ages: number[] = [];

const feed = openFeed(`ws://127.0.0.1:${port}/`, {
  topics: ["x"],
  ...(since === undefined ? {} : { since: { x: since } }),
});
(async () => {
  for await (const event of feed) {
    if (event.type === "close") wrong++;
    if (event.type === "gap") told += event.count ?? NaN;
    if (event.type !== "message") continue;
    // The number, the time, and padding.
    const [number, time] = (event.data as string).split(" ", 2);
    if (Number(number) !== last + 1) wrong++;
    last = Number(number);
    ages.push(Date.now() - Number(time));
  }
})();

answer({
  last: () => last,
  wrong: () => wrong,
  told: () => told,
  received: () => ages.length,
  /** The ages of the messages when they arrived, in milliseconds. */
  ages: () => ({ median: quantile(ages, 0.5), p99: quantile(ages, 0.99) }),
});
