// The counters of a server, compared with a ledger of raw clients that count for themselves.
import { CloseCode } from "../../mod.ts";
import type { ServerStats } from "../../mod.ts";
import { assert, assertEquals, eventually, test } from "../harness.ts";
import { closeFrame, First } from "../support/memory_peer.ts";
import { upgradeRequest } from "../support/http.ts";
import { tcpConnect } from "../support/raw_tcp.ts";
import type { RawTcp } from "../support/raw_tcp.ts";
import { rawFrame } from "../support/frames.ts";
import { serving } from "../support/server.ts";

/** Counts the bytes that a raw client sends. */
function counting(tcp: RawTcp, ledger: { sent: number }): RawTcp {
  const write = tcp.write.bind(tcp);
  tcp.write = (data) => {
    ledger.sent += data.length;
    write(data);
  };
  return tcp;
}

test("server.stats agrees with a ledger, to the unit", async () => {
  const ledger = { sent: 0, errors: 0 };
  const { server } = serving({
    message(socket, message) {
      if (message === "ping") socket.ping();
      else if (message === "throw") throw new Error("by the handler");
      else for (let n = Number(message); n > 0; n--) socket.send("x".repeat(n));
    },
  }, {
    maxConnections: 5,
    origins: [],
    upgrade: (request) =>
      request.headers.has("x-no") ? new Response("no", { status: 403 }) : undefined,
    fetch: (request) => new Response(`path ${new URL(request.url).pathname}`),
    onError: () => void ledger.errors++,
  });
  const fresh = server.stats;
  assertEquals(fresh.roundTrips.counts.every((n) => n === 0), true);
  assertEquals([fresh.open, fresh.connections, fresh.bytesReceived, fresh.bytesSent], [0, 0, 0, 0]);

  const clients: RawTcp[] = [];
  const dial = async () => {
    const tcp = counting(await tcpConnect(server.addr), ledger);
    clients.push(tcp);
    return tcp;
  };
  const open = async (first: Uint8Array = new Uint8Array(0)) => {
    const tcp = await dial();
    const request = new TextEncoder().encode(upgradeRequest());
    const bytes = new Uint8Array([...request, ...first]);
    tcp.write(bytes);
    await tcp.until(({ text }) => text.includes("\r\n\r\n"), "the answer");
    return tcp;
  };
  const until = (condition: (stats: ServerStats) => boolean, what: string) =>
    eventually(() => condition(server.stats), 5000, what);

  // Three WebSockets. The first sends a message with its handshake, in one write.
  const one = await open(rawFrame({ first: First.Text, payload: "3" }, "server"));
  const two = await open();
  const three = await open();
  await until(({ messagesSent }) => messagesSent === 3, "the replies");
  assertEquals([server.stats.open, server.stats.connections, server.stats.opened], [3, 3, 3]);

  // A message in two fragments with a Ping between them.
  two.write(rawFrame({ first: First.TextStart, payload: "1" }, "server"));
  two.write(rawFrame({ first: First.Ping, payload: "?" }, "server"));
  two.write(rawFrame({ first: First.ContinuationEnd, payload: "0" }, "server"));
  await until(({ messagesSent }) => messagesSent === 13, "ten more replies");

  // A Ping of the server, and its Pong.
  three.write(rawFrame({ first: First.Text, payload: "ping" }, "server"));
  await three.until(({ text }) => text.includes("\x89\x04"), "a Ping");
  const at = three.bytes.indexOf("\x89\x04", 0, "latin1");
  const payload = three.bytes.subarray(at + 2, at + 6);
  three.write(rawFrame({ first: First.Pong, payload: new Uint8Array(payload) }, "server"));
  await until(({ roundTrips }) => roundTrips.count === 1, "the round trip");

  // Plain HTTP, twice on one connection, and a refusal by upgrade() and by Origin.
  const http = await dial();
  http.write("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  await http.until(({ text }) => text.includes("path /a") && text.includes("path /b"), "both");
  for (const fields of [{ "x-no": "1" }, { origin: "https://evil.example" }]) {
    const refused = await dial();
    refused.write(upgradeRequest(fields));
    await refused.until(({ hasEnded }) => hasEnded, "the end of the response");
    refused.end();
    await until(({ connections }) => connections === 4, "the end of a refused connection");
  }

  // The limit: a fifth connection has room, the sixth has not.
  const fifth = await dial();
  await until(({ connections }) => connections === 5, "the fifth connection");
  const sixth = await dial();
  await sixth.until(({ hasEnded }) => hasEnded, "the response of the sixth");
  sixth.end();
  fifth.end();
  http.end();
  await until(({ connections }) => connections === 3, "the WebSockets alone");

  // Ends: a code, none, and a broken rule. Then an exception of the handler.
  one.write(rawFrame(closeFrame(4001, "bye"), "server"));
  two.write(rawFrame(closeFrame(), "server"));
  for (const tcp of [one, two]) {
    await tcp.until(({ hasEnded }) => hasEnded, "the end");
    tcp.end();
  }
  three.write(new Uint8Array([0xff, 0x80, 0, 0, 0, 0]));
  await three.until(({ hasEnded }) => hasEnded, "the end");
  three.end();
  const four = await open();
  four.write(rawFrame({ first: First.Text, payload: "throw" }, "server"));
  await four.until(({ text }) => text.includes("\x88\x02\x03\xf3"), "1011");
  four.write(rawFrame(closeFrame(CloseCode.InternalError), "server"));
  await four.until(({ hasEnded }) => hasEnded, "the end");
  four.end();
  await until(({ open, connections }) => open === 0 && connections === 0, "the end of all");

  const { roundTrips, ...stats } = server.stats;
  const received = clients.reduce((sum, { length }) => sum + length, 0);
  assertEquals(stats, {
    accepted: 9,
    opened: 4,
    closed: 4,
    closedByCode: { 4001: 1, 1005: 1, 1006: 1, 1011: 1 },
    failedByReason: { ERR_RSV: 1 },
    refused: 3,
    refusedByReason: { ERR_HANDSHAKE_REFUSED: 1, ERR_HANDSHAKE_ORIGIN: 1, ERR_HANDSHAKE_FULL: 1 },
    requests: 2,
    messagesReceived: 4,
    messagesSent: 13,
    bytesReceived: ledger.sent,
    bytesSent: received,
    pingsReceived: 1,
    pingsSent: 1,
    overflows: 0,
    rateLimited: 0,
    errors: ledger.errors,
    open: 0,
    connections: 0,
    heldBytes: 0,
  });
  assertEquals(ledger.errors, 4);
  assertEquals(roundTrips.count, 1);
  assert(roundTrips.sum > 0 && roundTrips.sum < 5000);
  assertEquals(roundTrips.counts.reduce((a, b) => a + b), 1);
  assertEquals(roundTrips.counts.length, roundTrips.bounds.length + 1);
});

test("server.stats are a copy, and info.server has them", async () => {
  const { server, url } = serving({}, {
    fetch: (_request, info) => Response.json(info.server.stats),
  });
  const before = server.stats;
  const response = await fetch(url.replace("ws:", "http:"));
  const during = await response.json() as ServerStats;
  assertEquals([during.requests, during.accepted, during.connections], [1, 1, 1]);
  assertEquals([before.requests, before.accepted], [0, 0]);
  (before.roundTrips.counts as number[])[0] = 5;
  (before.closedByCode as Record<string, number>)["1000"] = 5;
  assertEquals(server.stats.roundTrips.counts[0], 0);
  assertEquals(server.stats.closedByCode, {});
});
