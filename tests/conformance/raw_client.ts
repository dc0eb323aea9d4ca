/**
 * A client that sends and receives raw bytes over TCP. It imports nothing from src/, so that the code
 * under test is not used to test itself.
 */

import { ACCEPT, decodeBody } from "../support/http.ts";
import { sizesOf } from "../support/frames.ts";
import { connect, type Socket } from "node:net";
import { assert, assertEquals, deadline, delay, toHex } from "../harness.ts";
import { bytesOf, latin1 } from "../support/bytes.ts";

/** The longest wait for a response, in milliseconds. */
const PATIENCE = 3000;

/** The fields of the request of RFC 6455 §1.3 that a server reads. */
export const HANDSHAKE = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\n" +
  "Upgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/** A frame that the server has sent. */
export interface RawFrame {
  /** FIN, RSV and opcode. */
  first: number;
  /** The opcode alone. */
  opcode: number;
  /** The header, in hex. */
  header: string;
  /** The payload. */
  payload: Uint8Array;
}

/** An HTTP response. */
export interface RawResponse {
  /** The first line. */
  statusLine: string;
  /** The status. */
  status: number;
  /** The field lines in order, names in lower case. */
  fields: [name: string, value: string][];
  /** The bytes after the head, up to the end of TCP. */
  body: string;
}

