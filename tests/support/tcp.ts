/** A TCP or Unix socket client, the same for both runtimes. */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { deadline, onTestEnd } from "../harness.ts";
import type { Addr } from "../../src/transport/transport.ts";
import { Changes } from "./changes.ts";

/** How long to wait for what should come at once, in milliseconds. */
const PATIENCE = 10_000;

/** A client's connection. It half-closes: its end is its own to send. */
export class TcpClient {
  readonly socket: Socket;
  /** How many bytes have come. */
  length = 0;
  /** Whether the server has ended its direction. */
  hasEnded = false;
  isClosed = false;
  /** What was wrong, such as `ECONNRESET`. */
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

  /** All that has come. */
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** All that has come, as text. */
  get text(): string {
    return this.bytes.toString("latin1");
  }

  /** Sends bytes, or text. */
  write(data: Uint8Array | string): void {
    this.socket.write(data);
  }

  /** Sends the end. */
  end(): void {
    this.socket.end();
  }

  /** Resets the connection. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Resolves once the condition holds; it's looked at whenever something comes. */
  async until(condition: (client: TcpClient) => boolean, what: string): Promise<void> {
    await this.#changes.until(() => condition(this), PATIENCE, what);
  }

  /** Resolves once the server has ended its direction, with all that has come, as text. */
  async untilEnd(): Promise<string> {
    await this.until(({ hasEnded, isClosed }) => hasEnded || isClosed, "the server's end");
    return this.text;
  }

  /** Resolves once the connection is gone. */
  async untilClosed(): Promise<void> {
    await this.until(({ isClosed }) => isClosed, "the connection's end");
  }
}

/** Connects; what is left of it at the end of the test is destroyed. */
export async function tcpConnect(addr: Addr): Promise<TcpClient> {
  const socket = connect({
    ...(addr.transport === "unix" ? { path: addr.path } : { host: "127.0.0.1", port: addr.port }),
    allowHalfOpen: true,
  });
  const client = new TcpClient(socket);
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
