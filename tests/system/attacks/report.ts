/** The table of the attacks, line by line. */

import type { Measured } from "./measure.ts";

const COLUMNS = [
  ["attack", 72],
  ["answer", 26],
  ["memory", 10],
  ["a connection", 12],
  ["sent", 10],
  ["time", 8],
  ["honest p99", 10],
] as const;

/** The first two lines. */
export function header(): string {
  const rule = COLUMNS.map(([, width], i) =>
    "-".repeat(width - (i < 2 ? 0 : 1)) + (i < 2 ? "" : ":")
  );
  return `${line(COLUMNS.map(([name]) => name))}\n${line(rule)}`;
}

/** Returns the line of an attack. */
export function row(measured: Measured): string {
  const { answers, growth, perConnection, sent, time, honest, problems } = measured;
  const texts = Object.entries(answers).map(([answer, times]) =>
    times === 1 ? answer : `${answer} × ${times}`
  );
  return line([
    measured.name,
    `${texts.slice(0, 3).join(", ")}${problems.length > 0 ? " WRONG" : ""}`,
    `+${bytes(growth)}`,
    perConnection === undefined ? "" : bytes(perConnection),
    bytes(sent),
    `${(time / 1000).toFixed(1)} s`,
    `${honest.p99.toFixed(honest.p99 < 10 ? 1 : 0)} ms`,
  ]);
}

/** Returns a number of bytes with its unit. */
export function bytes(count: number): string {
  if (count < 1024) return `${Math.round(count)} B`;
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(1)} KiB`;
  return `${(count / (1024 * 1024)).toFixed(1)} MiB`;
}

function line(cells: readonly string[]): string {
  const padded = cells.map((cell, i) => {
    const [, width] = COLUMNS[i]!;
    return i < 2 ? cell.padEnd(width) : cell.padStart(width);
  });
  return `| ${padded.join(" | ")} |`;
}
