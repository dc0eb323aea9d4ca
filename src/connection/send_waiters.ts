import { handled } from "../util/promises.ts";

/** The result of `send()` and `ready` while the send queue has room. */
export const READY: Promise<void> = /* @__PURE__ */ Promise.resolve();

/** The callers that wait for the send queue of a connection. Created with the first one. */
export class SendWaiters {
  #room: PromiseWithResolvers<void> | undefined;
  #empty: PromiseWithResolvers<void> | undefined;

  /** Whether a caller waits. */
  get isAwaited(): boolean {
    return this.#room !== undefined || this.#empty !== undefined;
  }

  /** Resolves when the queue is below its high-water mark. */
  get whenRoom(): Promise<void> {
    if (this.#room === undefined) {
      this.#room = Promise.withResolvers();
      handled(this.#room.promise);
    }
    return this.#room.promise;
  }

  /** Resolves when the queue is empty. */
  get whenEmpty(): Promise<void> {
    return (this.#empty ??= Promise.withResolvers()).promise;
  }

  /** The queue is empty. */
  onEmpty(): void {
    this.#empty?.resolve();
    this.#empty = undefined;
  }

  /** The queue has room. @returns Whether a caller has waited for that. */
  onRoom(): boolean {
    const room = this.#room;
    this.#room = undefined;
    room?.resolve();
    return room !== undefined;
  }

  /** The connection is closed. */
  reject(error: unknown): void {
    this.#room?.reject(error);
    this.#empty?.reject(error);
    this.#room = this.#empty = undefined;
  }
}
