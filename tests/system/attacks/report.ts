/** The table of the attacks, line by line. */

import type { Measured } from "./measure.ts";

type Columns = readonly (readonly [name: string, width: number])[];

const COLUMNS: Columns = [
  ["attack", 72],
  ["answer", 26],
  ["memory", 10],
  ["a connection", 12],
  ["sent", 10],
  ["time", 8],
  ["honest p99", 10],
];

/** The columns of a comparison with another checkout. */
const COMPARED: Columns = [
  ["attack", 72],
  ["", 6],
  ["answer", 26],
  ["memory", 10],
  ["held", 10],
  ["sent", 10],
  ["time", 8],
  ["honest p99", 10],
  ["max", 8],
  ["timer late", 10],
];

/**
 * The first two lines.
 *
 * @param isCompared Whether another checkout is attacked as well.
 */
export function header(isCompared = false): string {
  const columns = isCompared ? COMPARED : COLUMNS;
  const rule = columns.map(([, width], i) => {
    const isText = isTextColumn(columns, i);
    return "-".repeat(width - (isText ? 0 : 1)) + (isText ? "" : ":");
  });
  return `${line(columns.map(([name]) => name), columns)}\n${line(rule, columns)}`;
}

/** Returns the line of an attack. */
export function row(measured: Measured): string {
  const { growth, perConnection, sent, time, honest } = measured;
  return line([
    measured.name,
    answersOf(measured),
    `+${bytes(growth)}`,
    perConnection === undefined ? "" : bytes(perConnection),
    bytes(sent),
    `${(time / 1000).toFixed(1)} s`,
    milliseconds(honest.p99),
  ], COLUMNS);
}

/** Returns the line of an attack on one of two checkouts. */
export function comparedRow(measured: Measured, which: "before" | "after"): string {
  const { growth, held, sent, time, honest, late } = measured;
  return line([
    which === "before" ? measured.name : "",
    which,
    answersOf(measured),
    `+${bytes(growth)}`,
    bytes(held),
    bytes(sent),
    `${(time / 1000).toFixed(1)} s`,
    milliseconds(honest.p99),
    milliseconds(honest.max),
    milliseconds(late),
  ], COMPARED);
}

function answersOf({ answers, problems }: Measured): string {
  const texts = Object.entries(answers).map(([answer, times]) =>
    times === 1 ? answer : `${answer} × ${times}`
  );
  return `${texts.slice(0, 3).join(", ")}${problems.length > 0 ? " WRONG" : ""}`;
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}

function isTextColumn(columns: Columns, i: number): boolean {
  return i <= columns.findIndex(([name]) => name === "answer");
}

/** Returns a number of bytes with its unit. */
export function bytes(count: number): string {
  if (count < 1024) return `${Math.round(count)} B`;
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(1)} KiB`;
  return `${(count / (1024 * 1024)).toFixed(1)} MiB`;
}

function line(cells: readonly string[], columns: Columns): string {
  const padded = cells.map((cell, i) => {
    const [, width] = columns[i]!;
    return isTextColumn(columns, i) ? cell.padEnd(width) : cell.padStart(width);
  });
  return `| ${padded.join(" | ")} |`;
}
