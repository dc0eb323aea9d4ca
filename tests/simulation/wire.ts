/** A virtual TCP connection: two ends, each with bytes under way to it, and events that a driver fires. */

import type { Addr, Transport, TransportHandler } from "../../src/transport/transport.ts";

/** An event of the network that can happen now. */
export type NetEvent = "data" | "fin" | "reset" | "room" | "closed";

/** The behaviour of one direction of a connection. */
export interface WireOptions {
  /** How many bytes may be under way to the other end. */
  capacity: number;
  /** How many bytes a write takes at most. */
  mostTaken: number;
}

/** The default error of a connection that the other end has reset. */
function resetError(): Error {
  const error = new Error("Connection reset by peer");
  error.name = "ConnectionReset";
  return error;
}

/** One end of a connection. Subclasses give it the interface of a runtime's socket, or of a transport. */
export abstract class WireEnd {
  /** The other end. */
  peer!: WireEnd;
  /** Whether the network holds back all that is under way to this end. */
  isStalled = false;
  isClosed = false;
  readonly #options: WireOptions;
  #inbox: Uint8Array[] = [];
  #inboxLength = 0;
  #hasSentFin = false;
  #hasReceivedFin = false;
  #reset: Error | undefined;
  /** Whether a write waits for room. */
  protected wantsRoom = false;
  /** Whether the owner is to be told that the connection is closed. */
  protected owesClosed = false;

  constructor(options: WireOptions) {
    this.#options = options;
  }

  /** Connects two ends. */
  static join(a: WireEnd, b: WireEnd): void {
    a.peer = b;
    b.peer = a;
  }

  /** Whether both directions have ended, in whatever way. */
  get isOver(): boolean {
    return this.isClosed && this.peer.isClosed;
  }

