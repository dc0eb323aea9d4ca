/** A TCP proxy with faults. */

import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/** The state of a proxy: `stop` neither passes bytes nor ends connections, as a lost route does. */
export type ProxyState = { kind: "pass" } | { kind: "stop" } | { kind: "delay"; ms: number };

/** One direction of a connection. */
class Direction {
  readonly #from: Socket;
  readonly #to: Socket;
  /** The bytes that have not been passed on, with the earliest time for that; `null` is the end. */
  readonly #queue: { data: Uint8Array | null; at: number }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #state: () => ProxyState;

  constructor(from: Socket, to: Socket, state: () => ProxyState) {
    this.#from = from;
    this.#to = to;
    this.#state = state;
    from.on("data", (data) => this.#add(data as Uint8Array));
    from.on("end", () => this.#add(null));
    to.on("drain", () => this.pass());
  }

  /** Passes on what may be passed on now. */
  pass(): void {
    const state = this.#state();
    clearTimeout(this.#timer);
    if (state.kind === "stop") {
      this.#from.pause();
      return;
    }
    while (this.#queue.length > 0) {
      const { data, at } = this.#queue[0]!;
      const wait = at - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.pass(), wait);
        break;
      }
      this.#queue.shift();
      if (data === null) this.#to.end();
      else if (!this.#to.destroyed && !this.#to.write(data)) {
        this.#from.pause();
        return;
      }
    }
    this.#from.resume();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  #add(data: Uint8Array | null): void {
    const state = this.#state();
    const wait = state.kind === "delay" ? state.ms : 0;
    this.#queue.push({ data, at: performance.now() + wait });
    this.pass();
  }
}

/** A proxy on a port of its own. */
export interface Proxy {
  readonly port: number;
  /** Changes how bytes are passed, on all connections and on new ones. */
  set(state: ProxyState): void;
  /** Drops all connections with a reset. New connections pass. */
  reset(): void;
  close(): Promise<void>;
}

/** Starts a proxy to a port of this machine. */
export async function startProxy(target: number): Promise<Proxy> {
  let state: ProxyState = { kind: "pass" };
  const pairs = new Set<{ sockets: Socket[]; directions: Direction[] }>();
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    const sockets = [client, upstream];
    const directions = [
      new Direction(client, upstream, () => state),
      new Direction(upstream, client, () => state),
    ];
    const pair = { sockets, directions };
    pairs.add(pair);
    for (const socket of sockets) {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        // A lost route does not carry the end of a connection either.
        if (state.kind === "stop") return;
        pairs.delete(pair);
        for (const direction of directions) direction.close();
        for (const each of sockets) each.destroy();
      });
    }
    if (state.kind === "stop") { for (const socket of sockets) socket.pause(); }
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const dropAll = (isReset: boolean) => {
    for (const { sockets, directions } of pairs) {
      for (const direction of directions) direction.close();
      for (const socket of sockets) {
        if (isReset && typeof socket.resetAndDestroy === "function") socket.resetAndDestroy();
        else socket.destroy();
      }
    }
    pairs.clear();
  };
  return {
    port: (server.address() as AddressInfo).port,
    set(next) {
      state = next;
      for (const { sockets, directions } of [...pairs]) {
        for (const direction of directions) direction.pass();
        // A connection that ended meanwhile ends at the other side now.
        if (next.kind !== "stop" && sockets.some(({ destroyed }) => destroyed)) {
          for (const socket of sockets) socket.destroy();
        }
      }
    },
    reset() {
      state = { kind: "pass" };
      dropAll(true);
    },
    async close() {
      dropAll(false);
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