/** A TCP connection to the server under test. */
export class RawClient implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  /** The received, unread bytes are between the two marks. */
  #buffer: Uint8Array = new Uint8Array(1024);
  #from = 0;
  #to = 0;
  #end: "FIN" | "RST" | undefined;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    socket.on("data", (chunk: Uint8Array) => {
      this.#append(chunk);
      this.#wake?.();
    });
    socket.on("end", () => this.#ended("FIN"));
    socket.on("error", () => this.#ended("RST"));
    socket.on("close", () => {
      this.#ended("RST");
      resolve();
    });
  }

  /** Connects. */
  static connect(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      // Half-open: the test ends the client's half of TCP, independently of the server.
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new RawClient(socket));
      });
    });
  }

  /** The received, unread bytes. */
  get received(): Uint8Array {
    return this.#buffer.subarray(this.#from, this.#to);
  }

  /** How the server ended the connection, if it has. */
  get ending(): "FIN" | "RST" | undefined {
    return this.#end;
  }

  /** Sends bytes, or hex, in one piece. Resolves when the kernel has taken them. */
  write(data: string | Uint8Array): Promise<void> {
    // A failed write is ignored: the received bytes show whether the server was still connected.
    return new Promise((resolve) => void this.#socket.write(bytesOf(data), () => resolve()));
  }

  /** Sends bytes, or hex, one byte a segment. */
  async writeBytewise(data: string | Uint8Array): Promise<void> {
    for (const byte of bytesOf(data)) {
      await this.write(new Uint8Array([byte]));
      await delay(0);
    }
  }

  /** Reads `count` bytes. */
  async read(count: number): Promise<Uint8Array> {
    await this.#until(() => this.received.length >= count, `${count} bytes`);
    return this.#take(count);
  }

  /** Reads a frame, and checks the rules that all frames of a server obey. */
  async readFrame(): Promise<RawFrame> {
    const sizes = () => sizesOf(this.received);
    await this.#until(() => {
      const known = sizes();
      return known !== undefined && this.received.length >= known.header + known.payload;
    }, "a frame");
    const { header: size, payload: length } = sizes()!;
    const header = this.#take(size);
    // RFC 6455 §5.1: "A server MUST NOT mask any frames that it sends to the client."
    assertEquals(header[1]! & 0x80, 0, "the frame is masked");
    // RFC 6455 §5.2: "the minimal number of bytes MUST be used to encode the length".
    assertEquals(size, length < 126 ? 2 : length < 65536 ? 4 : 10, "the length is not minimal");
    const first = header[0]!;
    return { first, opcode: first & 15, header: toHex(header), payload: this.#take(length) };
  }

  /** Reads the head of an HTTP response, and leaves the bytes after it unread. */
  async readHead(): Promise<RawResponse> {
    const find = () => String.fromCharCode(...this.received.subarray(0, 8192)).indexOf("\r\n\r\n");
    await this.#until(() => find() >= 0, "a response head");
    const text = String.fromCharCode(...this.#take(find() + 4)).slice(0, -4);
    const [statusLine = "", ...lines] = text.split("\r\n");
    const match = /^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*$/.exec(statusLine);
    assert(match !== null, `not a status line: ${statusLine}`);
    const fields = lines.map((line): [string, string] => {
      const field = /^([\w!#$%&'*+.^`|~-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
      assert(field !== null, `not a field line: ${line}`);
      return [field[1]!.toLowerCase(), field[2]!];
    });
    return { statusLine, status: Number(match[1]), fields, body: "" };
  }

  /** Reads a whole HTTP response, which ends with TCP. */
  async readResponse(): Promise<RawResponse> {
    const head = await this.readHead();
    const { bytes, by } = await this.readToEnd();
    assertEquals(by, "FIN");
    const fields = head.fields.map(([name, value]) => `${name}: ${value}`).join("\n");
    const { body, isWhole } = decodeBody(fields, new TextDecoder().decode(bytes));
    assert(isWhole, "a body that is cut short");
    return { ...head, body };
  }

  /** Reads until the server ends the connection. Returns how it ended. */
  async readToEnd(): Promise<{ bytes: Uint8Array; by: "FIN" | "RST" }> {
    await this.#until(() => this.#end !== undefined, "the end of TCP");
    return { bytes: this.#take(this.received.length), by: this.#end! };
  }

  /** Sends bytes until the connection has ended in both directions. */
  async drop(): Promise<void> {
    const timer = setInterval(() => this.write("00"), 5);
    try {
      await deadline(this.#closed, PATIENCE, "a reset");
    } finally {
      clearInterval(timer);
    }
  }

  /** Stops reading, so that the kernel's buffers fill. */
  pause(): void {
    this.#socket.pause();
  }

  /** Reads again. */
  resume(): void {
    this.#socket.resume();
  }

  /** Sends `data` and a FIN. Data of the server is still read. */
  end(data: string | Uint8Array = ""): Promise<void> {
    return new Promise((resolve) => void this.#socket.end(bytesOf(data), () => resolve()));
  }

  /** Sends a RST. */
  reset(): Promise<void> {
    this.#socket.resetAndDestroy();
    return this.#closed;
  }

  /** Closes the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.#closed;
  }

  #take(count: number): Uint8Array {
    return this.#buffer.slice(this.#from, this.#from += count);
  }

  #append(chunk: Uint8Array): void {
    if (this.#to + chunk.length > this.#buffer.length) {
      const { received } = this;
      this.#buffer = new Uint8Array(2 * (received.length + chunk.length));
      this.#buffer.set(received);
      this.#from = 0;
      this.#to = received.length;
    }
    this.#buffer.set(chunk, this.#to);
    this.#to += chunk.length;
  }

  #ended(by: "FIN" | "RST"): void {
    this.#end ??= by;
    this.#wake?.();
  }

  async #until(isThere: () => boolean, what: string): Promise<void> {
    while (!isThere()) {
      const { received } = this;
      assert(this.#end === undefined, `${this.#end} instead of ${what}, after ${toHex(received)}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await deadline(promise, PATIENCE, what);
    }
  }
}

/** Connects, and does the handshake of RFC 6455 §1.3. */
export async function rawHandshake(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  await client.write(latin1(HANDSHAKE));
  const { status, fields } = await client.readHead();
  assertEquals(status, 101);
  assertEquals(new Map(fields).get("sec-websocket-accept"), ACCEPT);
  return client;
}
