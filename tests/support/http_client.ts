import type { Addr } from "../../mod.ts";
import { tcpConnect } from "./raw_tcp.ts";
import type { RawTcp } from "./raw_tcp.ts";

/** A response as it was received. */
export interface ReceivedResponse {
  status: number;
  /** The head, without its empty line. */
  head: string;
  body: string;
}

/** A raw client that sends requests over one connection and parses the responses by their framing. */
export class RawHttpClient {
  readonly tcp: RawTcp;
  #offset = 0;

  constructor(tcp: RawTcp) {
    this.tcp = tcp;
  }

  /** Connects to a server. */
  static async connect(addr: Addr): Promise<RawHttpClient> {
    return new RawHttpClient(await tcpConnect(addr));
  }

  /** Sends bytes. */
  send(...parts: (string | Uint8Array)[]): void {
    for (const part of parts) this.tcp.write(part);
  }

  /** Sends a request, and returns its response. */
  request(startLine: string, fields = "", body = "", method = "GET"): Promise<ReceivedResponse> {
    this.send(`${startLine} HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`);
    return this.response(method);
  }

  /** Returns the next response to a request of this method. */
  async response(method = "GET"): Promise<ReceivedResponse> {
    await this.tcp.until(() => this.#rest.includes("\r\n\r\n") || this.tcp.hasEnded, "the head");
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end === -1) throw new Error(`no head: ${JSON.stringify(this.#rest)}`);
    const head = this.#rest.slice(0, end);
    this.#offset += end + 4;
    const status = Number(head.split(" ")[1]);
    const isBodyless = method === "HEAD" || status < 200 || status === 204 || status === 304;
    const body = isBodyless ? "" : await this.#body(head);
    return { status, head, body };
  }

  async #body(head: string): Promise<string> {
    if (/\r\ntransfer-encoding: chunked/i.test(head)) return await this.#chunks();
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (length !== undefined) return await this.#take(Number(length));
    await this.tcp.untilEnd();
    return await this.#take(this.#rest.length);
  }

  async #chunks(): Promise<string> {
    let body = "";
    while (true) {
      await this.tcp.until(() => this.#rest.includes("\r\n") || this.tcp.hasEnded, "a chunk size");
      const line = this.#rest.slice(0, this.#rest.indexOf("\r\n"));
      const size = parseInt(line, 16);
      if (Number.isNaN(size)) throw new Error(`no chunk size: ${JSON.stringify(line)}`);
      this.#offset += line.length + 2;
      body += await this.#take(size);
      if (await this.#take(2) !== "\r\n") throw new Error("no CRLF after a chunk");
      if (size === 0) return body;
    }
  }

  async #take(size: number): Promise<string> {
    await this.tcp.until(() => this.#rest.length >= size || this.tcp.hasEnded, `${size} bytes`);
    const text = this.#rest.slice(0, size);
    if (text.length < size) throw new Error(`the body ends after ${text.length} of ${size} bytes`);
    this.#offset += size;
    return text;
  }

  get #rest(): string {
    return this.tcp.text.slice(this.#offset);
  }
}
