/** Returns what `run` prints with `console.error`: the arguments of each call. */
export async function printed(run: () => unknown): Promise<unknown[][]> {
  const { error } = console;
  const lines: unknown[][] = [];
  console.error = (...args: unknown[]) => void lines.push(args);
  try {
    await run();
  } finally {
    console.error = error;
  }
  return lines;
}
