/** Formats numbers and Markdown tables. */

/** Returns the median; of an even number of values, the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Formats a number with three digits. */
export function short(value: number): string {
  if (Math.abs(value) >= 1e6) return `${digits(value / 1e6)} M`;
  if (Math.abs(value) >= 1e4) return `${digits(value / 1e3)} k`;
  return digits(value);
}

function digits(value: number): string {
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** Formats the smallest and the largest value. */
export function spread(values: readonly number[]): string {
  return `${short(Math.min(...values))}..${short(Math.max(...values))}`;
}

/** Formats the median, with the spread if there is more than one value. */
export function withSpread(values: readonly number[]): string {
  if (values.length === 0) return "";
  const middle = short(median(values));
  return values.length === 1 ? middle : `${middle} (${spread(values)})`;
}

/** Formats a table: the first column is text, the others are numbers. Empty columns are left out. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const used = header.map((_, i) => i).filter((i) => i === 0 || rows.some((row) => row[i] !== ""));
  const all = [header, ...rows].map((row) => used.map((i) => row[i] ?? ""));
  const widths = used.map((_, i) => Math.max(4, ...all.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${
      cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))
        .join(" | ")
    } |`;
  const rule = widths.map((width, i) =>
    "-".repeat(width - (i === 0 ? 0 : 1)) + (i === 0 ? "" : ":")
  );
  return [line(all[0]!), line(rule), ...all.slice(1).map(line)].join("\n");
}
