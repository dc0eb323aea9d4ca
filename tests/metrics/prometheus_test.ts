import { prometheus } from "../../mod.ts";
import type { ServerStats } from "../../mod.ts";
import { assert, assertEquals, assertThrows, canRun, run, test, testIf } from "../harness.ts";

const counts = [2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4];

/** Numbers that differ from each other. */
const stats: ServerStats = {
  accepted: 11,
  opened: 12,
  closed: 5,
  closedByCode: { 1000: 2, 1001: 3 },
  failedByReason: { ERR_PONG_TIMEOUT: 6 },
  refused: 7,
  refusedByReason: { ERR_HANDSHAKE_FULL: 7 },
  requests: 13,
  messagesReceived: 14,
  messagesSent: 15,
  bytesReceived: 16,
  bytesSent: 17,
  pingsReceived: 18,
  pingsSent: 19,
  roundTrips: {
    count: 7,
    sum: 1500,
    bounds: [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000],
    counts,
  },
  overflows: 20,
  rateLimited: 21,
  errors: 22,
  open: 23,
  connections: 24,
  heldBytes: 25,
};

/** The lines with numbers. */
const linesOf = (text: string) => text.split("\n").filter((line) => line !== "" && line[0] !== "#");

test("prometheus() writes each number once", () => {
  const lines = linesOf(prometheus({ stats }));
  assertEquals(lines.filter((line) => !line.includes("round_trip")), [
    "sluice_tcp_accepted_total 11",
    "sluice_connections_opened_total 12",
    'sluice_connections_closed_total{code="1000"} 2',
    'sluice_connections_closed_total{code="1001"} 3',
    'sluice_connections_failed_total{reason="ERR_PONG_TIMEOUT"} 6',
    'sluice_requests_refused_total{reason="ERR_HANDSHAKE_FULL"} 7',
    "sluice_http_requests_total 13",
    "sluice_messages_received_total 14",
    "sluice_messages_sent_total 15",
    "sluice_received_bytes_total 16",
    "sluice_sent_bytes_total 17",
    "sluice_pings_received_total 18",
    "sluice_pings_sent_total 19",
    "sluice_overflows_total 20",
    "sluice_rate_limited_total 21",
    "sluice_errors_total 22",
    "sluice_connections_open 23",
    "sluice_tcp_open 24",
    "sluice_held_bytes 25",
  ]);
  const histogram = lines.filter((line) => line.includes("round_trip"));
  assertEquals(histogram.length, 16);
  assertEquals(histogram.slice(0, 4), [
    'sluice_ping_round_trip_seconds_bucket{le="0.001"} 2',
    'sluice_ping_round_trip_seconds_bucket{le="0.0025"} 2',
    'sluice_ping_round_trip_seconds_bucket{le="0.005"} 3',
    'sluice_ping_round_trip_seconds_bucket{le="0.01"} 3',
  ]);
  assertEquals(histogram.slice(-3), [
    'sluice_ping_round_trip_seconds_bucket{le="+Inf"} 7',
    "sluice_ping_round_trip_seconds_sum 1.5",
    "sluice_ping_round_trip_seconds_count 7",
  ]);
});

test("prometheus() writes several servers by their labels, each metric's head once", () => {
  const more = { ...stats, opened: 99 };
  const text = prometheus(
    { server: { stats }, labels: { port: "80", host: 'a "b" \\ c\n' } },
    { server: { stats: more }, labels: { port: "81" } },
  );
  const opened = linesOf(text).filter((line) => line.startsWith("sluice_connections_opened"));
  assertEquals(opened, [
    'sluice_connections_opened_total{host="a \\"b\\" \\\\ c\\n",port="80"} 12',
    'sluice_connections_opened_total{port="81"} 99',
  ]);
  assert(text.includes('sluice_connections_closed_total{port="81",code="1000"} 2\n'));
  assertEquals(text.split("# TYPE sluice_connections_opened_total counter\n").length, 2);
});

test("prometheus() refuses what can't be told apart, and what is no server", () => {
  assertThrows(() => prometheus({ stats }, { stats }), TypeError, "same labels");
  for (const name of ["a-b", "1a", "", "le", "code", "reason"]) {
    const source = { server: { stats }, labels: { [name]: "x" } };
    assertThrows(() => prometheus(source), TypeError, "label");
  }
  for (const source of [undefined, null, 5, {}, "server"]) {
    assertThrows(() => prometheus(source as never), TypeError, "expected a server");
  }
});

testIf(canRun("promtool"), "promtool has no complaint about the metrics", async () => {
  const empty = { ...stats, closedByCode: {}, failedByReason: {}, refusedByReason: {} };
  for (const text of [prometheus({ stats }), prometheus({ stats: empty })]) {
    const { code, stdout, stderr } = await run("promtool", ["check", "metrics"], { input: text });
    assertEquals([code, stdout, stderr], [0, "", ""]);
  }
  // It does complain about a change.
  const wrong = prometheus({ stats }).replaceAll("sluice_errors_total", "sluice_errors");
  assertEquals((await run("promtool", ["check", "metrics"], { input: wrong })).code, 3);
});
