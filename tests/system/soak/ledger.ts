/** What became of every message: echoed in its turn, or lost with its connection, for a reason. */

/** How a connection's life ends. */
export type Ending = "close" | "server's close" | "reset" | "end without Close" | "garbage";

/** How the server answers each ending; `undefined` where it can't. */
export const ANSWERS: Readonly<Record<Ending, number | undefined>> = {
  "close": 1000,
  "server's close": 1000,
  "reset": undefined,
  "end without Close": undefined,
  "garbage": 1002,
};

/** See the module. */
export class Ledger {
  sent = 0;
  echoed = 0;
  bytes = 0;
  pings = 0;
  pongs = 0;
  connections = 0;
  halfHandshakes = 0;
  stalls = 0;
  /** How many connections ended so. */
  readonly endings: Partial<Record<Ending, number>> = {};
  /** How many messages were sent and not echoed, by how their connection ended. */
  readonly lost: Partial<Record<Ending, number>> = {};
  /** What should not have been; the first hundred. */
  readonly problems: string[] = [];

  /** Something is wrong. */
  problem(text: string): void {
    if (this.problems.length < 100) this.problems.push(text);
  }

  /** A connection has ended, with so many messages sent and not echoed. */
  ended(ending: Ending, lost: number): void {
    this.endings[ending] = (this.endings[ending] ?? 0) + 1;
    this.lost[ending] = (this.lost[ending] ?? 0) + lost;
  }

  /** How many messages were lost, for whatever reason. */
  get allLost(): number {
    return Object.values(this.lost).reduce((sum, count) => sum + count, 0);
  }
}
