import type { Gap } from "./types.ts";

/** The number of missing messages at one place, by reason. */
export class GapCount {
  #slow = 0;
  #relay: number | undefined = 0;

  /** Adds messages that were dropped for a slow peer. */
  addSlow(count: number): void {
    this.#slow += count;
  }

  /** Adds messages that a relay has lost, or `undefined` if their number is not known. */
  addRelay(count: number | undefined): void {
    if (count === undefined || this.#relay === undefined) this.#relay = undefined;
    else this.#relay += count;
  }

  /** Adds the missing messages of another place, because the messages between the two were dropped. */
  add(other: GapCount): void {
    this.#slow += other.#slow;
    this.addRelay(other.#relay);
  }

  /** The gaps, for `onGap`. */
  of(topic: string): Gap[] {
    const gaps: Gap[] = [];
    if (this.#relay !== 0) gaps.push({ topic, count: this.#relay, why: "relay" });
    if (this.#slow !== 0) gaps.push({ topic, count: this.#slow, why: "slow" });
    return gaps;
  }
}
