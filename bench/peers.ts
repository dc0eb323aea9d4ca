/** The servers that are compared. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { runtime } from "./globals.ts";
import type { Mode } from "./loads.ts";
import { commands, root } from "./processes.ts";

/** One of them. */
export interface Peer {
  name: string;
  /** What it is, in the report. */
  title: string;
  /** Whether it speaks WebSocket, or gives bytes back as they came. */
  websocket: boolean;
  /** What it can do. */
  modes: readonly Mode[];
  /** The command that starts it. */
  command: string;
  args(mode: Mode): string[];
}

const ECHO: readonly Mode[] = ["echo", "compressed", "handshakes", "idle"];
const ALL: readonly Mode[] = [...ECHO, "broadcast"];

function peer(
  command: keyof typeof commands,
  server: string,
  rest: Pick<Peer, "name" | "title"> & Partial<Peer>,
  ...more: string[]
): Peer {
  const flags = {
    deno: ["run", "--quiet", "-A", "--v8-flags=--expose-gc"],
    bun: [],
    node: ["--expose-gc"],
  }[command];
  return {
    websocket: true,
    modes: ALL,
    ...rest,
    command: commands[command],
    args: (mode) => [...flags, join(root, "bench", "servers", server), mode, ...more],
  };
}

const native = runtime === "deno" ? "Deno.upgradeWebSocket" : "Bun.serve";

/** All that this machine has: those on the runtime at hand, and those on Node. */
export const PEERS: readonly Peer[] = [
  peer(runtime, "ours.ts", { name: "ours", title: "ours, callbacks" }),
  peer(
    runtime,
    "ours.ts",
    { name: "ours-await", title: "ours, `for await`", modes: ECHO },
    "await",
  ),
  peer(runtime, "ours.ts", { name: "ours-pipe", title: "ours, `pipeTo`", modes: ECHO }, "pipe"),
  peer(runtime, `native_${runtime}.ts`, { name: "native", title: native }),
  peer(runtime, `raw_${runtime}.ts`, {
    name: "raw",
    title: "raw TCP echo",
    websocket: false,
    modes: ["echo"],
  }),
  peer("node", "ws.mjs", { name: "ws", title: "`ws` on Node" }),
  // Only where somebody has installed it: see README.md.
  ...existsSync(join(root, "node_modules", "uWebSockets.js"))
    ? [peer("node", "uws.mjs", { name: "uws", title: "uWebSockets.js on Node" })]
    : [],
];

/**
 * Those that are asked for.
 *
 * @throws {Error} where there is none of that name.
 */
export function choosePeers(names: readonly string[]): readonly Peer[] {
  const unknown = names.find((name) => !PEERS.some((peer) => peer.name === name));
  if (unknown !== undefined) throw new Error(`There is no peer "${unknown}" here`);
  return names.length === 0 ? PEERS : PEERS.filter(({ name }) => names.includes(name));
}