  /** The events that can happen at this end now. */
  get events(): NetEvent[] {
    const events: NetEvent[] = [];
    if (this.owesClosed) events.push("closed");
    if (this.isClosed) return events;
    const { peer } = this;
    if (!this.isStalled) {
      if (this.#reset !== undefined) return ["reset"];
      if (this.#inboxLength > 0) {
        if (this.takesData) events.push("data");
      } else if (peer.#hasSentFin && !this.#hasReceivedFin && this.takesData) {
        events.push("fin");
      }
    }
    if (this.wantsRoom && (peer.isClosed || this.#room > 0)) events.push("room");
    return events;
  }

  /** Fires an event; of `data`, at most so many bytes. */
  fire(event: NetEvent, most: number): void {
    switch (event) {
      case "data":
        return this.onData(this.#take(Math.min(most, this.mostData)));
      case "fin":
        this.#hasReceivedFin = true;
        return this.onFin(this.#hasSentFin);
      case "reset":
        this.isClosed = true;
        return this.onReset(this.#reset!);
      case "room":
        return this.onRoom();
      case "closed":
        this.owesClosed = false;
        return this.onClosed();
    }
  }

  /** Whether the owner takes data, or the end, now. */
  protected abstract get takesData(): boolean;
  /** How many bytes the owner takes at once. */
  protected get mostData(): number {
    return Infinity;
  }
  protected abstract onData(chunk: Uint8Array): void;
  protected abstract onFin(isOver: boolean): void;
  protected abstract onReset(error: Error): void;
  protected abstract onRoom(): void;
  protected onClosed(): void {}

  /** Puts bytes under way and returns how many there was room for. */
  protected take(bytes: Uint8Array): number {
    const { peer } = this;
    if (peer.isClosed) {
      // As TCP does: the other end answers with a reset.
      this.#reset ??= resetError();
      return bytes.length;
    }
    const count = Math.min(bytes.length, this.#room, this.#options.mostTaken);
    if (count > 0) peer.#inbox.push(bytes.slice(0, count));
    peer.#inboxLength += count;
    return count;
  }

  /** Ends this direction. */
  protected fin(): void {
    this.#hasSentFin = true;
  }

  protected get hasReceivedFin(): boolean {
    return this.#hasReceivedFin;
  }

  /** Closes both directions; bytes that are under way to the other end still arrive. */
  protected drop(): void {
    this.isClosed = true;
    this.#hasSentFin = true;
    this.#inbox = [];
    this.#inboxLength = 0;
  }

  /** Resets the connection; bytes that are under way are lost. */
  protected reset(): void {
    this.drop();
    const { peer } = this;
    peer.#inbox = [];
    peer.#inboxLength = 0;
    if (!peer.isClosed) peer.#reset ??= resetError();
  }

  /** A reset by the network, for both ends. */
  breakDown(): void {
    for (const end of [this, this.peer]) {
      end.#inbox = [];
      end.#inboxLength = 0;
      if (!end.isClosed) end.#reset ??= resetError();
    }
  }

  get #room(): number {
    return Math.max(0, this.#options.capacity - this.peer.#inboxLength);
  }

  #take(most: number): Uint8Array {
    const first = this.#inbox[0]!;
    // A segment may carry bytes of several writes.
    const all = first.length >= most || this.#inbox.length === 1 ? first : concat(this.#inbox);
    if (all !== first) this.#inbox = [all];
    const chunk = all.slice(0, most);
    if (chunk.length === all.length) this.#inbox.shift();
    else this.#inbox[0] = all.subarray(chunk.length);
    this.#inboxLength -= chunk.length;
    return chunk;
  }
}

function concat(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The behaviour of a {@linkcode WireTransport}. */
export interface WireTransportOptions extends WireOptions {
  /** Whether `write()` takes bytes at once, as Bun's sockets do, or later, as Deno's. */
  writesAtOnce: boolean;
  /** Whether received chunks are lent. */
  lendsChunks: boolean;
  /** Whether a partial write is reported by `progress()`. */
  reportsProgress: boolean;
}

/** A transport over one end. */
export class WireTransport extends WireEnd implements Transport {
  readonly localAddr: Addr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };
  readonly remoteAddr: Addr = { transport: "tcp", hostname: "127.0.0.1", port: 2 };
  readonly lendsChunks: boolean;
  handler: TransportHandler | undefined;
  readonly #writesAtOnce: boolean;
  readonly #reportsProgress: boolean;
  #rest: Uint8Array | undefined;
  #isPaused = false;
  #isShutdown = false;

  constructor(options: WireTransportOptions) {
    super(options);
    this.lendsChunks = options.lendsChunks;
    this.#writesAtOnce = options.writesAtOnce;
    this.#reportsProgress = options.reportsProgress;
  }

  write(bytes: Uint8Array): boolean {
    if (this.isClosed || this.#isShutdown) return true;
    if (this.#rest !== undefined) throw new Error("write() before drain()");
    const count = this.#writesAtOnce ? this.take(bytes) : 0;
    if (count === bytes.length) return true;
    this.#rest = bytes.subarray(count);
    this.wantsRoom = true;
    return false;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  shutdown(): void {
    this.#isShutdown = true;
    if (this.#rest === undefined && !this.isClosed) this.fin();
  }

  close(): void {
    if (this.isClosed) return;
    this.drop();
    this.#closed();
  }

  abort(): void {
    if (this.isClosed) return;
    this.reset();
    this.#closed();
  }

  protected get takesData(): boolean {
    return this.handler !== undefined && !this.#isPaused;
  }

  protected onData(chunk: Uint8Array): void {
    this.handler!.data(chunk);
    if (this.lendsChunks) chunk.fill(0xff);
  }

  protected onFin(): void {
    this.handler!.end();
  }

  protected onReset(error: Error): void {
    this.#closed(error);
  }

  protected onRoom(): void {
    const rest = this.#rest!;
    const count = this.take(rest);
    if (count < rest.length) {
      this.#rest = rest.subarray(count);
      if (this.#reportsProgress) this.handler?.progress?.();
      return;
    }
    this.#rest = undefined;
    this.wantsRoom = false;
    if (this.#isShutdown) this.fin();
    this.handler?.drain();
  }

  #closed(error?: unknown): void {
    this.#rest = undefined;
    this.wantsRoom = false;
    this.handler?.close(error);
  }
}
