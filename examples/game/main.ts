// A game for many players at 30 steps a second, in binary messages. `deno run -A examples/game/main.ts`, or
// `bun examples/game/main.ts`, then open the address that it prints in two windows. PORT and HOST set its
// address.
import { readFile } from "node:fs/promises";
import process from "node:process";
import { broadcast, serve } from "@sluice/websocket";
import type { WebSocketConnection } from "@sluice/websocket";
import { browserModule } from "../browser_modules.ts";
import { encodeSnapshot, Game, TICKS } from "./game.ts";
import type { Player } from "./game.ts";

/** Why the server closes a connection. The page shows the reason, and does not connect again. */
const Kick = { ByHost: 4001, Idle: 4002, Full: 4003, BadMessage: 4004 } as const;
/** A player without a new key for this long makes room for others, in seconds. */
const IDLE_TIME = Number(process.env.IDLE_TIME || 120);

interface Seat {
  name: string;
  player?: Player | undefined;
}
type Socket = WebSocketConnection<Seat>;

const game = new Game();
/** The connections of the players, by id. The first one has the longest stay: its player is the host. */
const sockets = new Map<number, Socket>();

const FILES: Record<string, [file: string, contentType: string]> = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/app.js": ["app.js", "text/javascript; charset=utf-8"],
  "/style.css": ["style.css", "text/css; charset=utf-8"],
};

const server = serve<Seat>({
  port: Number(process.env.PORT || 8080),
  ...(process.env.HOST ? { hostname: process.env.HOST } : {}),
  limits: { maxMessageSize: 64, maxBufferedAmount: 256 * 1024 },
  // Small messages that can't wait: compressing them would cost more than it saves.
  compression: false,
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const [file, contentType] = Object.hasOwn(FILES, pathname) ? FILES[pathname]! : [];
    const body = file === undefined
      ? await browserModule(pathname)
      : await readFile(new URL(`page/${file}`, import.meta.url), "utf8");
    if (body === undefined) return new Response("Not found\n", { status: 404 });
    return new Response(body, {
      headers: {
        "content-type": contentType ?? "text/javascript; charset=utf-8",
        "content-security-policy":
          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
      },
    });
  },
  upgrade(request) {
    const name = new URL(request.url).searchParams.get("name")?.trim().slice(0, 20) || "Anonymous";
    return { data: { name } };
  },
}, {
  open(socket) {
    const player = socket.data.player = game.join(socket.data.name);
    if (player === undefined) return void socket.close(Kick.Full, "The game is full");
    sockets.set(player.id, socket);
    sendRoster();
    void showPing(socket);
  },
  message(socket, message) {
    const { player } = socket.data;
    if (player === undefined) return;
    const [type, value] = typeof message === "string" ? [] : message;
    if (type === 0 && value !== undefined) game.press(player, value);
    else if (type === 1 && value !== undefined) kick(player, value);
    else socket.close(Kick.BadMessage, "Expected the keys, or a player to kick");
  },
  close({ data: { player } }) {
    if (player === undefined) return;
    game.players.delete(player.id);
    sockets.delete(player.id);
    sendRoster();
  },
});

/** Tells all players the names, and which of them is the host: these change rarely, so they are JSON. */
function sendRoster(): void {
  const [host] = sockets.keys();
  for (const [you, socket] of sockets) {
    const players = [...game.players.values()].map(({ id, name }) => ({ id, name }));
    void socket.send(JSON.stringify({ you, host, players }));
  }
}

/** The host removes a player from the game. */
function kick(by: Player, id: number): void {
  const [host] = sockets.keys();
  if (by.id === host) void sockets.get(id)?.close(Kick.ByHost, `${by.name} has removed you`);
}

/** Measures the round trip once a second, and tells the page: a byte 1, then milliseconds in two bytes. */
async function showPing(socket: Socket): Promise<void> {
  try {
    while (true) {
      const ms = Math.min(Math.round(await socket.ping()), 65_535);
      void socket.send(Uint8Array.of(1, ms >> 8, ms));
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  } catch {
    // The connection has closed.
  }
}

const ticking = setInterval(() => {
  game.step();
  // A client that is behind gets no old snapshots, but the newest one as soon as it can follow.
  const ready = [...sockets.values()].filter((socket) => socket.bufferedAmount === 0);
  broadcast(ready, encodeSnapshot(game));
  for (const { id } of game.idle(IDLE_TIME)) sockets.get(id)?.close(Kick.Idle, "You were idle");
}, 1000 / TICKS);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    clearInterval(ticking);
    server.shutdown({ reason: "The server is going away", deadline: 2000 });
  });
}
console.log(`Game at http://localhost:${server.port}/`);
await server.finished;
process.exit(0);
