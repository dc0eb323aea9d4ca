import type { Addr, Transport, TransportHandler } from "../../src/transport/transport.ts";

/** A fault and its position: `at` counts the peer's bytes, or, for a write, this end's. */
export interface Fault {
  readonly kind: FaultKind;
  readonly at: number;
}

/**
 * `cut`: the peer's FIN. `reset`: the transport closes with an error. `stall`: nothing more is received.
 * `write error`: a write closes the transport with an error. `write stall`: nothing more is written.
 */
export type FaultKind = "cut" | "reset" | "stall" | "write error" | "write stall";

/** The behaviour of a {@linkcode FaultTransport}, apart from its fault. */
export interface FaultOptions {
  readonly fault?: Fault | undefined;
  /** Whether it writes one byte at a time. */
  readonly writesByteByByte?: boolean;
}

/** Bytes, or an end, that passed a {@linkcode FaultTransport}. */
export type Passed =
  | { readonly type: "in"; readonly bytes: Uint8Array }
  | { readonly type: "out"; readonly bytes: Uint8Array }
  | { readonly type: "end" };

/** A transport that passes everything up to the position of its fault. */
export class FaultTransport implements Transport {
  readonly localAddr: Addr;
  readonly remoteAddr: Addr;
  readonly lendsChunks: boolean;
  /** Everything that has passed, in order. */
  readonly passed: Passed[] = [];
  /** The number of bytes received from the peer. */
  received = 0;
  /** The number of bytes written. */
  sent = 0;
  /** Whether the fault has happened. */
  isHit = false;
  /** Whether the connection is closed. */
  isGone = false;
  readonly #inner: Transport;
  /** The fault. */
  readonly fault: Fault | undefined;
  readonly #byteByByte: boolean;
  #handler: TransportHandler | undefined;
  #isPaused = false;
  /** Whether nothing more is received from the peer. */
  #isDeaf = false;
  #hasEnd = false;
  #isEnded = false;
  #isShutdown = false;
  /** The rest of a write that is written byte by byte. */
  #rest: Uint8Array | undefined;

  constructor(inner: Transport, { fault, writesByteByByte = false }: FaultOptions = {}) {
    this.#inner = inner;
    this.fault = fault;
    this.#byteByByte = writesByteByByte;
    this.localAddr = inner.localAddr;
    this.remoteAddr = inner.remoteAddr;
    this.lendsChunks = inner.lendsChunks;
  }

  /** The error of a `reset` or a `write error`. */
  readonly error: Error = new Error("the fault");

  get handler(): TransportHandler | undefined {
    return this.#handler;
  }

  set handler(handler: TransportHandler | undefined) {
    const isFirst = this.#handler === undefined;
    this.#handler = handler;
    if (!isFirst) return;
    this.#inner.handler = {
      data: (chunk) => this.#take(chunk),
      drain: () => this.#drained(),
      end: () => this.#end(),
      // A silent network reports nothing.
      close: (error) => (this.isHit && this.fault?.kind === "stall") || this.#reportClose(error),
    };
    queueMicrotask(() => this.#strike());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#rest !== undefined) throw new Error("write() was called before drain()");
    if (this.isGone) return true;
    const { kind, at } = this.fault ?? {};
    const isFaulty = (kind === "write error" || kind === "write stall") &&
      this.sent + bytes.length > at!;
    if (!isFaulty && !this.#byteByByte) return this.#send(bytes);
    this.#rest = bytes.slice();
    if (this.#byteByByte) {
      this.#sendByte();
    } else {
      const taken = this.#rest.subarray(0, at! - this.sent);
      this.#rest = this.#rest.subarray(taken.length);
      if (taken.length > 0) this.#send(taken);
      this.#failWrite(kind!);
    }
    return false;
  }

  pause(): void {
    this.#isPaused = true;
    this.#inner.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#inner.resume();
    this.#tellEnd();
  }

  shutdown(): void {
    this.#isShutdown = true;
    if (this.#rest === undefined) this.#inner.shutdown();
  }

  close(): void {
    this.#inner.close();
    this.#reportClose();
  }

  abort(): void {
    this.#inner.abort();
    this.#reportClose();
  }

  /** Everything that passed in one direction. */
  bytes(type: "in" | "out"): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(type === "in" ? this.received : this.sent);
    let position = 0;
    for (const item of this.passed) {
      if (item.type !== type) continue;
      all.set(item.bytes, position);
      position += item.bytes.length;
    }
    return all;
  }

  #take(chunk: Uint8Array): void {
    if (this.#isDeaf || this.isGone) return;
    const { kind, at = 0 } = this.fault ?? {};
    const isRead = kind === "cut" || kind === "reset" || kind === "stall";
    const bytes = isRead ? chunk.subarray(0, at - this.received) : chunk;
    if (bytes.length > 0) {
      this.received += bytes.length;
      this.passed.push({ type: "in", bytes: bytes.slice() });
      this.#handler!.data(bytes);
    }
    this.#strike();
  }

  /** Applies the fault once its position among the peer's bytes is reached. */
  #strike(): void {
    const { kind, at } = this.fault ?? {};
    if (this.isHit || this.isGone || this.received !== at) return;
    if (kind !== "cut" && kind !== "reset" && kind !== "stall") return;
    this.isHit = true;
    this.#isDeaf = true;
    if (kind === "cut") this.#hasEnd = true;
    if (kind === "reset") this.#fail();
    this.#tellEnd();
  }

  #end(): void {
    if (this.#isDeaf) return;
    this.passed.push({ type: "end" });
    this.#hasEnd = true;
    this.#tellEnd();
  }

  /** The peer's FIN follows the unread bytes while reading is paused. */
  #tellEnd(): void {
    if (!this.#hasEnd || this.#isEnded || this.#isPaused || this.isGone) return;
    this.#isEnded = true;
    this.#handler!.end();
  }

  #send(bytes: Uint8Array): boolean {
    this.sent += bytes.length;
    this.passed.push({ type: "out", bytes: bytes.slice() });
    return this.#inner.write(bytes);
  }

  #sendByte(): void {
    queueMicrotask(() => {
      if (this.isGone || this.#rest === undefined) return;
      const { kind, at } = this.fault ?? {};
      const isWrite = kind === "write error" || kind === "write stall";
      if (isWrite && this.sent === at) return this.#failWrite(kind);
      const byte = this.#rest.subarray(0, 1);
      this.#rest = this.#rest.subarray(1);
      if (this.#send(byte)) this.#drained();
    });
  }

  #drained(): void {
    if (this.isGone) return;
    if (this.#rest !== undefined && this.#rest.length > 0) {
      if (this.#byteByByte) this.#sendByte();
      return;
    }
    this.#rest = undefined;
    if (this.#isShutdown) this.#inner.shutdown();
    this.#handler!.drain();
  }

  #failWrite(kind: FaultKind): void {
    this.isHit = true;
    if (kind !== "write error") return;
    // Runtimes report it within the call, after it, or in a later turn.
    if (this.sent % 3 === 0) this.#fail();
    else if (this.sent % 3 === 1) queueMicrotask(() => this.#fail());
    else setTimeout(() => this.#fail(), 0);
  }

  #fail(): void {
    this.#reportClose(this.error);
    this.#inner.abort();
  }

  #reportClose(error?: unknown): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#handler!.close(error);
  }
}
