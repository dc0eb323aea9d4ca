// Sluice, on Deno or on Bun: `ours.ts MODE FORM`.
import process from "node:process";
import * as sluice from "@sluice/websocket";
import type {
  ServeOptions,
  SocketFunction,
  SocketHandler,
  WebSocketServer,
} from "@sluice/websocket";
import { answer } from "./http.ts";
import { mode, ready } from "./ready.mjs";

const forms: Record<string, SocketHandler | SocketFunction> = {
  callback: {
    message(socket, message) {
      socket.send(message);
    },
  },
  await: async (socket) => {
    for await (const message of socket) await socket.send(message);
  },
  batches: async (socket) => {
    for await (const messages of socket.batches()) {
      for (const message of messages) socket.send(message);
      await socket.ready;
    }
  },
  pipe: (socket) => socket.readable.pipeTo(socket.writable),
  broadcast: {
    message(_socket, message) {
      // Older versions lack broadcast().
      if ("broadcast" in sluice) sluice.broadcast(server.connections, message);
      else for (const socket of server.connections) socket.send(message);
    },
  },
};

const form = mode === "broadcast" ? "broadcast" : process.argv[3] ?? "callback";
const isPayload = form === "owned" || form === "borrowed";

const options: ServeOptions = {
  hostname: "127.0.0.1",
  port: 0,
  ...(mode === "http" ? { fetch: answer } : {}),
  // Older versions lack the option. The load is left out if the extension is not agreed on.
  ...(mode === "compressed" ? { compression: true } : {}),
  ...(isPayload ? { payload: form } : {}),
};

const server: WebSocketServer = sluice.serve(options, forms[isPayload ? "callback" : form]!);
ready((server.addr as { port: number }).port);
