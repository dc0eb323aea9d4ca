import { existsSync, readdirSync } from "node:fs";
import { assert, delay } from "../harness.ts";

const FOLDER = "/proc/self/fd";

/** For `testIf`: whether file descriptors can be counted here. */
export const canCount: true | string = existsSync(FOLDER) ? true : `there is no ${FOLDER}`;

/** How many file descriptors this process has. */
export function countDescriptors(): number {
  return readdirSync(FOLDER).length;
}

/** Fails unless there are no more of them than that, before long. */
export async function assertDescriptors(most: number): Promise<void> {
  const since = performance.now();
  while (countDescriptors() > most && performance.now() - since < 10_000) await delay(10);
  const count = countDescriptors();
  assert(count <= most, `${count} file descriptors are open, ${most} were`);
}
