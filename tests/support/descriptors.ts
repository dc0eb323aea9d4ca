import { existsSync, readdirSync } from "node:fs";
import { assert, delay } from "../harness.ts";

const FOLDER = "/proc/self/fd";

/** A condition for `testIf`: file descriptors can be counted. */
export const canCount: true | string = existsSync(FOLDER) ? true : `there is no ${FOLDER}`;

/** Returns the number of open file descriptors of this process. */
export function countDescriptors(): number {
  return readdirSync(FOLDER).length;
}

/** Waits until there are at most so many; fails after a while. */
export async function assertDescriptors(most: number): Promise<void> {
  const since = performance.now();
  while (countDescriptors() > most && performance.now() - since < 10_000) await delay(10);
  const count = countDescriptors();
  assert(count <= most, `${count} file descriptors are open, ${most} were`);
}
