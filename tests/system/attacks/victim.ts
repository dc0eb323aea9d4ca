/** The victim: a server for each way to echo, and a client. In the process of a test, or in its own. */

import process from "node:process";
import { pathToFileURL } from "node:url";
import type {
  Limits,
  ServeOptions,
  SocketFunction,
  SocketHandler,
  TcpAddr,
  UpgradeOptions,
  WebSocketServer,
} from "../../../mod.ts";
import { block } from "../../support/block.ts";
import { certificate } from "../../support/certificates.ts";
import type { ConnectOrder, Form, Target, VictimLimits } from "./attack.ts";

/** The library: this checkout's, or that of the checkout that the command `--vs` names. */
const checkout = process.env.ATTACKED_CHECKOUT;
const { connect, DEFAULT_LIMITS, serve, WebSocketError }: typeof import("../../../mod.ts") =
  checkout === undefined
    ? await import("../../../mod.ts")
    : await import(`${pathToFileURL(checkout).href}/mod.ts`);

export { DEFAULT_LIMITS };

/** How long `slow` takes for a message, in milliseconds. */
const SLOW = 1000;

const callbacks: SocketHandler = {
  open(socket) {
    // A server that closes first, with a reason that the client chose.
    const reason = new URL(socket.request!.url).searchParams.get("reason");
    if (reason !== null) socket.close(1000, reason);
  },
  message(socket, message) {
    socket.send(message);
  },
};

const echo: SocketFunction = async (socket) => {
  for await (const message of socket) await socket.send(message);
};

/** The forms that accept compression. */
const COMPRESSED = new Set<Form>(["compressed", "sink", "loop", "streams", "busy"]);

/** The forms that have at most 10 connections, and 64 MiB. */
const LIMITED = new Set<Form>(["sleeping", "pending"]);

/** @param stopped Aborts when the victim ends, so that a busy handler does not outlive it. */
function makeForms(stopped: AbortSignal): Record<Form, SocketHandler | SocketFunction> {
  return {
    callbacks,
    await: echo,
    pipe: (socket) => socket.readable.pipeTo(socket.writable),
    slow: async (socket) => {
      for await (const message of socket) {
        if (message === "still there?") await socket.send(message);
        else await busy(stopped);
        if (stopped.aborted) return;
      }
    },
    compressed: callbacks,
    tls: echo,
    sink: { message() {} },
    loop: async (socket) => {
      for await (const _ of socket) { /* It is dropped. */ }
    },
    streams: async (socket) => {
      for await (const { readable } of socket.messageStreams()) {
        for await (const _ of readable as ReadableStream<unknown>) { /* It is dropped. */ }
      }
    },
    sleeping: async (socket) => {
      for await (const _ of socket) {
        await busy(stopped, 20_000);
        if (stopped.aborted) return;
      }
    },
    pending: callbacks,
    endless: {
      message(socket, message) {
        const source = endless(stopped);
        const sent = message === "stream"
          ? socket.send(source)
          : source.pipeTo(socket.writable, { signal: stopped });
        sent.catch(() => {}); // The attacker leaves.
      },
    },
    busy: {
      message: () => block(0.05),
    },
  };
}

/** Returns a stream that always has a piece of 100 bytes ready. */
function endless(stopped?: AbortSignal): ReadableStream<Uint8Array> {
  const piece = new Uint8Array(100);
  return new ReadableStream({
    pull(controller) {
      if (stopped?.aborted) controller.close();
      else controller.enqueue(piece);
    },
  });
}

