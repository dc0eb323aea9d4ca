/** One connection of an attacker's: bytes out, and what is left of the answer. */

import { connect } from "node:net";
import type { Socket } from "node:net";
import { AnswerReader } from "./answer_reader.ts";
import { latin1 } from "../../support/bytes.ts";
import { request } from "./wire.ts";
import type { RequestParts } from "./wire.ts";

/** How many bytes have been sent, by all of an attack's connections. */
export interface Tally {
  sent: number;
}

/** See the module. */
export class Attacker {
  readonly socket: Socket;
  readonly reader: AnswerReader;
  /** How the victim ended TCP. */
  ended: "FIN" | "RST" | undefined;
  /** Whether what comes is read as an answer, or as frames. */
  readsFrames = true;
  /** How many bytes the kernel has taken. */
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
      // Half-open: our end is ours to send, whatever the victim does.
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new Attacker(socket, tally));
      });
    });
  }

  /** Connects and asks for a WebSocket; resolves when there is an answer. */
  static async open(port: number, tally: Tally, parts: RequestParts = {}): Promise<Attacker> {
    const peer = await Attacker.connect(port, tally);
    peer.write(request(parts));
    if (!await peer.until(() => peer.reader.status !== 0, 10_000)) {
      throw new Error("No answer to an opening handshake within 10 s");
    }
    return peer;
  }

  /** How it went so far: the status of a refusal, the code of a Close, `dropped`, or `open`. */
  get answer(): string {
    const { status, closeCode } = this.reader;
    if (status !== 0 && status !== 101) return String(status);
    if (closeCode !== undefined) return String(closeCode);
    return this.ended === undefined ? "open" : "dropped";
  }

  /** Whether the victim has ended TCP, one way or another. */
  get isGone(): boolean {
    return this.ended !== undefined;
  }

  /** Sends bytes; `false` where they wait in this process. */
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
   * Sends the same bytes again and again: until there is an answer, for so many milliseconds, until
   * `most` bytes have been sent, or until nothing more has gone out for `stall` milliseconds.
   */
  async flood(bytes: Uint8Array, ms: number, most = Infinity, stall = ms): Promise<void> {
    const until = performance.now() + ms;
    const hasMoved = () => this.socket.writableLength === 0 || this.answer !== "open";
    let sent = 0;
    while (performance.now() < until && this.answer === "open" && sent < most) {
      sent += bytes.length;
      if (this.write(bytes)) {
        // What is refused and answered is read in between.
        await new Promise<void>((resolve) => setTimeout(resolve, 0));
      } else if (
        !await this.until(hasMoved, Math.max(0, Math.min(stall, until - performance.now())))
      ) {
        return;
      }
    }
  }

  /** Resolves to whether the condition has come true within so many milliseconds. */
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

  /** The answer, once there is one, or `open` after so many milliseconds. */
  async answered(ms: number): Promise<string> {
    await this.until(() => this.answer !== "open", ms);
    return this.answer;
  }

  /** Whether the victim ends TCP within so many milliseconds. */
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
