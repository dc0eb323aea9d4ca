/** A connection of the generator: a Bun socket with the opening handshake. */

import { createHash } from "node:crypto";
import { Bun } from "../globals.ts";
import type { BunSocket, BunSocketHandler } from "../globals.ts";

/** The options of a connection. */
export interface ClientOptions {
  port: number;
  /** Whether to do the opening handshake. */
  websocket: boolean;
  /** The value of `Sec-WebSocket-Extensions`. */
  offer?: string;
}

const KEY = "MDEyMzQ1Njc4OWFiY2RlZg==";
const ACCEPT = createHash("sha1").update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
  .digest("base64");

const latin1 = new TextDecoder("latin1");

const handler: BunSocketHandler<Client> = {
  binaryType: "uint8array",
  open: (socket) => socket.data.opened(socket),
  data: (socket, chunk) => socket.data.onData(chunk),
  drain: (socket) => socket.data.drain(),
  close: (socket) => socket.data.closed(),
  error: (socket, error) => socket.data.failed(error),
  connectError: (socket, error) => socket.data.failed(error),
};

/** A connection. */
export class Client {
  /** Called with the bytes received after the handshake. */
  onData: (chunk: Uint8Array) => void;
  /** Called when the connection has ended. */
  onClose: () => void = () => {};
  /** The extensions that the server agreed to. */
  extensions = "";
  readonly #options: ClientOptions;
  readonly #opened: PromiseWithResolvers<Client> = Promise.withResolvers();
  #socket: BunSocket<Client> | undefined;
  /** The bytes that the kernel has not accepted yet. */
  readonly #queue: Uint8Array[] = [];
  #head = "";
  #isOpen = false;

  private constructor(options: ClientOptions) {
    this.#options = options;
    this.onData = (chunk) => this.#readHead(chunk);
  }

  /** Connects. Resolves when messages can be sent. */
  static open(options: ClientOptions): Promise<Client> {
    const client = new Client(options);
    const { port } = options;
    Bun.connect({ hostname: "127.0.0.1", port, data: client, socket: handler })
      .catch((error) => client.failed(error));
    return client.#opened.promise;
  }

  /** Connects `count` times, `atOnce` at a time, so that the server's backlog does not overflow. */
  static async openMany(options: ClientOptions, count: number, atOnce = 64): Promise<Client[]> {
    const clients: Client[] = [];
    while (clients.length < count) {
      const some = Math.min(atOnce, count - clients.length);
      clients.push(
        ...await Promise.all(Array.from({ length: some }, () => Client.open(options))),
      );
    }
    return clients;
  }

  /** Sends bytes. Queues the part that the kernel does not accept now. */
  write(bytes: Uint8Array): void {
    if (this.#queue.length > 0) {
      this.#queue.push(bytes);
      return;
    }
    const written = Math.max(0, this.#socket!.write(bytes));
    if (written < bytes.length) this.#queue.push(bytes.subarray(written));
  }

  /** Ends the connection with a FIN. */
  end(): void {
    this.#socket?.end();
  }

  /** Drops the connection with an RST, which leaves no port in TIME_WAIT. */
  abort(): void {
    this.#socket?.terminate();
  }

  /** @ignore */
  opened(socket: BunSocket<Client>): void {
    this.#socket = socket;
    socket.setNoDelay(true);
    if (this.#options.websocket) this.write(requestFor(this.#options));
    else this.#resolve();
  }

  /** @ignore */
  drain(): void {
    while (this.#queue.length > 0) {
      const bytes = this.#queue[0]!;
      const written = Math.max(0, this.#socket!.write(bytes));
      if (written < bytes.length) {
        this.#queue[0] = bytes.subarray(written);
        return;
      }
      this.#queue.shift();
    }
  }

  /** @ignore */
  closed(): void {
    if (!this.#isOpen) this.failed(new Error("The server closed the connection before the 101"));
    this.onClose();
  }

  /** @ignore */
  failed(error: unknown): void {
    this.#opened.reject(error);
  }

  #readHead(chunk: Uint8Array): void {
    this.#head += latin1.decode(chunk);
    const end = this.#head.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = this.#head.slice(0, end);
    if (!head.startsWith("HTTP/1.1 101") || !head.includes(ACCEPT)) {
      return this.failed(new Error(`The server refused: ${head}`));
    }
    this.extensions = /^sec-websocket-extensions: *(.*)$/im.exec(head)?.[1]?.trim() ?? "";
    if (this.#head.length > end + 4) return this.failed(new Error("Bytes came with the 101"));
    this.onData = () => this.abort();
    this.#resolve();
  }

  #resolve(): void {
    this.#isOpen = true;
    this.#opened.resolve(this);
  }
}

let lastOptions: ClientOptions | undefined;
let lastRequest: Uint8Array | undefined;

/** Returns the request of the opening handshake, cached for connections with the same options. */
function requestFor(options: ClientOptions): Uint8Array {
  if (options === lastOptions) return lastRequest!;
  lastOptions = options;
  const { port, offer } = options;
  return lastRequest = new TextEncoder().encode(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
      `Connection: Upgrade\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n` +
      (offer === undefined ? "" : `Sec-WebSocket-Extensions: ${offer}\r\n`) + "\r\n",
  );
}
