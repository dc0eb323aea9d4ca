/** A subscriber's connection, whose send queue the schedule decides. */

import type { Message, Peer } from "../../../src/topics/mod.ts";

export class SimulatedPeer implements Peer {
  readyState = 1;
  bufferedAmount = 0;
  closeCode: number | undefined;
  readonly #take: (data: Message) => void;
  #onReady: (() => void)[] = [];
  #onClose: (() => void)[] = [];

  constructor(take: (data: Message) => void) {
    this.#take = take;
  }

  send(data: Message): void {
    if (this.readyState === 1) this.#take(data);
  }

  close(code?: number): void {
    if (this.readyState !== 1) return;
    this.closeCode = code;
    this.readyState = 2;
  }

  get ready(): Promise<void> {
    if (this.bufferedAmount === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onReady.push(resolve));
  }

  addEventListener(_type: string, listener: unknown): void {
    this.#onClose.push(listener as () => void);
  }

  removeEventListener(_type: string, listener: unknown): void {
    this.#onClose = this.#onClose.filter((other) => other !== listener);
  }

  /** More waits to be sent than the mark. */
  stall(): void {
    this.bufferedAmount = 100_000;
  }

  /** All has been sent. */
  resume(): void {
    this.bufferedAmount = 0;
    for (const resolve of this.#onReady.splice(0)) resolve();
  }

  /** The connection has ended. */
  end(): void {
    this.readyState = 3;
    for (const listener of [...this.#onClose]) listener();
    this.resume();
  }
}
