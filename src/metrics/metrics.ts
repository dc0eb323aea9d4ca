import type { RoundTrips } from "../connection/counters.ts";
import type { ServerStats } from "../server/server_stats.ts";

/** A server whose numbers are exported, such as the one that `serve()` returns. */
export interface MetricServer {
  /** What the server has done so far, and what it does now. */
  readonly stats: ServerStats;
}

/** A server with labels, by which its numbers can be told from those of another one. */
export interface LabelledServer {
  /** The server. */
  readonly server: MetricServer;
  /** The labels, such as `{ port: "8080" }`. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A source of metrics: a server, or a server with labels. */
export type MetricSource = MetricServer | LabelledServer;

/** A metric, without its numbers. */
export interface Metric {
  /** The name: words separated by underscores, without the suffix of the unit and of the type. */
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  /** `By` and `s` are those of UCUM, which OpenTelemetry uses. */
  readonly unit: "By" | "s" | `{${string}}`;
  /** The label, if there is a number for each of its values. */
  readonly label?: "code" | "reason";
  /** The numbers: one, or one for each value of the label. */
  readonly read: (stats: ServerStats) => number | Readonly<Record<string, number>>;
}

/** All metrics except the round trips of pings, which are a histogram. */
export const METRICS: readonly Metric[] = [
  counter("tcp_accepted", "{connection}", "TCP connections accepted.", (s) => s.accepted),
  counter("connections_opened", "{connection}", "WebSockets opened.", (s) => s.opened),
  {
    ...counter("connections_closed", "{connection}", "WebSockets closed.", (s) => s.closedByCode),
    label: "code",
  },
  {
    ...counter(
      "connections_failed",
      "{connection}",
      "WebSockets ended by an error.",
      (s) => s.failedByReason,
    ),
    label: "reason",
  },
  {
    ...counter("requests_refused", "{request}", "Requests refused.", (s) => s.refusedByReason),
    label: "reason",
  },
  counter("http_requests", "{request}", "HTTP requests passed to fetch().", (s) => s.requests),
  counter("messages_received", "{message}", "Messages received.", (s) => s.messagesReceived),
  counter("messages_sent", "{message}", "Messages sent.", (s) => s.messagesSent),
  counter("received", "By", "Bytes received, HTTP included.", (s) => s.bytesReceived),
  counter("sent", "By", "Bytes sent, HTTP included.", (s) => s.bytesSent),
  counter("pings_received", "{ping}", "Ping frames received.", (s) => s.pingsReceived),
  counter("pings_sent", "{ping}", "Ping frames sent.", (s) => s.pingsSent),
  counter("overflows", "{message}", "Messages not sent, for want of room.", (s) => s.overflows),
  counter("rate_limited", "{event}", "Waits for a peer's rate limit.", (s) => s.rateLimited),
  counter("errors", "{error}", "Errors reported to onError.", (s) => s.errors),
  gauge("connections_open", "{connection}", "WebSockets open or closing.", (s) => s.open),
  gauge("tcp_open", "{connection}", "TCP connections open, HTTP included.", (s) => s.connections),
  gauge("held", "By", "Memory of all connections.", (s) => s.heldBytes),
];

/** The histogram of the round trips. */
export const ROUND_TRIPS = {
  name: "ping_round_trip",
  help: "Round trips of the pings that were answered.",
  unit: "s",
  read: (stats: ServerStats): RoundTrips => stats.roundTrips,
} as const;

/** Returns a source as a server with labels. */
export function labelled(source: MetricSource): LabelledServer {
  if (typeof source === "object" && source !== null) {
    if ("server" in source) return source;
    if ("stats" in source) return { server: source, labels: {} };
  }
  throw new TypeError("Cannot read metrics: expected a server, or an object of server and labels");
}

function counter(
  name: string,
  unit: Metric["unit"],
  help: string,
  read: Metric["read"],
): Metric {
  return { name, type: "counter", help, unit, read };
}

function gauge(name: string, unit: Metric["unit"], help: string, read: Metric["read"]): Metric {
  return { name, type: "gauge", help, unit, read };
}
