/** What an attack is, and what it has at hand. */

import type { Limits } from "../../../mod.ts";
import { Attacker } from "./attacker.ts";
import type { Tally } from "./attacker.ts";
import type { RequestParts } from "./wire.ts";

/** How the victim echoes, at a port for each. `slow` takes a second for a message. */
export type Form = "callbacks" | "await" | "pipe" | "slow" | "compressed" | "tls";

/** What the victim is told to connect with, as a client. */
export interface ConnectOrder {
  url: string;
  protocols?: string[];
  headers?: Record<string, string>;
  /** Whether it offers permessage-deflate. */
  compression?: boolean;
}

/** The limits of the victim that an attack's timing or size depends on. */
export type VictimLimits =
  & Pick<Limits, "handshakeTimeout" | "closeTimeout" | "maxMessageSize" | "maxFragments">
  & { pingInterval: number; pongTimeout: number };

/** Who is attacked. */
export interface Target {
  readonly ports: Readonly<Record<Form, number>>;
  readonly limits: Readonly<VictimLimits>;
  /** Has it connect as a client; resolves to `refused`, or to the close code that it found right. */
  connect(order: ConnectOrder): Promise<string>;
  /** How many connections its servers have. */
  connections(): Promise<number>;
}

/** An attack that is known under a name of its own, or isn't. */
export interface Attack {
  /** What the attacker does. */
  name: string;
  /** The advisories of others for it. */
  known?: readonly string[];
  /** The answers that are right, of which each connection gets one. */
  expected: readonly string[];
  /** The most that the victim's memory may grow by, at full size, in MiB. */
  maxGrowth: number;
  /**
   * The most that the victim's heap may hold more when the attack is over and garbage is collected, in
   * MiB. V8 lets some 64 MiB of garbage lie before it looks, and keeps the room: where `maxGrowth` has
   * to allow for that, this tells what is held from what isn't.
   */
  maxHeld?: number;
  /** What its heap may hold more for each connection, when the attack calls `hold()`, in KiB. */
  maxHeldEach?: number;
  /** Whether the victim's handler is busy with what came for long after the attacker is gone. */
  isSlow?: boolean;
  /** Does it; resolves to the answers. */
  run(context: Context): Promise<string[]>;
}

/** What an attack has at hand. */
export class Context implements Tally {
  /** How many bytes have been sent to the victim. */
  sent = 0;
  /** How many connections the victim had before: honest ones. */
  before = 0;
  readonly target: Target;
  readonly #isFull: boolean;
  readonly #held: (connections: number) => Promise<void>;
  readonly #peers: Attacker[] = [];

  /**
   * @param isFull Whether the attack is to be run at its full size, or in a second or two.
   * @param held Measures the victim, while it holds so many connections.
   */
  constructor(
    target: Target,
    isFull: boolean,
    held: (connections: number) => Promise<void> = () => Promise.resolve(),
  ) {
    this.target = target;
    this.#isFull = isFull;
    this.#held = held;
  }

  /** The first at full size, else the second. */
  size(full: number, small: number): number {
    return this.#isFull ? full : small;
  }

  /** The victim now holds so many connections as the attack wants it to. */
  hold(connections: number): Promise<void> {
    return this.#held(connections);
  }

  /** A TCP connection. */
  async connect(form: Form = "callbacks"): Promise<Attacker> {
    return this.keep(await Attacker.connect(this.target.ports[form], this));
  }

  /** A connection that has asked for a WebSocket and has got an answer. */
  async open(form: Form = "callbacks", parts: RequestParts = {}): Promise<Attacker> {
    return this.keep(await Attacker.open(this.target.ports[form], this, parts));
  }

  /** A connection that has agreed to permessage-deflate. */
  async openCompressed(): Promise<Attacker> {
    const fields = { "Sec-WebSocket-Extensions": "permessage-deflate" };
    const peer = await this.open("compressed", { fields });
    if (peer.reader.field("Sec-WebSocket-Extensions") === undefined) {
      throw new Error("The victim does not compress");
    }
    return peer;
  }

  /** So many of the same, some at a time: more would overflow the victim's backlog. */
  async many<T>(count: number, make: (index: number) => Promise<T>, atOnce = 100): Promise<T[]> {
    const all: T[] = [];
    while (all.length < count) {
      const some = Math.min(atOnce, count - all.length);
      all.push(...await Promise.all(Array.from({ length: some }, (_, i) => make(all.length + i))));
    }
    return all;
  }

  /** Sends one request on a connection of its own; resolves to the answer, once TCP has ended. */
  async ask(data: string | Uint8Array): Promise<Attacker> {
    const peer = await this.connect();
    peer.write(data);
    await peer.answered(10_000);
    if (peer.reader.status !== 101) await peer.gone(10_000);
    return peer;
  }

  /** Whether an echo comes back. */
  async echoes(peer: Attacker, send: (text: string) => Uint8Array): Promise<boolean> {
    peer.write(send("still there?"));
    return await peer.until(() => peer.reader.last === "still there?" || peer.isGone, 10_000) &&
      !peer.isGone;
  }

  /** Keeps a connection of the attack's, to be dropped at its end. */
  keep(peer: Attacker): Attacker {
    this.#peers.push(peer);
    return peer;
  }

  /** Drops the connections that are left; resolves when they are closed on this side. */
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
