import type { Message, Peer } from "../../src/topics/types.ts";

/** A peer whose unsent bytes the test decides: what it has been sent, in `received`. */
export class FakePeer extends EventTarget implements Peer {
  readyState = 1;
  bufferedAmount = 0;
  readonly received: Message[] = [];
  closedWith: [code: number | undefined, reason: string | undefined] | undefined;
  /** What `send()` throws, if anything. */
  fails: Error | undefined;
  #onReady: (() => void)[] = [];

  send(data: Message): void {
    if (this.fails !== undefined) throw this.fails;
    this.received.push(data);
  }

  close(code?: number, reason?: string): void {
    this.readyState = 2;
    this.closedWith = [code, reason];
  }

  /** The connection ends. */
  end(): void {
    this.readyState = 3;
    this.dispatchEvent(new Event("close"));
  }

  /** More waits to be sent than the mark. */
  stall(): void {
    this.bufferedAmount = 100_000;
  }

  /** All has been sent, and those who wait for `ready` go on. */
  resume(): void {
    this.bufferedAmount = 0;
    for (const resolve of this.#onReady.splice(0)) resolve();
  }

  get ready(): Promise<void> {
    if (this.bufferedAmount === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onReady.push(resolve));
  }
}

/** A peer of the platform: it has no `ready`. */
export class PlainPeer implements Peer {
  readyState = 1;
  bufferedAmount = 0;
  readonly received: Message[] = [];

  send(data: Message): void {
    this.received.push(data);
  }

  close(): void {
    this.readyState = 2;
  }
}
