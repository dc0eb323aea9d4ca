/** All bars, by name. */

import type { Row, Size } from "./bar.ts";
import { inTheBrowser } from "./browser.ts";
import { compressed, manyATick, oneATick } from "./fanout.ts";
import { newest } from "./latest.ts";
import { ghosts, manyMembers } from "./presence.ts";
import { falsePositions, slowReplay } from "./recovery.ts";
import {
  brokerKilled,
  keptBrokerKilled,
  partition,
  publisherKilled,
  serverKilled,
} from "./relays.ts";
import { manyHistories, manyTopics } from "./scale.ts";
import { sizes } from "./size.ts";
import { oneStalled, stalledMemory } from "./slow.ts";

/** A bar. */
export interface Bar {
  title: string;
  /** The programs that it needs. */
  needs?: readonly ("nats-server" | "redis-server" | "chromium")[];
  run(size: Size): Promise<Row[]>;
}

const BROKERS = ["nats-server", "redis-server"] as const;

/** All bars, in the order of their report. */
export const BARS: Record<string, Bar> = {
  F1: { title: "F1 and F3: 32 messages a tick to 1,000", run: manyATick },
  F2: { title: "one message a tick to 1,000", run: oneATick },
  F4: { title: "many topics and subscriptions", run: manyTopics },
  F5: { title: "compressed messages to 1,000", run: compressed },
  M1: { title: "the memory of stalled subscribers", run: stalledMemory },
  S1: { title: "one stalled subscriber among many", run: oneStalled },
  S2: { title: "the newest values for a slow subscriber", run: newest },
  R1: { title: "the broker is killed", needs: BROKERS, run: brokerKilled },
  R2: { title: "the broker is killed, kept topics", needs: BROKERS, run: keptBrokerKilled },
  R3: { title: "a node is cut off", needs: BROKERS, run: partition },
  R4: { title: "a publisher is killed", needs: BROKERS, run: publisherKilled },
  C1: { title: "a server with its clients is killed", needs: BROKERS, run: serverKilled },
  C2: { title: "false positions", run: falsePositions },
  C3: {
    title: "clients in a browser",
    needs: ["redis-server", "chromium"],
    run: inTheBrowser,
  },
  C4: { title: "a replay to a slow client", run: slowReplay },
  P1: { title: "many members join and leave", run: manyMembers },
  P2: { title: "members of a killed node", needs: ["redis-server"], run: ghosts },
  H1: { title: "the histories of many topics", needs: ["redis-server"], run: manyHistories },
  Z1: { title: "sizes", run: sizes },
};
