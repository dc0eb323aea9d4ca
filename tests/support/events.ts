import { toHex } from "../harness.ts";
import type { Transport, TransportHandler } from "../../src/transport/transport.ts";
import { Changes } from "./changes.ts";

/** A handler that writes down, in words, what a transport tells of. */
export class Events implements TransportHandler {
  /** `data 01 02`, `drain`, `end`, `close`, `close Error: why`. */
  readonly log: string[] = [];
  /** How many bytes have come. */
  received = 0;
  /** How often a part of a write has gone out. */
  parts = 0;
  /** Called after each event. */
  onEvent: (event: string) => void = () => {};
  readonly #changes = new Changes();

  /** @param isQuiet Whether data is counted and not written down. */
  constructor(readonly isQuiet = false) {}

  data(chunk: Uint8Array): void {
    this.received += chunk.length;
    this.#add(`data ${this.isQuiet ? "" : toHex(chunk)}`.trim());
  }

  drain(): void {
    this.#add("drain");
  }

  progress(): void {
    this.parts++;
    this.#changes.tell();
  }

  end(): void {
    this.#add("end");
  }

  close(error?: unknown): void {
    this.#add(error === undefined ? "close" : `close ${error}`);
  }

  /** What has been told but for `drain`, which may be told without need. */
  get told(): string[] {
    return this.log.filter((event) => event !== "drain");
  }

  /** Resolves once an event has been told that begins so. */
  async until(start: string): Promise<void> {
    await this.untilTrue(() => this.log.some((event) => event.startsWith(start)), start);
  }

  /** Resolves once so many bytes have come. */
  async untilReceived(count: number): Promise<void> {
    await this.untilTrue(() => this.received >= count, `${count} bytes`);
  }

  /** Resolves once the condition holds; it's looked at after each event. */
  async untilTrue(condition: () => boolean, what: string): Promise<void> {
    await this.#changes.until(condition, 10_000, what);
  }

  #add(event: string): void {
    if (!this.isQuiet || this.log.at(-1) !== event) this.log.push(event);
    this.onEvent(event);
    this.#changes.tell();
  }
}

/** Gives a transport a handler that writes down. */
export function watch(transport: Transport, isQuiet = false): Events {
  const events = new Events(isQuiet);
  transport.handler = events;
  return events;
}
