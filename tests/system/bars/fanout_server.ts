// A server that sends each message that it receives to all connections: `{ form, batch, compression }`.
import process from "node:process";
import { serve } from "../../../mod.ts";
import type { TcpAddr } from "../../../mod.ts";
import { topics } from "../../../src/topics/mod.ts";
import { Bun, Deno } from "../../../bench/globals.ts";
import { answer, configuration, runtime } from "../cluster/processes.ts";

/** The configuration. */
export interface FanoutConfig {
  /** Ours with topics, or the runtime's own: `publish()` of Bun, a loop of `send()` on Deno. */
  form: "topics" | "native";
  /** The number of messages sent in one tick. */
  batch: number;
  compression: boolean;
  json: boolean;
}

const { form, batch, compression, json } = configuration<FanoutConfig>();

/** Messages of 64 B, or of 1 KiB of JSON. */
const messages = Array.from({ length: batch }, (_, n) => {
  if (!json) return new Uint8Array(64).fill(n);
  const orders = [];
  for (let id = n * 100; JSON.stringify(orders).length < 960; id++) {
    orders.push({ id: (id * 7919).toString(16), customer: `customer-${id % 97}`, price: id / 100 });
  }
  return JSON.stringify({ orders });
});

// No server sends pings: the load counts the bytes of the messages.

function startTopics(): number {
  const rooms = topics();
  const server = serve(
    {
      hostname: "127.0.0.1",
      port: 0,
      limits: { pingInterval: Infinity },
      ...(compression ? { compression } : {}),
    },
    {
      open: (socket) => void rooms.subscribe(socket, "all"),
      message() {
        for (const message of messages) rooms.publish("all", message);
      },
    },
  );
  return (server.addr as TcpAddr).port;
}

function startBun(): number {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, server) => server.upgrade(request) ? undefined : new Response(null),
    websocket: {
      idleTimeout: 960,
      sendPings: false,
      open: (socket) => socket.subscribe("all"),
      message() {
        for (const message of messages) server.publish("all", message);
      },
    },
  });
  return server.port;
}

function startDeno(): Promise<number> {
  const sockets = new Set<WebSocket>();
  const { promise, resolve } = Promise.withResolvers<number>();
  Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: ({ port }) => resolve(port) },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
      socket.onopen = () => sockets.add(socket);
      socket.onclose = () => sockets.delete(socket);
      socket.onmessage = () => {
        for (const message of messages) for (const each of sockets) each.send(message as string);
      };
      return response;
    },
  );
  return promise;
}

const start = form === "topics" ? startTopics : runtime === "bun" ? startBun : startDeno;
const port = await start();
answer({ port: () => ({ port, pid: process.pid }) });
