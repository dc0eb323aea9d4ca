/**
 * The Unix sockets of the runtime over virtual connections: `Deno.listen()` and `Deno.connect()`, or
 * `Bun.listen()` and `Bun.connect()`. So the runtime's own transport takes part in a simulation.
 */

import type { BunSocket, BunSocketHandler } from "../../src/transport/bun_transport.ts";
import type { DenoAddr, DenoConn } from "../../src/transport/deno_transport.ts";
import { WireEnd } from "./wire.ts";
import type { WireOptions } from "./wire.ts";

/** An attempt to connect that has not ended. */
interface Attempt {
  establish(): void;
}

/** What a listener does with an attempt. */
type Accept = (options: WireOptions) => WireEnd;

/** The virtual network. */
export class Network {
  /** The behaviour of the next connections. */
  options: WireOptions = { capacity: 65536, mostTaken: Infinity };
  /** Called with both ends of each new connection. */
  onConnection: (client: WireEnd, server: WireEnd) => void = () => {};
  #attempts: Attempt[] = [];
  readonly #listeners = new Map<string, Accept>();

  /** How many attempts wait for an answer. */
  get attempts(): number {
    return this.#attempts.length;
  }

  /** Ends an attempt: it is accepted, or refused if nothing listens. */
  establish(index: number): void {
    this.#attempts.splice(index, 1)[0]?.establish();
  }

  /** Forgets all connections and listeners. */
  restart(): void {
    this.#attempts = [];
    this.#listeners.clear();
  }

  /** How many listeners there are. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Replaces the runtime's functions. */
  install(): void {
    const { Deno, Bun } = globalThis as unknown as Record<string, Record<string, unknown>>;
    if (Deno !== undefined) {
      Deno.listen = (options: UnixOptions) => this.#listenDeno(options);
      Deno.connect = (options: UnixOptions) => this.#connectDeno(options);
    } else {
      Bun!.listen = (options: BunOptions) => this.#listenBun(options);
      Bun!.connect = (options: BunOptions) => this.#connectBun(options);
    }
  }

  #listenDeno({ path }: UnixOptions): unknown {
    const backlog: DenoConn[] = [];
    let waiting: PromiseWithResolvers<DenoConn> | undefined;
    this.#listeners.set(path, (options) => {
      const conn = new DenoEnd(options);
      if (waiting === undefined) backlog.push(conn);
      else waiting.resolve(conn);
      waiting = undefined;
      return conn;
    });
    return {
      addr: { transport: "unix", path },
      accept: () => {
        const conn = backlog.shift();
        if (conn !== undefined) return Promise.resolve(conn);
        waiting = Promise.withResolvers<DenoConn>();
        return waiting.promise;
      },
      close: () => {
        this.#listeners.delete(path);
        for (const conn of backlog) conn.close();
        waiting?.reject(new Error("Listener has been closed"));
      },
    };
  }

  #connectDeno({ path }: UnixOptions): Promise<DenoConn> {
    const { promise, resolve, reject } = Promise.withResolvers<DenoConn>();
    this.#attempts.push({
      establish: () => {
        const accept = this.#listeners.get(path);
        if (accept === undefined) return reject(refused());
        const conn = new DenoEnd(this.options);
        this.#join(conn, accept(this.options));
        resolve(conn);
      },
    });
    return promise;
  }

  #listenBun({ unix, socket: handler }: BunOptions): unknown {
    this.#listeners.set(unix, (options) => new BunEnd(options, handler));
    return { stop: () => void this.#listeners.delete(unix) };
  }

  #connectBun({ unix, socket: handler }: BunOptions): Promise<BunSocket> {
    const { promise, resolve, reject } = Promise.withResolvers<BunSocket>();
    const connectHandler = handler as BunSocketHandler & {
      connectError(socket: unknown, error: unknown): void;
    };
    this.#attempts.push({
      establish: () => {
        const accept = this.#listeners.get(unix);
        if (accept === undefined) {
          connectHandler.connectError(undefined, refused());
          return reject(refused());
        }
        const client = new BunEnd(this.options, handler);
        const server = accept(this.options) as BunEnd;
        this.#join(client, server);
        server.open();
        client.open();
        resolve(client);
      },
    });
    return promise;
  }

  #join(client: WireEnd, server: WireEnd): void {
    WireEnd.join(client, server);
    this.onConnection(client, server);
  }
}

interface UnixOptions {
  path: string;
}