/** Resolves after the time that `slow` takes for a message, or at once if it is stopped. */
function busy(stopped: AbortSignal, ms = SLOW): Promise<void> {
  if (stopped.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = (): void => {
    clearTimeout(timer);
    resolve();
  };
  stopped.addEventListener("abort", stop);
  return promise.finally(() => stopped.removeEventListener("abort", stop));
}

/** The `upgrade()` of the victim, which uses input that it should not trust. */
const upgrade = (request: Request): UpgradeOptions => {
  const { searchParams } = new URL(request.url);
  const header = searchParams.get("header");
  const protocol = searchParams.get("protocol");
  return {
    ...(header === null ? {} : { headers: { "X-Header": header } }),
    ...(protocol === null ? {} : { protocol }),
  };
};

/** A running victim. */
export interface Victim extends Target {
  /** Ends it. */
  stop(): Promise<void>;
}

/** The largest body of a request, in bytes. */
const MAX_BODY = 1024 * 1024;

/** Answers with the size of the body, except at `/ignore`, with 1 MiB at `/large`, and without end at `/endless`. */
async function answer(request: Request): Promise<Response> {
  if (request.url.endsWith("/large")) return new Response(new Uint8Array(MAX_BODY));
  if (request.url.endsWith("/endless")) return new Response(endless());
  if (request.method !== "POST" || request.url.endsWith("/ignore")) return new Response("Hello");
  return new Response(`${(await request.arrayBuffer()).byteLength}`);
}

/**
 * Starts a victim.
 *
 * @param limits Limits that differ from the defaults.
 */
export function startVictim(limits: VictimLimits): Victim {
  const { cert, key } = certificate({
    subject: "victim",
    names: ["127.0.0.1"],
    issuer: certificate({ subject: "Victim's CA" }),
  });
  const options: ServeOptions = {
    hostname: "127.0.0.1",
    port: 0,
    protocols: ["chat"],
    upgrade,
    fetch: answer,
    limits: {
      ...limits as Partial<Limits>,
      bodyTimeout: limits.handshakeTimeout,
      keepAliveTimeout: limits.handshakeTimeout,
      maxBodySize: MAX_BODY,
    },
    onError() {}, // Errors are expected.
  };
  const stopped = new AbortController();
  const forms = makeForms(stopped.signal);
  const servers = {} as Record<Form, WebSocketServer>;
  const ports = {} as Record<Form, number>;
  let calls = 0;
  const pend = async (): Promise<undefined> => {
    calls++;
    await busy(stopped.signal, 2 ** 30);
    calls--;
  };
  const pending = {
    upgrade: pend,
    fetch: async () => await pend() ?? new Response("stopped"),
  };
  for (const form of Object.keys(forms) as Form[]) {
    servers[form] = serve({
      ...options,
      ...(LIMITED.has(form) ? { maxConnections: 10, maxMemory: 64 * 1024 * 1024 } : {}),
      ...(form === "pending" ? pending : {}),
      ...(COMPRESSED.has(form) ? { compression: true } : {}),
      ...(form === "tls" ? { tls: { cert, key } } : {}),
    }, forms[form]);
    ports[form] = (servers[form].addr as TcpAddr).port;
  }
  const all = Object.values(servers);
  return {
    ports,
    limits,
    connect: (order) => connectTo(order, limits),
    connections: () =>
      Promise.resolve(all.reduce((sum, { connections }) => sum + connections.size, 0)),
    counts: () =>
      Promise.resolve({
        heldBytes: all.reduce((sum, { heldBytes }) => sum + heldBytes, 0),
        pendingCalls: calls,
      }),
    async stop() {
      stopped.abort();
      const ended = all.map((server) => server.shutdown());
      for (const server of all) for (const socket of server.connections) socket.abort();
      await Promise.all(ended);
      // A job of Deno on another thread, by which a flooded connection has waited for a turn, ends.
      await new Promise((resolve) => setTimeout(resolve, 5));
    },
  };
}

async function connectTo(order: ConnectOrder, limits: VictimLimits): Promise<string> {
  const { url, ...options } = order;
  try {
    const socket = await connect(url, { ...options, limits: limits as Partial<Limits> });
    for await (const _ of socket) { /* It's all the same. */ }
    const { error, closeCode } = await socket.closed;
    return String(error instanceof WebSocketError ? error.closeCode : closeCode);
  } catch {
    return "refused";
  }
}
