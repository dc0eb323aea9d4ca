import { memoryPair } from "../../src/transport/memory_transport.ts";
import type { MemoryOptions, MemoryTransport } from "../../src/transport/memory_transport.ts";
import { onTestEnd } from "../harness.ts";
import { fromLatin1, latin1 } from "./bytes.ts";
import { Changes } from "./changes.ts";

/** An HTTP client on one connection in memory. */
export class HttpPeer {
  /** The server's end. */
  readonly conn: MemoryTransport;
  readonly transport: MemoryTransport;
  /** All received bytes as text, a character for each byte. */
  text = "";
  hasEnded = false;
  isClosed = false;
  readonly #changes = new Changes();

  constructor(options: MemoryOptions = {}) {
    [this.conn, this.transport] = memoryPair(options);
    this.transport.handler = {
      data: (chunk) => {
        this.text += fromLatin1(chunk);
        this.#changes.tell();
      },
      drain() {},
      end: () => {
        this.hasEnded = true;
        this.#changes.tell();
      },
      close: () => {
        this.isClosed = true;
        this.#changes.tell();
      },
    };
    onTestEnd(() => {
      this.transport.abort();
      this.conn.abort();
    });
  }

  /** The status of the response; 0 before there is one. */
  get status(): number {
    return Number(/^HTTP\/1\.1 (\d+) /.exec(this.text)?.[1] ?? 0);
  }

  /** The bytes after the head of the response. */
  get body(): string {
    return this.text.slice(this.text.indexOf("\r\n\r\n") + 4);
  }

  /** Sends text, a byte for each character, or bytes. */
  send(data: string | Uint8Array): void {
    this.transport.write(typeof data === "string" ? latin1(data) : data);
  }

  /** Resolves once the condition holds. */
  async until(condition: () => boolean, what: string): Promise<void> {
    await this.#changes.until(condition, 5000, what);
  }

  /** Resolves once the response has ended, and ends this side. */
  async answered(): Promise<number> {
    await this.until(() => this.hasEnded || this.isClosed, "the end of the answer");
    this.transport.close();
    return this.status;
  }

  /** Resolves once the head of the response is complete. */
  async headed(): Promise<number> {
    await this.until(() => this.text.includes("\r\n\r\n"), "the head of the answer");
    return this.status;
  }
}
