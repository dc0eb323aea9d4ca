/** The definition of an attack, and the means that it has. */

import type { Limits } from "../../../mod.ts";
import { Attacker } from "./attacker.ts";
import type { Tally } from "./attacker.ts";
import type { RequestParts } from "./wire.ts";

/**
 * The ways in which the victim echoes, each on its own port. `slow` takes a second for a message. Those of
 * the second line accept compression and send nothing; `busy` works 50 µs on a message. Those of the third
 * line have at most 10 connections: `sleeping` takes 20 s for a message, and `upgrade()` and `fetch()` of
 * `pending` do not end. `endless` answers the message `stream` with a message that does not end, and any other with
 * messages without end.
 */
export type Form =
  | ("callbacks" | "await" | "pipe" | "slow" | "compressed" | "tls")
  | ("sink" | "loop" | "streams" | "busy")
  | ("sleeping" | "pending")
  | "endless";

/** The order to the victim to connect as a client. */
export interface ConnectOrder {
  url: string;
  protocols?: string[];
  headers?: Record<string, string>;
  /** Whether it offers permessage-deflate. */
  compression?: boolean;
}

/** The limits of the victim on which the time or size of an attack depends. */
export type VictimLimits =
  & Pick<Limits, "handshakeTimeout" | "closeTimeout" | "maxMessageSize" | "maxFragments">
  & { pingInterval: number; pongTimeout: number };

/** The victim of an attack. */
export interface Target {
  readonly ports: Readonly<Record<Form, number>>;
  readonly limits: Readonly<VictimLimits>;
  /** Has it connect as a client; resolves to `refused`, or to its close code. */
  connect(order: ConnectOrder): Promise<string>;
  /** The number of connections of its servers. */
  connections(): Promise<number>;
  /** The sum of its servers' `heldBytes`, and the number of pending calls of `upgrade()` and `fetch()`. */
  counts(): Promise<{ heldBytes: number; pendingCalls: number }>;
}

/** An attack. */
export interface Attack {
  /** The name, which says what the attacker does. */
  name: string;
  /** Advisories of other projects for it. */
  known?: readonly string[];
  /** The correct answers, of which each connection gets one. */
  expected: readonly string[];
  /** The largest growth of the victim's memory at full size, in MiB. */
  maxGrowth: number;
  /**
   * The largest growth of the victim's heap after the attack and a garbage collection, in MiB. V8 keeps
   * about 64 MiB of garbage before it collects, which `maxGrowth` has to allow for: this limit shows what
   * is really held.
   */
  maxHeld?: number;
  /** The largest growth of its heap for each connection when the attack calls `hold()`, in KiB. */
  maxHeldEach?: number;
  /** Whether the victim's handler is busy long after the attacker has left. */
  isSlow?: boolean;
  /** Whether other clients and timers must be served in time meanwhile, at full size. */
  isFair?: boolean;
  /** Runs the attack; resolves to the answers. */
  run(context: Context): Promise<string[]>;
}

/** The means of an attack. */
export class Context implements Tally {
  /** The number of bytes sent to the victim. */
  sent = 0;
  /** The number of honest connections of the victim before the attack. */
  before = 0;
  readonly target: Target;
  readonly #isFull: boolean;
  readonly #held: (connections: number) => Promise<number | undefined>;
  readonly #peers: Attacker[] = [];

  /**
   * @param isFull Whether the attack runs at full size, or in a second or two.
   * @param held Measures the victim while it holds so many connections.
   */
  constructor(
    target: Target,
    isFull: boolean,
    held: (connections: number) => Promise<number | undefined> = () => Promise.resolve(undefined),
  ) {
    this.target = target;
    this.#isFull = isFull;
    this.#held = held;
  }

  /** Returns the first at full size, else the second. */
  size(full: number, small: number): number {
    return this.#isFull ? full : small;
  }

  /**
   * Reports that the victim now holds so many connections of the attack. Resolves to the growth of its heap
   * in bytes, if it is measured.
   */
  hold(connections: number): Promise<number | undefined> {
    return this.#held(connections);
  }

  /** Opens a TCP connection. */
  async connect(form: Form = "callbacks"): Promise<Attacker> {
    return this.keep(await Attacker.connect(this.target.ports[form], this));
  }

  /** Opens a connection that has requested a WebSocket and has an answer. */
  async open(form: Form = "callbacks", parts: RequestParts = {}): Promise<Attacker> {
    return this.keep(await Attacker.open(this.target.ports[form], this, parts));
  }

  /** Opens a connection with permessage-deflate. */
  async openCompressed(): Promise<Attacker> {
    const fields = { "Sec-WebSocket-Extensions": "permessage-deflate" };
    const peer = await this.open("compressed", { fields });
    if (peer.reader.field("Sec-WebSocket-Extensions") === undefined) {
      throw new Error("The victim does not compress");
    }
    return peer;
  }

  /** Opens so many connections, a few at a time: more would overflow the victim's backlog. */
  async many<T>(count: number, make: (index: number) => Promise<T>, atOnce = 100): Promise<T[]> {
    const all: T[] = [];
    while (all.length < count) {
      const some = Math.min(atOnce, count - all.length);
      all.push(...await Promise.all(Array.from({ length: some }, (_, i) => make(all.length + i))));
    }
    return all;
  }

  /** Sends a request on a connection of its own; resolves to the answer once TCP has ended. */
  async ask(data: string | Uint8Array): Promise<Attacker> {
    const peer = await this.connect();
    peer.write(data);
    await peer.answered(10_000);
    if (peer.reader.status !== 101) await peer.gone(10_000);
    return peer;
  }

  /** Resolves to whether a message is echoed. */
  async echoes(peer: Attacker, send: (text: string) => Uint8Array): Promise<boolean> {
    peer.write(send("still there?"));
    return await peer.until(() => peer.reader.last === "still there?" || peer.isGone, 10_000) &&
      !peer.isGone;
  }

  /** Has a connection dropped at the end of the attack. */
  keep(peer: Attacker): Attacker {
    this.#peers.push(peer);
    return peer;
  }

  /** Drops the remaining connections; resolves when they are closed on this side. */
  async end(): Promise<void> {
    await Promise.all(
      this.#peers.splice(0).map((peer) => {
        if (peer.socket.closed) return;
        const closed = new Promise<void>((resolve) => peer.socket.once("close", () => resolve()));
        peer.destroy();
        return closed;
      }),
    );
  }
}

/** The runtime of the attacker, and of the victim. */
export const runtime: "deno" | "bun" = "Deno" in globalThis ? "deno" : "bun";

/** Resolves after so many milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
