/** The chart of docs/benchmarks.md: the rate of the server, divided by that of the runtime's own. */
import type { Facts } from "./machine.ts";
import { medianRatio } from "./report.ts";
import type { Measured } from "./report.ts";

/** The part of the reports of a runtime that is shown. */
export interface Report {
  machine: Facts;
  rounds: number;
  seconds: number;
  loads: Measured[];
}

/** The geometry, in pixels. */
const WIDTH = 720;
const LEFT = 150;
const RIGHT = 30;
const TOP = 62;
const BAR = 16;
const GROUP = 54;

/** The scale: powers of two, since a ratio of 1/2 is as far from 1 as one of 2. */
const LEAST = 0.5;
const MOST = 64;

function ratioToX(ratio: number): number {
  const shown = Math.min(MOST, Math.max(LEAST, ratio));
  return LEFT + (WIDTH - LEFT - RIGHT) * Math.log2(shown / LEAST) / Math.log2(MOST / LEAST);
}

/** The name of an echo load for people. */
export function label({ connections, inFlight, size }: Measured["load"]): string {
  const unit = size >= 2 ** 20
    ? `${size / 2 ** 20} MiB`
    : size >= 1024
    ? `${size / 1024} KiB`
    : `${size} B`;
  return `${connections} × ${inFlight}, ${unit}`;
}

/** Draws the chart as an SVG image. */
export function draw(reports: readonly [name: string, report: Report][]): string {
  const loads = reports[0]![1].loads.filter(({ load }) => load.group === "binary");
  const height = TOP + loads.length * GROUP + 30;
  const parts: string[] = [];
  for (let tick = LEAST; tick <= MOST; tick *= 2) {
    const x = ratioToX(tick);
    const kind = tick === 1 ? "par" : "grid";
    parts.push(`<line class="${kind}" x1="${x}" y1="${TOP - 8}" x2="${x}" y2="${height - 26}"/>`);
    parts.push(`<text class="tick" x="${x}" y="${height - 10}">${tick}</text>`);
  }
  loads.forEach(({ load }, i) => {
    const y = TOP + i * GROUP;
    parts.push(`<text class="label" x="${LEFT - 10}" y="${y + BAR + 5}">${label(load)}</text>`);
    reports.forEach(([name, report], j) => {
      const measured = report.loads.find((other) => other.load.name === load.name);
      const ratio = medianRatio(measured?.peers.ours, measured?.peers.native);
      if (ratio === undefined) return;
      const [from, to] = [ratioToX(1), ratioToX(ratio)].sort((a, b) => a - b) as [number, number];
      const top = y + j * (BAR + 3);
      const width = Math.max(1, to - from).toFixed(1);
      parts.push(
        `<rect class="${name}" x="${
          from.toFixed(1)
        }" y="${top}" width="${width}" height="${BAR}"/>`,
      );
      const x = ratio >= 1 ? to + 6 : from - 6;
      const anchor = ratio >= 1 ? "start" : "end";
      parts.push(
        `<text class="value" text-anchor="${anchor}" x="${x.toFixed(1)}" y="${top + 12}">` +
          `${ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(2)}</text>`,
      );
    });
  });
  reports.forEach(([name, { machine }], j) => {
    const x = LEFT + j * 170;
    parts.push(`<rect class="${name}" x="${x}" y="30" width="12" height="12"/>`);
    const title = `${name === "deno" ? "Deno" : "Bun"} ${machine[name]}`;
    parts.push(`<text class="legend" x="${x + 18}" y="40">${title}</text>`);
  });
  const style = `
    text { font: 13px system-ui, sans-serif; fill: #24292f; }
    .label { text-anchor: end; } .tick { text-anchor: middle; fill: #57606a; }
    .value { font-size: 12px; } .title { font-weight: 600; }
    .grid { stroke: #d0d7de; } .par { stroke: #57606a; stroke-width: 2; }
    .deno { fill: #2f6fdb; } .bun { fill: #c2571a; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; } .tick { fill: #9198a1; } .grid { stroke: #3d444d; }
      .par { stroke: #9198a1; } .deno { fill: #6ca4ff; } .bun { fill: #f0883e; }
    }`;
  const title = "Messages per second, divided by those of the runtime's own server";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" ` +
    `aria-label="${title}"><style>${style}\n  </style>\n` +
    `<text class="title" x="${LEFT}" y="18">${title}</text>\n${parts.join("\n")}\n</svg>\n`;
}
