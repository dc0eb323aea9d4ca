/** A server with no mind of its own: it does with a connection what a test tells it to. */

import { Buffer } from "node:buffer";
import { createServer, type Server, type Socket } from "node:net";
import { deadline, onTestEnd } from "../harness.ts";
import { Changes } from "./changes.ts";

/** How long to wait for what should come at once, in milliseconds. */
const PATIENCE = 10_000;

/** One connection to the server. */
export class RawConnection {
  readonly socket: Socket;
  /** All that has come, a character for each byte. */
  text = "";
  hasEnded = false;
  isClosed = false;
  readonly #changes = new Changes();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
      this.#changes.tell();
    });
    socket.on("end", () => {
      this.hasEnded = true;
      this.#changes.tell();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.isClosed = true;
      this.#changes.tell();
    });
  }

  /** Resolves to the head of the request, without its empty line. */
  async head(): Promise<string> {
    await this.until(() => this.text.includes("\r\n\r\n"), "a request");
    return this.text.slice(0, this.text.indexOf("\r\n\r\n") + 2);
  }

  /** Sends text, a byte for each character, or bytes. */
  write(data: string | Uint8Array): void {
    this.socket.write(typeof data === "string" ? Buffer.from(data, "latin1") : data);
  }

  /** Resolves once the client is gone, by an end or by a reset. */
  async untilGone(): Promise<void> {
    await this.until(() => this.hasEnded || this.isClosed, "the client's end");
    this.socket.destroy();
  }

  /** Resolves once the condition holds. */
  async until(condition: () => boolean, what: string): Promise<void> {
    await this.#changes.until(condition, PATIENCE, what);
  }
}

/** A server of a test's own, and its connections in order. */
export interface RawServer {
  readonly port: number;
  readonly connections: RawConnection[];
  /** Resolves to the first connection. */
  readonly first: Promise<RawConnection>;
  readonly server: Server;
}

/**
 * Listens until the end of the test.
 *
 * @param behave What to do with each connection; it fails the test where it rejects.
 */
export async function rawServer(
  behave: (connection: RawConnection) => void | Promise<void> = () => {},
): Promise<RawServer> {
  const connections: RawConnection[] = [];
  const first = Promise.withResolvers<RawConnection>();
  const failures: unknown[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = new RawConnection(socket);
    connections.push(connection);
    first.resolve(connection);
    Promise.try(behave, connection).catch((error) => failures.push(error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestEnd(async () => {
    for (const { socket } of connections) socket.destroy();
    const gone = connections.map((connection) =>
      connection.until(() => connection.isClosed, "the server's own end")
    );
    await Promise.all(gone);
    await deadline(new Promise((resolve) => server.close(resolve)), PATIENCE, "the server's end");
    if (failures.length > 0) throw failures[0];
  });
  const { port } = server.address() as { port: number };
  return { port, connections, first: first.promise, server };
}
