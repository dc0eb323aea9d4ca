// The server of the soak, in a process of its own: one for each way to read. Prints its ports; for each
// line on stdin it collects the garbage and prints its memory usage.
import process from "node:process";
import { createInterface } from "node:readline";
import { serve, WebSocketError } from "../../../mod.ts";
import type {
  Message,
  ServeOptions,
  SocketFunction,
  SocketHandler,
  TcpAddr,
  WebSocketServer,
} from "../../../mod.ts";
import { collectGarbage } from "../../support/garbage.ts";
import { asksForClose } from "./payloads.ts";

/** The report of the server. */
export interface Stats {
  /** The used part of the runtime's heap, in bytes. */
  heap: number;
  connections: number;
  /** The number of received messages, and of sent echoes. */
  received: number;
  sent: number;
  /** The errors of `onError` that are not a peer's fault. */
  errors: string[];
}

let received = 0;
let sent = 0;
const errors: string[] = [];

/** Counts a message; returns whether it requests a close. */
function took(message: Message): boolean {
  received++;
  return asksForClose(message);
}

const callbacks: SocketHandler = {
  message(socket, message) {
    const isLast = took(message);
    socket.send(message).then(() => sent++, () => {});
    if (isLast) socket.close(1000, "as you wish");
  },
};

const loop: SocketFunction = async (socket) => {
  for await (const message of socket) {
    const isLast = took(message);
    await socket.send(message);
    sent++;
    if (isLast) socket.close(1000, "as you wish");
  }
};

const pipe: SocketFunction = async (socket) => {
  let isLast = false;
  const counter = new TransformStream<Message, Message>({
    transform(message, controller) {
      isLast ||= took(message);
      sent++;
      controller.enqueue(message);
      if (isLast) controller.terminate();
    },
  });
  // The pipe that is terminated in its middle rejects; the other one closes the connection with 1000.
  const reading = socket.readable.pipeTo(counter.writable).catch(() => {});
  await counter.readable.pipeTo(socket.writable).catch(() => {});
  await reading;
};

const options: ServeOptions = {
  hostname: "127.0.0.1",
  port: 0,
  compression: true,
  onError(error) {
    if (!(error instanceof WebSocketError)) errors.push(String(error));
  },
};
const servers: WebSocketServer[] = [callbacks, loop, pipe].map((handler) =>
  serve(options, handler)
);

console.log(JSON.stringify(servers.map(({ addr }) => (addr as TcpAddr).port)));
createInterface({ input: process.stdin })
  .on("line", () => {
    collectGarbage();
    const stats: Stats = {
      heap: process.memoryUsage().heapUsed,
      connections: servers.reduce((sum, { connections }) => sum + connections.size, 0),
      received,
      sent,
      errors: errors.slice(0, 10),
    };
    console.log(JSON.stringify(stats));
  })
  .on("close", () => process.exit(0));
