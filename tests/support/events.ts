import { toHex } from "../harness.ts";
import type { Transport, TransportHandler } from "../../src/transport/transport.ts";
import { Changes } from "./changes.ts";

/** A handler that logs the events of a transport in words. */
export class Events implements TransportHandler {
  /** `data 01 02`, `drain`, `end`, `close`, `close Error: why`. */
  readonly log: string[] = [];
  /** The number of received bytes. */
  received = 0;
  /** The number of `progress()` events. */
  parts = 0;
  /** Called after each event. */
  onEvent: (event: string) => void = () => {};
  readonly #changes = new Changes();

  /** @param isQuiet Whether data is counted instead of logged. */
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

  /** The log without `drain`, which a transport may report without need. */
  get told(): string[] {
    return this.log.filter((event) => event !== "drain");
  }

  /** Resolves once an event that starts with this text is logged. */
  async until(start: string): Promise<void> {
    await this.untilTrue(() => this.log.some((event) => event.startsWith(start)), start);
  }

  /** Resolves once so many bytes are received. */
  async untilReceived(count: number): Promise<void> {
    await this.untilTrue(() => this.received >= count, `${count} bytes`);
  }

  /** Resolves once the condition holds; evaluates it after each event. */
  async untilTrue(condition: () => boolean, what: string): Promise<void> {
    await this.#changes.until(condition, 10_000, what);
  }

  #add(event: string): void {
    if (!this.isQuiet || this.log.at(-1) !== event) this.log.push(event);
    this.onEvent(event);
    this.#changes.tell();
  }
}

/** Gives a transport a handler that logs. */
export function watch(transport: Transport, isQuiet = false): Events {
  const events = new Events(isQuiet);
  transport.handler = events;
  return events;
}
