import { serve } from "../../mod.ts";
import type {
  ServeOptions,
  SocketFunction,
  SocketHandler,
  TcpAddr,
  WebSocketConnection,
  WebSocketServer,
} from "../../mod.ts";
import { deadline, onTestEnd } from "../harness.ts";
import { rawFrame } from "./frames.ts";
import type { RawFrame } from "./frames.ts";
import { Changes } from "./changes.ts";
import { upgradeRequest } from "./http.ts";
import { tcpConnect } from "./raw_tcp.ts";
import type { RawTcp } from "./raw_tcp.ts";

/** A server under test, and the errors that `onError` was called with. */
export interface Served<Data> {
  server: WebSocketServer<Data>;
  url: string;
  errors: { error: unknown; socket: WebSocketConnection<Data> | undefined }[];
}

/** A handler that echoes. */
export const echo: SocketFunction = async (socket) => {
  for await (const message of socket) await socket.send(message);
};

/** Serves at a free local port until the end of the test. */
export function serving<Data = unknown>(
  handler: SocketFunction<Data> | SocketHandler<Data>,
  options: ServeOptions<Data> = {},
): Served<Data> {
  const errors: Served<Data>["errors"] = [];
  const server = serve<Data>({
    ...(options.path === undefined ? { hostname: "127.0.0.1", port: 0 } : {}),
    onError: (error, socket) => errors.push({ error, socket }),
    ...options,
  }, handler);
  onTestEnd(() => {
    const finished = deadline(server.shutdown(), 10_000, "the server's end");
    for (const socket of server.connections) socket.abort();
    return finished;
  });
  return { server, url: `ws://127.0.0.1:${(server.addr as TcpAddr).port}`, errors };
}

/** Opens a WebSocket over raw TCP, past the handshake. */
export async function openRaw<Data>(
  server: WebSocketServer<Data>,
  fields: Record<string, string> = {},
): Promise<RawWebSocket> {
  const client = await tcpConnect(server.addr);
  client.write(upgradeRequest(fields));
  await client.until(({ text }) => text.includes("\r\n\r\n"), "the answer");
  return new RawWebSocket(client);
}

/** A client of raw frames, past the handshake. It answers nothing by itself. */
export class RawWebSocket {
  constructor(readonly tcp: RawTcp) {}

  /** Sends frames. */
  send(...frames: RawFrame[]): void {
    for (const frame of frames) this.tcp.write(rawFrame(frame, "server"));
  }

  /** The bytes after the response to the handshake, as text. */
  get text(): string {
    return this.tcp.text.slice(this.tcp.text.indexOf("\r\n\r\n") + 4);
  }

  /** Resolves once this text is received, a character for each byte. */
  async received(text: string): Promise<void> {
    await this.tcp.until(() => this.text.includes(text), JSON.stringify(text));
  }
}

/** The runtime's own WebSocket as a client, with its events as promises. */
export class PlatformClient {
  readonly socket: WebSocket;
  readonly opened: Promise<Event>;
  readonly closed: Promise<CloseEvent>;
  readonly messages: (string | ArrayBuffer)[] = [];
  readonly #changes = new Changes();

  constructor(url: string, protocols?: string | string[]) {
    this.socket = new WebSocket(url, protocols);
    this.socket.binaryType = "arraybuffer";
    this.opened = new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onerror = reject;
    });
    this.opened.catch(() => {});
    this.closed = new Promise((resolve) => this.socket.onclose = resolve);
    this.socket.onmessage = (event) => {
      this.messages.push(event.data);
      this.#changes.tell();
    };
    onTestEnd(async () => {
      this.socket.close();
      await deadline(this.closed, 10_000, "the client's close event");
    });
  }

  /** Waits for so many messages, and returns all received ones. */
  async received(count: number): Promise<(string | ArrayBuffer)[]> {
    await this.#changes.until(() => this.messages.length >= count, 10_000, `message ${count}`);
    return this.messages;
  }
}
