/** The servers that are compared. */

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { runtime } from "./globals.ts";
import type { Load, Mode } from "./loads.ts";
import { commands, root } from "./processes.ts";

/** A server that is compared. */
export interface Peer {
  name: string;
  /** Its name in the report. */
  title: string;
  /** Whether it does the opening handshake, or answers frames over raw TCP. */
  websocket: boolean;
  /** The modes that it supports. */
  modes: readonly Mode[];
  /** The command that starts it. */
  command: string;
  /** The folder that it is started in. */
  cwd: string;
  args(load: Pick<Load, "name" | "mode">): string[];
}

const ECHO: readonly Mode[] = ["echo", "compressed", "handshakes", "idle"];
const ALL: readonly Mode[] = [...ECHO, "broadcast"];
/** Of the servers that answer HTTP requests as well. */
const WITH_HTTP: readonly Mode[] = [...ALL, "http"];

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
    cwd: root,
    ...rest,
    command: commands[command],
    args: ({ name, mode }) => [
      ...flags,
      join(rest.cwd ?? root, "bench", "servers", server),
      mode,
      ...(rest.websocket === false ? [name] : more),
    ],
  };
}

/** The server of the checkout in `cwd`, once for each form of handler. */
function checkout(name: string, title: string, cwd: string): Peer[] {
  const forms = [
    ["callback", "callbacks"],
    ["await", "`for await`"],
    ["batches", "`batches()`"],
    ["pipe", "`pipeTo`"],
  ] as const;
  return forms.map(([form, description]) =>
    peer(
      runtime,
      "ours.ts",
      {
        name: form === "callback" ? name : `${name}-${form}`,
        title: `${title}, ${description}`,
        modes: form === "callback" ? WITH_HTTP : ECHO,
        cwd,
      },
      form,
    )
  );
}

const native = runtime === "deno" ? "Deno.upgradeWebSocket" : "Bun.serve";

/** The peers that this machine can run, on the current runtime and on Node. */
export const PEERS: readonly Peer[] = [
  ...checkout("ours", "ours", root),
  peer(runtime, `native_${runtime}.ts`, {
    name: "native",
    title: native,
    modes: WITH_HTTP,
  }),
  peer(runtime, `limit_${runtime}.ts`, {
    name: "limit",
    title: "limit",
    websocket: false,
    modes: ["echo"],
  }),
  peer("node", "ws.mjs", { name: "ws", title: "`ws` on Node" }),
  // Optional: README.md says how to install it.
  ...existsSync(join(root, "node_modules", "uWebSockets.js"))
    ? [peer("node", "uws.mjs", { name: "uws", title: "uWebSockets.js on Node" })]
    : [],
];

/** Our server with other values of the option `payload`; measured only if they are named. */
const PAYLOADS: readonly Peer[] = ["owned", "borrowed"].map((payload) =>
  peer(
    runtime,
    "ours.ts",
    { name: `ours-${payload}`, title: `ours, callbacks, ${payload}`, modes: ECHO },
    payload,
  )
);

/**
 * Returns the peers named by `names`, or all if it is empty. Those of the checkout at the path `vs`
 * follow ours, form by form.
 *
 * @throws {Error} If there is no peer of that name, or no checkout at `vs`.
 */
export function choosePeers(names: readonly string[], vs?: string): readonly Peer[] {
  const cwd = vs === undefined ? undefined : resolve(vs);
  if (cwd !== undefined && !existsSync(join(cwd, "bench", "servers", "ours.ts"))) {
    throw new Error(`Cannot compare with ${cwd}: it has no bench/servers/ours.ts`);
  }
  const others = cwd === undefined ? [] : checkout("vs", "vs", cwd);
  const ours = PEERS.slice(0, 3).flatMap((peer, i) => [peer, ...others.slice(i, i + 1)]);
  const standard = [...ours, ...PEERS.slice(3)];
  const all = [...standard, ...PAYLOADS];
  const unknown = names.find((name) => !all.some((peer) => peer.name === name));
  if (unknown !== undefined) throw new Error(`Cannot find a peer "${unknown}"`);
  return names.length === 0 ? standard : all.filter(({ name }) => names.includes(name));
}
