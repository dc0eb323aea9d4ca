/** The processes of a run at full size: the victim and an honest client, with their memory usage. */

import { writeFileSync } from "node:fs";
import type { ConnectOrder, Form, Target, VictimLimits } from "./attack.ts";
import { memoryOf, socketsOf, Talker } from "./talker.ts";
import type { Order } from "./victim_main.ts";

/** An order, before it has a number. */
type Unnumbered<T> = T extends { id: number } ? Omit<T, "id"> : never;

/** The victim in a process of its own. */
export class VictimProcess implements Target {
  readonly ports: Readonly<Record<Form, number>>;
  readonly limits: Readonly<VictimLimits>;
  readonly #talker: Talker;
  readonly #orders = new Map<number, (result: unknown) => void>();
  #nextId = 0;

  private constructor(
    talker: Talker,
    { ports, limits }: { ports: Record<Form, number>; limits: VictimLimits },
  ) {
    this.#talker = talker;
    this.ports = ports;
    this.limits = limits;
    this.#listen();
  }

  /**
   * Starts it.
   *
   * @param checkout The path of another checkout, whose library is attacked.
   */
  static async start(checkout?: string): Promise<VictimProcess> {
    const talker = new Talker(new URL("./victim_main.ts", import.meta.url), [], checkout);
    return new VictimProcess(talker, await talker.read());
  }

  /** Whether it has ended on its own. */
  get hasEnded(): boolean {
    return this.#talker.hasEnded;
  }

  connect(order: ConnectOrder): Promise<string> {
    return this.#ask({ what: "connect", order });
  }

  connections(): Promise<number> {
    return this.#ask({ what: "connections" });
  }

  counts(): Promise<{ heldBytes: number; pendingCalls: number }> {
    return this.#ask({ what: "counts" });
  }

  /** Has it collect its garbage; resolves to the memory of its heap and buffers after that, in bytes. */
  collect(): Promise<number> {
    return this.#ask({ what: "collect" });
  }

  /** Resolves to the largest delay of a timer of 10 ms since the last call, in milliseconds. */
  lateness(): Promise<number> {
    return this.#ask({ what: "lateness" });
  }

  /** The resident memory, in bytes. */
  get memory(): number {
    return memoryOf(this.#talker.pid, "VmRSS");
  }

  /** The largest resident memory since `resetPeak()`, in bytes. */
  get peak(): number {
    return memoryOf(this.#talker.pid, "VmHWM");
  }

  /** Resets the peak: proc(5), clear_refs. */
  resetPeak(): void {
    writeFileSync(`/proc/${this.#talker.pid}/clear_refs`, "5");
  }

  /** The number of open sockets. */
  get sockets(): number {
    return socketsOf(this.#talker.pid);
  }

  /** Ends it. */
  stop(): Promise<void> {
    return this.#talker.stop();
  }

  async #ask<T>(order: Unnumbered<Order>): Promise<T> {
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<T>();
    this.#orders.set(id, resolve as (result: unknown) => void);
    this.#talker.write({ id, ...order });
    return await promise;
  }

  async #listen(): Promise<void> {
    try {
      while (true) {
        const { id, result } = await this.#talker.read<{ id: number; result: unknown }>(
          2 ** 31 - 1,
        );
        this.#orders.get(id)?.(result);
        this.#orders.delete(id);
      }
    } catch {
      // It has ended, or has been killed.
    }
  }
}

/** The measurements of an honest client, in milliseconds. */
export interface Latencies {
  count: number;
  p50: number;
  p99: number;
  max: number;
}

/** An honest client in a process of its own, which sends messages and waits for each echo. */
export class HonestProcess {
  readonly #talker: Talker;

  private constructor(talker: Talker) {
    this.#talker = talker;
  }

  /** Starts it; resolves once it's connected. */
  static async start(port: number): Promise<HonestProcess> {
    const talker = new Talker(new URL("./honest_main.ts", import.meta.url), [String(port)]);
    await talker.read();
    return new HonestProcess(talker);
  }

  /** Its measurements since the last call. */
  async latencies(): Promise<Latencies> {
    this.#talker.write("report");
    return await this.#talker.read();
  }

  /** Ends it. */
  stop(): Promise<void> {
    return this.#talker.stop();
  }
}
