import { deadline } from "../harness.ts";

/** Conditions that tests wait for; they are evaluated again after each change. */
export class Changes {
  #waiting: (() => void)[] = [];

  /** Has the conditions evaluated again. */
  tell(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves once the condition holds; rejects after `ms` milliseconds. */
  async until(condition: () => boolean, ms: number, what: string): Promise<void> {
    const met = async () => {
      while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    };
    await deadline(met(), ms, what);
  }
}
