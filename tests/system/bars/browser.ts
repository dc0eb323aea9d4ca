/** C3: clients in a browser, without a library. */

import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";
import { Cluster, RELAYS } from "../cluster/cluster.ts";
import { KEPT } from "../cluster/protocol.ts";
import type { NodeStats } from "../cluster/protocol.ts";
import { runtime } from "../cluster/processes.ts";
import { atMost, exactly, sleep } from "./bar.ts";
import type { Row, Size } from "./bar.ts";

/** The account of one client in the page. */
interface PageAccount {
  last: number;
  wrong: number;
  starts: number;
  unrecovered: number;
}

/** The function that feed.js exports. */
type OpenFeed = (
  url: string,
  topics: string[],
  onEvent: (event: { control?: boolean; recovered?: boolean; data?: string }) => void,
) => void;

/** C3: C1 with the example's 40 lines in Chromium. */
export async function inTheBrowser(size: Size): Promise<Row[]> {
  // Chromium delays the connections of a page that has had many failures.
  const [clients, rounds] = size === "full" ? [5, 5] : [3, 1];
  const file = new URL("../../../examples/dashboard/page/feed.js", import.meta.url);
  const source = readFileSync(file, "utf8");
  const topic = `${KEPT}a`;
  const { broker, nodes } = RELAYS.mixed!;
  await using cluster = await Cluster.start({
    broker,
    nodes: [nodes.find(([wanted]) => wanted === runtime)!, nodes[1]!],
    subscribers: [],
    connections: 0,
    topics: [],
    hasProxies: false,
  });
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  try {
    const page = await browser.newPage({ bypassCSP: true });
    // A page of the same origin: the one that explains that this is a WebSocket server.
    const { port } = cluster.nodes[0]!.config;
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.evaluate(async ({ source, url, topic, clients }) => {
      const { openFeed } = await import(`data:text/javascript,${encodeURIComponent(source)}`) as {
        openFeed: OpenFeed;
      };
      const accounts: PageAccount[] = [];
      (globalThis as unknown as { accounts: PageAccount[] }).accounts = accounts;
      for (let n = 0; n < clients; n++) {
        const account = { last: 0, wrong: 0, starts: 0, unrecovered: 0 };
        accounts.push(account);
        openFeed(url, [topic], ({ control, recovered, data }) => {
          if (data !== undefined) {
            const number = Number(data.split(" ")[1]);
            if (number !== account.last + 1) account.wrong++;
            account.last = number;
          } else if (control && recovered !== undefined) {
            if (account.starts++ > 0 && !recovered) account.unrecovered++;
          }
        });
      }
    }, { source, url: `ws://127.0.0.1:${port}/`, topic, clients });
    const accounts = () =>
      page.evaluate(() => (globalThis as unknown as { accounts: PageAccount[] }).accounts);
    const until = async (condition: (account: PageAccount) => boolean) => {
      for (let n = 0; n < 600 && !(await accounts()).every(condition); n++) await sleep(50);
    };
    await until(({ starts }) => starts === 1);
    await cluster.nodes[1]!.process.ask("publish", { topics: [topic], rate: 500 });
    let longest = 0;
    for (let round = 1; round <= rounds; round++) {
      await sleep(1500);
      await cluster.kill(0);
      await cluster.restart(0);
      const restartedAt = performance.now();
      await until(({ starts }) => starts > round);
      longest = Math.max(longest, performance.now() - restartedAt);
    }
    await cluster.nodes[1]!.process.ask("stop");
    const { published } = await cluster.nodes[1]!.process.ask<NodeStats>("stats");
    const total = published[topic]!;
    await until(({ last }) => last === total);
    const all = await accounts();
    const whole = all.filter(({ last, wrong }) => last === total && wrong === 0).length;
    const unrecovered = all.reduce((sum, account) => sum + account.unrecovered, 0);
    return [
      exactly(`clients with all of ${total} messages, once`, whole, clients),
      exactly(`recoveries that failed, of ${clients * rounds}`, unrecovered, 0),
      atMost("all recovered", longest, 5000, "ms"),
      atMost("lines of the client, without comments", linesOf(source), 40, ""),
    ];
  } finally {
    await browser.close();
  }
}

/** The number of lines that are neither empty nor a comment. */
function linesOf(source: string): number {
  return source.split("\n").filter((line) => !/^\s*(\/\/|\/\*\*|$)/.test(line)).length;
}
