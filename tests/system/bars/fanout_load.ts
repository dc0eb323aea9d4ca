// The subscribers of a fan-out, on Bun: one sends, and sends again when all have what is due.
import { Client } from "../../../bench/load/client.ts";
import { makeFrame, makeKey } from "../../../bench/load/frames.ts";
import { Stopwatch } from "../../../bench/load/meter.ts";
import { answer, configuration } from "../cluster/processes.ts";

/** The configuration. */
export interface LoadConfig {
  port: number;
  pid: number;
  connections: number;
  compression: boolean;
}

const { port, pid, connections, compression } = configuration<LoadConfig>();
const trigger = makeFrame(0x82, new Uint8Array(1), makeKey(0));
let clients: Client[] = [];
/** The bytes that each trigger causes on each connection. */
let due = 0;
let missing = 0;
let onAll = (): void => {};

function send(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  onAll = resolve;
  missing = due * connections;
  clients[0]!.write(trigger);
  return promise;
}

answer({
  /** Connects, and measures the bytes of a trigger. */
  async open() {
    const offer = compression ? { offer: "permessage-deflate" } : {};
    clients = await Client.openMany({ port, websocket: true, ...offer }, connections);
    const isCompressed = clients[0]!.extensions.includes("permessage-deflate");
    if (isCompressed !== compression) throw new Error("The server does not compress as asked");
    for (const client of clients) {
      client.onData = (chunk) => {
        missing -= chunk.length;
        if (missing === 0) onAll();
      };
    }
    missing = 0;
    clients[0]!.write(trigger);
    // On a busy machine, nothing may come for a second in the middle of the messages.
    for (let quiet = 0; quiet < 4;) {
      const before = missing;
      await new Promise((resolve) => setTimeout(resolve, 500));
      quiet = missing === 0 || missing !== before ? 0 : quiet + 1;
    }
    due = -missing / connections;
    if (!Number.isInteger(due) || due === 0) throw new Error(`${-missing} bytes in all`);
    return due;
  },
  /** Runs for a time. @returns The CPU time of the server for each trigger and connection, in microseconds. */
  async run(seconds: number) {
    const stopwatch = new Stopwatch(pid);
    const end = performance.now() + seconds * 1000;
    let count = 0;
    for (; performance.now() < end; count++) await send();
    const { seconds: elapsed, cpu } = stopwatch.stop();
    return cpu.serverCpu! * elapsed * 1e6 / (count * connections);
  },
});
