/** One connection of an attacker: sends bytes, and reads the answer. */

import { connect } from "node:net";
import type { Socket } from "node:net";
import { AnswerReader } from "./answer_reader.ts";
import { latin1 } from "../../support/bytes.ts";
import { request } from "./wire.ts";
import type { RequestParts } from "./wire.ts";

/** The number of bytes sent by all connections of an attack. */
export interface Tally {
  sent: number;
}

/** A connection to a victim. */
export class Attacker {
  readonly socket: Socket;
  readonly reader: AnswerReader;
  /** How the victim ended TCP. */
  ended: "FIN" | "RST" | undefined;
  /** Whether received bytes are read. */
  readsFrames = true;
  /** The number of bytes that the kernel has taken. */
  sent = 0;
  readonly #tally: Tally;
  #changed: (() => void)[] = [];

  /** @param isServer Whether the victim is a client: there is no head to read. */
  constructor(socket: Socket, tally: Tally, isServer = false) {
    this.socket = socket;
    this.#tally = tally;
    this.reader = new AnswerReader(isServer);
    socket.setNoDelay(true);
    socket.on("data", (chunk: Uint8Array) => {
      if (this.readsFrames) this.reader.push(chunk);
      this.#tell();
    });
    socket.on("end", () => this.#end("FIN"));
    socket.on("error", () => this.#end("RST"));
    socket.on("close", () => this.#end("RST"));
    socket.on("drain", () => this.#tell());
  }

  /** Connects. */
  static connect(port: number, tally: Tally): Promise<Attacker> {
    return new Promise((resolve, reject) => {
      // Half-open: this end is not closed when the victim ends its direction.
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new Attacker(socket, tally));
      });
    });
  }

  /** Connects and requests a WebSocket; resolves when there is an answer. */
  static async open(port: number, tally: Tally, parts: RequestParts = {}): Promise<Attacker> {
    const peer = await Attacker.connect(port, tally);
    peer.write(request(parts));
    if (!await peer.until(() => peer.reader.status !== 0, 10_000)) {
      throw new Error("No answer to an opening handshake within 10 s");
    }
    return peer;
  }

  /** The answer so far: the status of a refusal, the code of a Close, `dropped`, or `open`. */
  get answer(): string {
    const { status, closeCode } = this.reader;
    if (status !== 0 && status !== 101) return String(status);
    if (closeCode !== undefined) return String(closeCode);
    return this.ended === undefined ? "open" : "dropped";
  }

  /** Whether the victim has ended or reset TCP. */
  get isGone(): boolean {
    return this.ended !== undefined;
  }

  /** Sends bytes; returns `false` if they wait in this process. */
  write(data: string | Uint8Array): boolean {
    const bytes = typeof data === "string" ? latin1(data) : data;
    if (this.socket.destroyed || !this.socket.writable) return false;
    return this.socket.write(bytes, (error) => {
      if (error !== undefined && error !== null) return;
      this.sent += bytes.length;
      this.#tally.sent += bytes.length;
    });
  }

  /**
   * Sends the same bytes repeatedly: until there is an answer, `ms` milliseconds have passed, `most`
   * bytes are sent, or nothing is written for `stall` milliseconds.
   */
  async flood(bytes: Uint8Array, ms: number, most = Infinity, stall = ms): Promise<void> {
    const until = performance.now() + ms;
    const hasMoved = () => this.socket.writableLength === 0 || this.answer !== "open";
    let sent = 0;
    while (performance.now() < until && this.answer === "open" && sent < most) {
      sent += bytes.length;
      if (this.write(bytes)) {
        // Answers are read in between.
        await new Promise<void>((resolve) => setTimeout(resolve, 0));
      } else if (
        !await this.until(hasMoved, Math.max(0, Math.min(stall, until - performance.now())))
      ) {
        return;
      }
    }
  }

  /** Resolves to whether the condition holds within `ms` milliseconds. */
  async until(condition: () => boolean, ms: number): Promise<boolean> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, Math.max(0, ms));
    let isLate = false;
    late.promise.then(() => isLate = true);
    try {
      while (!condition()) {
        if (isLate) return false;
        const changed = new Promise<void>((resolve) => this.#changed.push(resolve));
        await Promise.race([changed, late.promise]);
      }
      return true;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves to the answer, or to `open` after `ms` milliseconds. */
  async answered(ms: number): Promise<string> {
    await this.until(() => this.answer !== "open", ms);
    return this.answer;
  }

  /** Resolves to whether the victim ends TCP within `ms` milliseconds. */
  gone(ms: number): Promise<boolean> {
    return this.until(() => this.isGone, ms);
  }

  /** Drops the connection. */
  destroy(): void {
    this.socket.destroy();
  }

  /** Resets the connection. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  #end(by: "FIN" | "RST"): void {
    this.ended ??= by;
    this.#tell();
  }

  #tell(): void {
    for (const changed of this.#changed.splice(0)) changed();
  }
}
