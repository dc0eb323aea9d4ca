import type { ServerStats } from "../server/server_stats.ts";
import { labelled, METRICS, ROUND_TRIPS } from "./metrics.ts";
import type { LabelledServer, Metric, MetricSource } from "./metrics.ts";

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/**
 * Returns the counters and gauges of servers in Prometheus' text format, for the response to a scrape. Its
 * Content-Type is `text/plain; version=0.0.4`.
 *
 * All names begin with `sluice_`. The page "Metrics" of the documentation lists them.
 *
 * @param sources The servers. With more than one, each needs labels of its own.
 * @throws {TypeError} If a source is no server, a label has an invalid name, or two servers have the same
 * labels.
 *
 * @example
 * ```ts
 * import { prometheus, serve } from "@sluice/websocket";
 * import { assertStringIncludes } from "@std/assert";
 *
 * await using server = serve({
 *   hostname: "127.0.0.1",
 *   port: 0,
 *   fetch: (_request, { server }) =>
 *     new Response(prometheus(server), {
 *       headers: { "content-type": "text/plain; version=0.0.4" },
 *     }),
 * }, { message: (socket, message) => socket.send(message) });
 *
 * const text = await (await fetch(server.url.replace("ws:", "http:"))).text();
 * assertStringIncludes(text, "sluice_http_requests_total 1");
 * ```
 *
 * @see {@link https://prometheus.io/docs/instrumenting/exposition_formats/ Exposition formats}
 */
export function prometheus(...sources: [MetricSource, ...MetricSource[]]): string {
  const servers = sources.map(labelled);
  const labelTexts = servers.map(({ labels }) => labelsOf(labels));
  if (new Set(labelTexts).size < labelTexts.length) {
    throw new TypeError("Cannot write metrics: two servers have the same labels");
  }
  const numbers = servers.map(({ server }, i) => ({
    stats: server.stats,
    labels: labelTexts[i]!,
  }));
  return METRICS.map((metric) => metricText(metric, numbers)).join("") + roundTripText(numbers);
}

/** The numbers of a server, and its labels as text. */
interface Numbers {
  readonly stats: ServerStats;
  readonly labels: string;
}

function metricText(metric: Metric, servers: readonly Numbers[]): string {
  const unit = metric.unit === "By" ? "_bytes" : "";
  const name = `sluice_${metric.name}${unit}${metric.type === "counter" ? "_total" : ""}`;
  let text = headOf(name, metric.help, metric.type);
  for (const { stats, labels } of servers) {
    const value = metric.read(stats);
    if (typeof value === "number") {
      text += lineOf(name, labels, value);
    } else {
      for (const [key, number] of Object.entries(value)) {
        text += lineOf(name, join(labels, `${metric.label}="${escape(key)}"`), number);
      }
    }
  }
  return text;
}

function roundTripText(servers: readonly Numbers[]): string {
  const name = `sluice_${ROUND_TRIPS.name}_seconds`;
  let text = headOf(name, ROUND_TRIPS.help, "histogram");
  for (const { stats, labels } of servers) {
    const { count, sum, bounds, counts } = ROUND_TRIPS.read(stats);
    let total = 0;
    for (const [i, bound] of bounds.entries()) {
      total += counts[i]!;
      text += lineOf(`${name}_bucket`, join(labels, `le="${bound / 1000}"`), total);
    }
    text += lineOf(`${name}_bucket`, join(labels, 'le="+Inf"'), count);
    text += lineOf(`${name}_sum`, labels, sum / 1000);
    text += lineOf(`${name}_count`, labels, count);
  }
  return text;
}

function headOf(name: string, help: string, type: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

function lineOf(name: string, labels: string, value: number): string {
  return `${name}${labels === "" ? "" : `{${labels}}`} ${value}\n`;
}

function join(labels: string, more: string): string {
  return labels === "" ? more : `${labels},${more}`;
}

/** Returns the labels as text, in the order of their names. */
function labelsOf(labels: LabelledServer["labels"]): string {
  return Object.entries(labels).sort(([a], [b]) => a < b ? -1 : 1).map(([name, value]) => {
    if (!LABEL_NAME.test(name) || name === "le" || name === "code" || name === "reason") {
      throw new TypeError(
        `Cannot write metrics: label ${JSON.stringify(name)}, expected a name of letters, digits ` +
          "and _, other than le, code and reason",
      );
    }
    return `${name}="${escape(`${value}`)}"`;
  }).join(",");
}

function escape(value: string): string {
  return value.replace(/[\\"\n]/g, (char) => char === "\n" ? "\\n" : `\\${char}`);
}
