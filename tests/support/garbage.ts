/** Collects this process's garbage. V8 needs the flag --expose-gc. */
export function collectGarbage(): void {
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };
  // Twice: V8 frees the buffers of the first in the background; the second waits for that.
  for (let i = 0; i < 2; i++) {
    if (Bun === undefined) gc?.();
    else Bun.gc(true);
  }
}
