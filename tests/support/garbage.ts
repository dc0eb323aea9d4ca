/** Collects this process's garbage, in whichever runtime; V8 has to be told to expose that. */
export function collectGarbage(): void {
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };
  // Twice: V8 frees the buffers of the first in the background, and waits for that in the second.
  for (let i = 0; i < 2; i++) {
    if (Bun === undefined) gc?.();
    else Bun.gc(true);
  }
}
