/** Brokers as processes of their own, on free ports and in temporary folders. */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A broker. */
export interface BrokerProcess {
  /** Its ports: clients of NATS on Deno use that of WebSockets. */
  readonly ports: { readonly tcp: number; readonly webSocket: number };
  /** Starts it, with what it has stored. Resolves when it listens. */
  start(): Promise<void>;
  /** Ends it as a power failure would. */
  kill(): Promise<void>;
  /** Ends it, and deletes what it has stored. */
  close(): Promise<void>;
}

/** Returns a port that is free. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until something listens on a port. */
async function listening(port: number): Promise<void> {
  for (let n = 0; n < 800; n++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`nothing listens on ${port}`);
}

/** Makes a broker that does not run yet. */
export async function brokerProcess(kind: "nats" | "redis"): Promise<BrokerProcess> {
  const folder = mkdtempSync(join(tmpdir(), "broker-"));
  const tcp = await freePort();
  const webSocket = kind === "nats" ? await freePort() : tcp;
  const config = join(folder, "nats.conf");
  if (kind === "nats") {
    writeFileSync(
      config,
      `listen: "127.0.0.1:${tcp}"
websocket { listen: "127.0.0.1:${webSocket}", no_tls: true }
jetstream { store_dir: ${JSON.stringify(folder)} }
`,
    );
  }
  const [command, args] = kind === "nats" ? ["nats-server", ["--config", config]] : [
    "redis-server",
    `--port ${tcp} --bind 127.0.0.1 --dir ${folder} --appendonly yes --appendfsync always --save`
      .split(" ").concat(""),
  ];
  let child: ChildProcess | undefined;
  let exited: Promise<void> | undefined;
  const broker: BrokerProcess = {
    ports: { tcp, webSocket },
    async start() {
      const started = child = spawn(command, args, { stdio: "ignore" });
      exited = new Promise((resolve, reject) => {
        started.on("exit", () => resolve());
        started.on("error", reject);
      });
      await Promise.race([listening(webSocket), exited]);
    },
    async kill() {
      child?.kill("SIGKILL");
      await exited;
    },
    async close() {
      await broker.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return broker;
}
