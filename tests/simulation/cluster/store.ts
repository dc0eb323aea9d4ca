/** The true history of each kept topic, as its broker has it: what the ledgers are compared with. */

import { decode, encodeTopic } from "../../../src/topics/relay_wire.ts";
import type { Message, Position } from "../../../src/topics/mod.ts";

/** A stored message. */
export interface Entry {
  readonly epoch: string;
  readonly offset: number;
  readonly data: Message | undefined;
  readonly at: number;
  isTrimmed: boolean;
  trimmedAt: number;
}

/** What a topic has had. */
export class Log {
  readonly entries: Entry[] = [];
  /** The epochs with the times at which they began. */
  readonly epochs: { epoch: string; since: number }[] = [];

  /** The position of the last message of the current epoch. */
  get position(): Position {
    const epoch = this.epochs.at(-1)?.epoch ?? "";
    const last = this.entries.at(-1);
    return { epoch, offset: last?.epoch === epoch ? last.offset : 0 };
  }

  /** Returns the index of an epoch, or -1. */
  epochIndex(epoch: string): number {
    return this.epochs.findIndex((other) => other.epoch === epoch);
  }

  /** Returns the index of the first entry after a position; `undefined` if its epoch is unknown. */
  indexAfter({ epoch, offset }: Position): number | undefined {
    const number = this.epochIndex(epoch);
    if (number === -1) return undefined;
    const index = this.entries.findIndex((entry) => {
      const other = this.epochIndex(entry.epoch);
      return other > number || (other === number && entry.offset > offset);
    });
    return index === -1 ? this.entries.length : index;
  }
}

/** The histories of a broker. */
export class Store {
  readonly #prefix: string;
  readonly #now: () => number;
  readonly #logs = new Map<string, Log>();
  readonly #topics = new Map<string, string>();
  #epoch = "";
  /** The highest offset of the current epoch that is no longer kept, of all topics. */
  trimmed = 0;
  /** How many messages of a topic a stream keeps, or -1. */
  most = -1;

  constructor(prefix: string, now: () => number) {
    this.#prefix = prefix;
    this.#now = now;
  }

  nameOf(topic: string): string {
    return encodeTopic(topic);
  }

  channelOf(topic: string): string {
    let channel = this.#topics.get(topic);
    if (channel === undefined) {
      this.#topics.set(topic, channel = `${this.#prefix}.k.${encodeTopic(topic)}`);
    }
    return channel;
  }

  log(channel: string): Log {
    let log = this.#logs.get(channel);
    if (log === undefined) {
      this.#logs.set(channel, log = new Log());
      if (this.#epoch !== "") log.epochs.push({ epoch: this.#epoch, since: 0 });
    }
    return log;
  }

  /** All histories end; with an epoch, others begin that all have it. */
  drop(epoch = ""): void {
    this.#epoch = epoch;
    this.trimmed = 0;
    for (const log of this.#logs.values()) this.end(log, epoch);
  }

  /** A history ends, and another begins. */
  end(log: Log, epoch: string): void {
    for (const entry of log.entries) this.#trim(entry);
    log.epochs.push({ epoch, since: this.#now() });
  }

  append(channel: string, offset: number, payload: string): void {
    const log = this.log(channel);
    log.entries.push({
      epoch: log.epochs.at(-1)!.epoch,
      offset,
      data: decode(payload)?.data,
      at: this.#now(),
      isTrimmed: false,
      trimmedAt: Infinity,
    });
  }

  /** A message is no longer kept. */
  trim(channel: string, offset: number): void {
    const log = this.log(channel);
    const { epoch } = log.position;
    this.trimmed = Math.max(this.trimmed, offset);
    const entry = log.entries.find((other) => other.offset === offset && other.epoch === epoch);
    if (entry !== undefined) this.#trim(entry);
  }

  #trim(entry: Entry): void {
    if (entry.isTrimmed) return;
    entry.isTrimmed = true;
    entry.trimmedAt = this.#now();
  }
}
