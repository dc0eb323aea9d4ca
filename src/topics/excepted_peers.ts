import type { Peer, Position } from "./types.ts";

/**
 * The number of messages of a topic whose `except` is remembered until they are delivered. A message that is
 * never stored is never delivered.
 */
const MAX_EXCEPTED = 1024;

/** The peer that does not get a message, with the positions of the message so far. */
interface Excepted {
  readonly peer: Peer;
  /** The position that the store has confirmed. */
  stored?: Position;
  /** The position at which the message was delivered last. */
  delivered?: Position | undefined;
}

/**
 * The peers that do not get a message of a kept topic (`except`), by the number of the message.
 *
 * A client may send a message again whose answer was lost with the connection (ioredis does). The store then
 * has it at several positions. The confirmed position is the last one of them.
 */
export class ExceptedPeers {
  readonly #messages = new Map<number, Excepted>();

  /** The number of remembered messages. */
  get size(): number {
    return this.#messages.size;
  }

  add(number: number, peer: Peer): void {
    this.#messages.set(number, { peer });
    const [oldest] = this.#messages.keys();
    if (this.#messages.size > MAX_EXCEPTED) this.#messages.delete(oldest!);
  }

  /** Notes the position that the store has confirmed. */
  stored(number: number, position: Position): void {
    const message = this.#messages.get(number);
    if (message === undefined) return;
    message.stored = position;
    this.#forget(number, message);
  }

  /** Notes that a message is delivered. @returns The peer that does not get it. */
  delivered(number: number, position: Position | undefined): Peer | undefined {
    const message = this.#messages.get(number);
    if (message === undefined) return undefined;
    message.delivered = position;
    if (position === undefined) this.#messages.delete(number);
    else this.#forget(number, message);
    return message.peer;
  }

  clear(): void {
    this.#messages.clear();
  }

  #forget(number: number, { stored, delivered }: Excepted): void {
    const isSame = stored?.epoch === delivered?.epoch && stored?.offset === delivered?.offset;
    if (stored !== undefined && isSame) this.#messages.delete(number);
  }
}
