// The server that is soaked, in a process of its own: one for each way to read. Tells its ports on
// stdout; for each line on stdin it collects its garbage and tells what it holds.
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

/** What the server tells of itself. */
export interface Stats {
  /** What the runtime's heap has in use, in bytes. */
  heap: number;
  connections: number;
  /** How many messages have come, and how many echoes were given to `send()`. */
  received: number;
  sent: number;
  /** What `onError` was told that is not a peer's fault. */
  errors: string[];
}

let received = 0;
let sent = 0;
const errors: string[] = [];

/** What is to be done with a message, besides its echo. */
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
  // A pipe that is ended in its middle rejects; the one that ends the connection closes it with 1000.
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
