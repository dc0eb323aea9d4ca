// instrument() with OpenTelemetry's own API and SDK. They are loaded by name, so that a checkout can be
// type-checked before they are installed; the last test checks their types.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect, instrument, prometheus } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertThrows,
  canRun,
  eventually,
  onTestEnd,
  run,
  test,
  testIf,
} from "../harness.ts";
import { echo, serving } from "../support/server.ts";

const packages = ["@opentelemetry/api", "@opentelemetry/sdk-metrics"];
const [{ metrics }, { MeterProvider, MetricReader }] = await Promise.all(
  packages.map((name) => import(name)),
);

/** The part of the SDK's type that is used here. */
interface MetricData {
  descriptor: { name: string; unit: string };
  dataPoints: { attributes: Record<string, string>; value: unknown }[];
}

/** Collects when it is asked to. */
class Reader extends MetricReader {
  onShutdown(): Promise<void> {
    return Promise.resolve();
  }
  onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  /** Returns all metrics by their names. */
  async read(): Promise<Map<string, MetricData>> {
    const { resourceMetrics, errors } = await this.collect();
    assertEquals(errors, []);
    const scopes: { metrics: MetricData[] }[] = resourceMetrics.scopeMetrics;
    const all = scopes.flatMap((scope) => scope.metrics);
    return new Map(all.map((metric) => [metric.descriptor.name, metric]));
  }
}

function makeReader(): Reader {
  const reader = new Reader();
  const provider = new MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(provider);
  onTestEnd(async () => {
    metrics.disable();
    await provider.shutdown();
  });
  return reader;
}

/** The numbers of a metric by their attributes. */
const pointsOf = (metric: MetricData | undefined) =>
  metric?.dataPoints.map(({ attributes, value }) => [attributes, value]);

test("instrument() reports the numbers of server.stats to OpenTelemetry", async () => {
  const reader = makeReader();
  const { server, url } = serving(echo);
  const stop = instrument(metrics.getMeter("test"), server);
  const first = await connect(url);
  const second = await connect(url);
  for (const socket of [first, second]) {
    await socket.send("hello");
    for await (const _ of socket) break;
  }
  await first.close(4000);
  server.connections.forEach((socket) => socket.ping());
  await eventually(() => server.stats.roundTrips.count === 1, 5000, "the Pong");
  const before = server.stats;
  const read = await reader.read();
  assertEquals(server.stats, before);
  const { open, opened, closed, bytesReceived, bytesSent, heldBytes, pingsSent, roundTrips } =
    before;
  assertEquals([open, opened, closed, pingsSent], [1, 2, 1, 1]);
  const expected = {
    "sluice.tcp.accepted": [[{}, 2]],
    "sluice.connections.opened": [[{}, 2]],
    "sluice.connections.closed": [[{ code: "4000" }, 1]],
    "sluice.messages.received": [[{}, 2]],
    "sluice.messages.sent": [[{}, 2]],
    "sluice.received": [[{}, bytesReceived]],
    "sluice.sent": [[{}, bytesSent]],
    "sluice.pings.sent": [[{}, 1]],
    "sluice.connections.open": [[{}, 1]],
    "sluice.tcp.open": [[{}, 1]],
    "sluice.held": [[{}, heldBytes]],
  };
  for (const [name, points] of Object.entries(expected)) {
    assertEquals([name, pointsOf(read.get(name))], [name, points]);
  }
  assertEquals(read.get("sluice.received")!.descriptor.unit, "By");

  // The same histogram as that of server.stats.
  const histogram = read.get("sluice.ping.round.trip")!;
  const [point] = histogram.dataPoints;
  const { count, sum, buckets } = point!.value as {
    count: number;
    sum: number;
    buckets: { boundaries: number[]; counts: number[] };
  };
  assertEquals(count, 1);
  assert(Math.abs(sum - roundTrips.sum / 1000) < 1e-9);
  assertEquals(buckets.boundaries, roundTrips.bounds.map((ms) => ms / 1000));
  assertEquals(buckets.counts, [...roundTrips.counts]);

  stop();
  second.ping();
  server.connections.forEach((socket) => socket.ping());
  await eventually(() => server.stats.roundTrips.count === 2, 5000, "the second Pong");
  const after = await reader.read();
  const after2 = after.get("sluice.ping.round.trip")!.dataPoints[0]!.value as { count: number };
  assertEquals(after2.count, 1, "stopped");
  await second.close(1000);
});

test("instrument() and prometheus() have the same metrics", async () => {
  const reader = makeReader();
  const { server, url } = serving(echo, { upgrade: () => new Response(null, { status: 403 }) });
  await connect(url).catch(() => {});
  instrument(metrics.getMeter("test"), server);
  const read = await reader.read();
  const text = prometheus(server);
  const names = [...text.matchAll(/^# TYPE sluice_(\w+?)(?:_bytes|_seconds)?(?:_total)? (\w+)$/gm)]
    .filter(([, name]) => new RegExp(`^sluice_${name}\\w*(?:{|[ ])`, "m").test(text))
    .map(([, name]) => `sluice.${name!.replaceAll("_", ".")}`);
  // A histogram without a record, and counters by code or reason without any, are not collected.
  const collected = names.filter((name) =>
    !["sluice.ping.round.trip", "sluice.connections.closed", "sluice.connections.failed"]
      .includes(name)
  );
  assert(collected.length >= 16, `${collected.length}`);
  for (const name of collected) assert(read.has(name), name);
  assertEquals(pointsOf(read.get("sluice.requests.refused")), [
    [{ reason: "ERR_HANDSHAKE_REFUSED" }, 1],
  ]);
});

test("instrument() adds the labels of a server as attributes", async () => {
  const reader = makeReader();
  const [a, b] = [serving(echo), serving(echo)];
  const socket = await connect(a.url);
  instrument(
    metrics.getMeter("test"),
    { server: a.server, labels: { port: "a" } },
    { server: b.server, labels: { port: "b" } },
  );
  const read = await reader.read();
  assertEquals(pointsOf(read.get("sluice.connections.open")), [
    [{ port: "a" }, 1],
    [{ port: "b" }, 0],
  ]);
  await socket.close(1000);
});

test("instrument() refuses what is no server", () => {
  assertThrows(() => instrument(metrics.getMeter("typed"), {} as never), TypeError, "a server");
});

const root = fileURLToPath(new URL("../..", import.meta.url));
const tsc = join(root, "node_modules/.bin/tsc");
testIf(canRun(tsc), "OpenTelemetry's Meter is a Meter, by its type", async () => {
  // Within node_modules, the names of its packages resolve.
  const folder = mkdtempSync(join(root, "node_modules/.meter-"));
  onTestEnd(() => rmSync(folder, { recursive: true }));
  const extended = { extends: join(root, "tsconfig.json"), files: ["main.ts"], include: [] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(extended));
  writeFileSync(
    join(folder, "main.ts"),
    `import { metrics } from "@opentelemetry/api";
import { instrument, serve } from "@sluice/websocket";
const server = serve({});
instrument(metrics.getMeter("a"), server);
// @ts-expect-error: it is no Meter.
instrument(metrics, server);
`,
  );
  const { code, stdout } = await run(tsc, ["--noEmit", "--project", folder]);
  assertEquals([code, stdout], [0, ""]);
});
