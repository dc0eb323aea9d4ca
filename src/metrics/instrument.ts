import { ROUND_TRIP_BOUNDS } from "../connection/counters.ts";
import { countersOf } from "../server/server.ts";
import { labelled, METRICS, ROUND_TRIPS } from "./metrics.ts";
import type { MetricSource } from "./metrics.ts";

/** The options of an instrument that {@linkcode instrument} sets. */
export interface MetricOptions {
  /** A sentence about the metric. */
  description: string;
  /** The unit, as in UCUM: `By`, `s`, or an annotation such as `{message}`. */
  unit: string;
}

/** The result of a callback of {@linkcode Meter}: takes the numbers. */
export interface MetricObserver {
  /** Takes a number of an instrument. */
  observe(instrument: object, value: number, attributes?: Record<string, string>): void;
}

/**
 * The members of OpenTelemetry's `Meter` that {@linkcode instrument} uses. The `Meter` of
 * `@opentelemetry/api` is one.
 */
export interface Meter {
  /** Creates a counter whose number is read when metrics are collected. */
  // deno-lint-ignore no-explicit-any
  createObservableCounter(name: string, options?: MetricOptions): any;
  /** Creates a gauge that can be added up, and whose number is read when metrics are collected. */
  // deno-lint-ignore no-explicit-any
  createObservableUpDownCounter(name: string, options?: MetricOptions): any;
  /** Creates a histogram. */
  createHistogram(
    name: string,
    options?: MetricOptions & { advice?: { explicitBucketBoundaries?: number[] } },
  ): { record(value: number, attributes?: Record<string, string>): void };
  /** Adds a callback that observes several instruments at once. */
  addBatchObservableCallback(
    callback: (observer: MetricObserver) => void,
    // deno-lint-ignore no-explicit-any
    instruments: any[],
  ): void;
  /** Removes such a callback. */
  removeBatchObservableCallback(
    callback: (observer: MetricObserver) => void,
    // deno-lint-ignore no-explicit-any
    instruments: any[],
  ): void;
}

/**
 * Reports the counters and gauges of servers to OpenTelemetry. The numbers are read when metrics are
 * collected; only the round trips of pings are recorded when they happen.
 *
 * All names begin with `sluice.`. The page "Metrics" of the documentation lists them.
 *
 * @param meter The `Meter` of OpenTelemetry's API, or an object with these members of it.
 * @param sources The servers. With more than one, each needs labels of its own, which become attributes.
 * @returns A function that ends the reports.
 * @throws {TypeError} If a source is no server.
 *
 * @example
 * ```ts ignore
 * import { metrics } from "@opentelemetry/api";
 * import { instrument, serve } from "@sluice/websocket";
 *
 * const server = serve({ port: 8080 }, { message: (socket, message) => socket.send(message) });
 * const stop = instrument(metrics.getMeter("my-server"), server);
 * ```
 *
 * @see {@link https://opentelemetry.io/docs/specs/otel/metrics/api/ OpenTelemetry's Metrics API}
 */
export function instrument(
  meter: Meter,
  ...sources: [MetricSource, ...MetricSource[]]
): () => void {
  const servers = sources.map(labelled);
  const instruments = METRICS.map((metric) => {
    const name = nameOf(metric.name);
    const options = { description: metric.help, unit: metric.unit };
    const instrument: object = metric.type === "counter"
      ? meter.createObservableCounter(name, options)
      : meter.createObservableUpDownCounter(name, options);
    return instrument;
  });
  const observe = (observer: MetricObserver) => {
    for (const { server, labels } of servers) {
      const { stats } = server;
      for (const [i, { read, label }] of METRICS.entries()) {
        const value = read(stats);
        if (typeof value === "number") {
          observer.observe(instruments[i]!, value, labels);
        } else {
          for (const [key, number] of Object.entries(value)) {
            observer.observe(instruments[i]!, number, { ...labels, [label!]: key });
          }
        }
      }
    }
  };
  meter.addBatchObservableCallback(observe, instruments);
  const histogram = meter.createHistogram(nameOf(ROUND_TRIPS.name), {
    description: ROUND_TRIPS.help,
    unit: ROUND_TRIPS.unit,
    advice: { explicitBucketBoundaries: ROUND_TRIP_BOUNDS.map((ms) => ms / 1000) },
  });
  const listening = servers.map(({ server, labels }) => {
    const listener = (ms: number) => histogram.record(ms / 1000, labels);
    const listeners = countersOf(server)?.roundTripListeners;
    listeners?.add(listener);
    return () => listeners?.delete(listener);
  });
  return () => {
    meter.removeBatchObservableCallback(observe, instruments);
    for (const stop of listening) stop();
  };
}

/** Returns the name in OpenTelemetry: `connections_closed` is `sluice.connections.closed`. */
function nameOf(name: string): string {
  return `sluice.${name.replaceAll("_", ".")}`;
}