interface BunOptions {
  unix: string;
  socket: BunSocketHandler;
}

function refused(): Error {
  const error = new Error("Connection refused");
  error.name = "ConnectionRefused";
  return error;
}

const ADDR: DenoAddr = { transport: "unix", path: "simulation" };

/** A `Deno.Conn`. */
class DenoEnd extends WireEnd implements DenoConn {
  readonly localAddr = ADDR;
  readonly remoteAddr = ADDR;
  #read: { into: Uint8Array; done: PromiseWithResolvers<number | null> } | undefined;
  #write: { bytes: Uint8Array; done: PromiseWithResolvers<number> } | undefined;
  #error: Error | undefined;

  read(into: Uint8Array): Promise<number | null> {
    if (this.isClosed) return Promise.reject(this.#error ?? new Error("Bad resource ID"));
    if (this.#read !== undefined) throw new Error("Two reads at once");
    const done = Promise.withResolvers<number | null>();
    this.#read = { into, done };
    return done.promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.isClosed) return Promise.reject(this.#error ?? new Error("Bad resource ID"));
    if (this.#write !== undefined) throw new Error("Two writes at once");
    const done = Promise.withResolvers<number>();
    this.#write = { bytes, done };
    this.wantsRoom = true;
    return done.promise;
  }

  closeWrite(): Promise<void> {
    if (this.isClosed) return Promise.reject(new Error("Bad resource ID"));
    this.fin();
    return Promise.resolve();
  }

  close(): void {
    if (this.isClosed) throw new Error("Bad resource ID");
    this.drop();
    this.#fail(new Error("Interrupted"));
  }

  protected get takesData(): boolean {
    return this.#read !== undefined;
  }

  protected override get mostData(): number {
    return this.#read!.into.length;
  }

  protected onData(chunk: Uint8Array): void {
    const { into, done } = this.#read!;
    this.#read = undefined;
    into.set(chunk);
    done.resolve(chunk.length);
  }

  protected onFin(): void {
    this.#read!.done.resolve(null);
    this.#read = undefined;
  }

  protected onReset(error: Error): void {
    this.#error = error;
    this.#fail(error);
  }

  protected onRoom(): void {
    const { bytes, done } = this.#write!;
    this.#write = undefined;
    this.wantsRoom = false;
    done.resolve(this.take(bytes));
  }

  #fail(error: Error): void {
    this.wantsRoom = false;
    this.#read?.done.reject(error);
    this.#write?.done.reject(error);
    this.#read = undefined;
    this.#write = undefined;
  }
}

/** A socket of Bun. */
class BunEnd extends WireEnd implements BunSocket {
  data: unknown;
  readonly localAddress = "127.0.0.1";
  readonly localPort = 1;
  readonly remoteAddress = "127.0.0.1";
  readonly remotePort = 2;
  readonly #handler: BunSocketHandler;
  #isPaused = false;
  #isShutdown = false;

  constructor(options: WireOptions, handler: BunSocketHandler) {
    super(options);
    this.#handler = handler;
  }

  open(): void {
    this.#handler.open(this);
  }

  write(bytes: Uint8Array): number {
    if (this.isClosed || this.#isShutdown) return -1;
    const count = this.take(bytes);
    this.wantsRoom = count < bytes.length;
    return count;
  }

  shutdown(): void {
    if (this.isClosed || this.#isShutdown) return;
    this.#isShutdown = true;
    this.fin();
    if (this.hasReceivedFin) this.#over();
  }

  end(): void {
    if (this.isClosed) return;
    this.#over();
  }

  terminate(): void {
    if (this.isClosed) return;
    this.reset();
    this.owesClosed = true;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  setNoDelay(): boolean {
    return true;
  }

  protected get takesData(): boolean {
    return !this.#isPaused;
  }

  protected onData(chunk: Uint8Array): void {
    this.#handler.data(this, chunk);
  }

  protected onFin(isOver: boolean): void {
    this.#handler.end(this);
    if (isOver && !this.isClosed) this.#over();
  }

  protected onReset(error: Error): void {
    this.wantsRoom = false;
    this.#handler.close(this, error);
  }

  protected onRoom(): void {
    this.wantsRoom = false;
    this.#handler.drain(this);
  }

  protected override onClosed(): void {
    this.#handler.close(this);
  }

  #over(): void {
    this.drop();
    this.wantsRoom = false;
    this.owesClosed = true;
  }
}
