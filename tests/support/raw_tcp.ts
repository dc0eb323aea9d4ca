/** TCP and Unix sockets by hand: a client, and a server that does with a connection what a test says. */

import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Addr } from "../../src/transport/transport.ts";
import { deadline, onTestEnd } from "../harness.ts";
import { Changes } from "./changes.ts";

/** How long to wait for an event that is due at once, in milliseconds. */
const PATIENCE = 10_000;

/** One end of a connection. It half-closes: the test ends its own direction. */
export class RawTcp {
  readonly socket: Socket;
  /** How many bytes have been received. */
  length = 0;
  /** Whether the peer has ended its direction. */
  hasEnded = false;
  isClosed = false;
  /** The code of the error, such as `ECONNRESET`. */
  error: string | undefined;
  #chunks: Buffer[] = [];
  readonly #changes = new Changes();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.length += chunk.length;
      this.#changes.tell();
    });
    socket.on("end", () => {
      this.hasEnded = true;
      this.#changes.tell();
    });
    socket.on("error", (error: Error & { code?: string }) => {
      this.error = error.code ?? error.message;
    });
    socket.on("close", () => {
      this.isClosed = true;
      this.#changes.tell();
    });
  }

  /** All received bytes. */
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** All received bytes as text, a character for each byte. */
  get text(): string {
    return this.bytes.toString("latin1");
  }

  /** Sends bytes, or text, a byte for each character. */
  write(data: Uint8Array | string): void {
    this.socket.write(typeof data === "string" ? Buffer.from(data, "latin1") : data);
  }

  /** Sends a FIN. */
  end(): void {
    this.socket.end();
  }

  /** Sends a RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Resolves once the condition holds; checks it after each event. */
  async until(condition: (self: this) => boolean, what: string): Promise<void> {
    await this.#changes.until(() => condition(this), PATIENCE, what);
  }

  /** Resolves to the head of the request, without its empty line. */
  async head(): Promise<string> {
    await this.until(() => this.text.includes("\r\n\r\n"), "a request");
    return this.text.slice(0, this.text.indexOf("\r\n\r\n") + 2);
  }

  /** Resolves to all received text once the peer has ended its direction. */
  async untilEnd(): Promise<string> {
    await this.until(({ hasEnded, isClosed }) => hasEnded || isClosed, "the peer's end");
    return this.text;
  }

  /** Resolves once the peer has ended or reset the connection, and destroys this end. */
  async untilGone(): Promise<void> {
    await this.untilEnd();
    this.socket.destroy();
  }

  /** Resolves once the connection is closed. */
  async untilClosed(): Promise<void> {
    await this.until(({ isClosed }) => isClosed, "the connection's end");
  }
}

/** Connects; the connection is destroyed at the end of the test. */
export async function tcpConnect(addr: Addr): Promise<RawTcp> {
  const socket = connect({
    ...(addr.transport === "unix" ? { path: addr.path } : { host: "127.0.0.1", port: addr.port }),
    allowHalfOpen: true,
  });
  const client = new RawTcp(socket);
  const connected = new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  onTestEnd(async () => {
    socket.destroy();
    await client.untilClosed();
  });
  await deadline(connected, PATIENCE, "the connection");
  return client;
}

/** A server of a test, and its connections in order. */
export interface RawServer {
  readonly port: number;
  readonly connections: RawTcp[];
  /** Resolves to the first connection. */
  readonly first: Promise<RawTcp>;
  readonly server: Server;
}

/**
 * Listens until the end of the test.
 *
 * @param behave What to do with each connection; the test fails if it rejects.
 */
export async function rawServer(
  behave: (connection: RawTcp) => void | Promise<void> = () => {},
): Promise<RawServer> {
  const connections: RawTcp[] = [];
  const first = Promise.withResolvers<RawTcp>();
  const failures: unknown[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = new RawTcp(socket);
    connections.push(connection);
    first.resolve(connection);
    Promise.try(behave, connection).catch((error) => failures.push(error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestEnd(async () => {
    for (const { socket } of connections) socket.destroy();
    await Promise.all(connections.map((connection) => connection.untilClosed()));
    await deadline(new Promise((resolve) => server.close(resolve)), PATIENCE, "the server's end");
    if (failures.length > 0) throw failures[0];
  });
  const { port } = server.address() as { port: number };
  return { port, connections, first: first.promise, server };
}
