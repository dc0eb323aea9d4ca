import { deadline } from "../harness.ts";

/** What tests wait for: conditions that are looked at again whenever something has changed. */
export class Changes {
  #waiting: (() => void)[] = [];

  /** Has them looked at: something has changed. */
  tell(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves once the condition holds; fails where that takes longer than `ms` milliseconds. */
  async until(condition: () => boolean, ms: number, what: string): Promise<void> {
    const met = async () => {
      while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    };
    await deadline(met(), ms, what);
  }
}
