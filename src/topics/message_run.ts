import { memoryOf } from "./history.ts";
import type { SharedMessage } from "../connection/shared_message.ts";
import type { Message, Publication } from "./types.ts";

/** A message that waits. */
type Item = SharedMessage | Publication;

/**
 * The size of the messages in a block, in bytes. A block is held until no queue has a message of it, so this
 * much may be held longer than it is needed.
 */
const BLOCK = 32 * 1024;

/** The maximum number of messages in a block. */
const MAX_MESSAGES = 64;

/** Successive messages, of which several queues have a part. */
interface Block {
  readonly messages: Item[];
  /** The size of the messages that may be added, in bytes. */
  room: number;
}

/** The block to which a message was added last. */
let lastBlock: Block | undefined;

/** Successive messages in the queue of a slow peer: a part of a block. */
export class MessageRun {
  readonly #block: Block;
  #start: number;
  #end: number;

  constructor(block: Block, start: number, end: number) {
    this.#block = block;
    this.#start = start;
    this.#end = end;
  }

  /** Whether it has no message. */
  get isEmpty(): boolean {
    return this.#start === this.#end;
  }

  /** Removes and returns the first message. */
  shift(): Item {
    return this.#block.messages[this.#start++]!;
  }

  /** Adds a message if it is the next one of the block, or can be. @returns Whether it was added. */
  add(message: Item): boolean {
    const { messages } = this.#block;
    const isNext = messages[this.#end] === message ||
      this.#end === messages.length && append(this.#block, message);
    if (isNext) this.#end++;
    return isNext;
  }
}

/** Returns a run of one message: of the block in which another queue has put it, or of a new one. */
export function runOf(message: Item): MessageRun | Item {
  if (lastBlock?.messages.at(-1) !== message) {
    const block = { messages: [], room: BLOCK };
    if (!append(block, message)) return message;
  }
  const { length } = lastBlock!.messages;
  return new MessageRun(lastBlock!, length - 1, length);
}

function append(block: Block, message: Item): boolean {
  const size = memoryOf(message.data as Message);
  if (size > block.room || block.messages.length >= MAX_MESSAGES) return false;
  block.room -= size;
  block.messages.push(message);
  lastBlock = block;
  return true;
}
