/** Accounts for every message: echoed in order, or lost with its connection for a known reason. */

/** The endings of a connection. */
export type Ending = "close" | "server's close" | "reset" | "end without Close" | "garbage";

/** The server's answer to each ending; `undefined` if it cannot answer. */
export const ANSWERS: Readonly<Record<Ending, number | undefined>> = {
  "close": 1000,
  "server's close": 1000,
  "reset": undefined,
  "end without Close": undefined,
  "garbage": 1002,
};

/** The ledger of all connections. */
export class Ledger {
  sent = 0;
  echoed = 0;
  bytes = 0;
  pings = 0;
  pongs = 0;
  connections = 0;
  halfHandshakes = 0;
  stalls = 0;
  /** The number of connections for each ending. */
  readonly endings: Partial<Record<Ending, number>> = {};
  /** The number of messages that were sent and not echoed, for each ending. */
  readonly lost: Partial<Record<Ending, number>> = {};
  /** The first hundred problems. */
  readonly problems: string[] = [];

  /** Reports a problem. */
  problem(text: string): void {
    if (this.problems.length < 100) this.problems.push(text);
  }

  /** Counts a connection that has ended, and its messages that were sent and not echoed. */
  ended(ending: Ending, lost: number): void {
    this.endings[ending] = (this.endings[ending] ?? 0) + 1;
    this.lost[ending] = (this.lost[ending] ?? 0) + lost;
  }

  /** The number of lost messages. */
  get allLost(): number {
    return Object.values(this.lost).reduce((sum, count) => sum + count, 0);
  }
}
