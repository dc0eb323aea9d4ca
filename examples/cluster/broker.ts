/** A broker on a free port, with its files in a temporary folder. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "./child.ts";

/** A running broker. */
export interface Broker {
  kind: "NATS" | "Redis";
  /** The port of its clients: of NATS, that of WebSockets, which all runtimes have. */
  port: number;
  child: Child;
  /** Deletes its files. */
  clean(): void;
}

/** Starts nats-server or redis-server. Resolves to `undefined` if the machine has neither. */
export async function startBroker(): Promise<Broker | undefined> {
  const has = (command: string) => spawnSync(command, ["--version"]).status === 0;
  const kind = has("nats-server") ? "NATS" : has("redis-server") ? "Redis" : undefined;
  if (kind === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "cluster-"));
  const [port, other] = [await freePort(), await freePort()];
  const clean = () => rmSync(folder, { recursive: true, force: true });
  if (kind === "Redis") {
    const options = `--port ${port} --bind 127.0.0.1 --dir ${folder} --appendonly yes`;
    return { kind, port, child: Child.ofProgram("redis-server", options.split(" ")), clean };
  }
  const config = join(folder, "nats.conf");
  writeFileSync(
    config,
    `listen: "127.0.0.1:${other}"
websocket { listen: "127.0.0.1:${port}", no_tls: true }
jetstream { store_dir: ${JSON.stringify(folder)} }
`,
  );
  return { kind, port, child: Child.ofProgram("nats-server", ["--config", config]), clean };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
