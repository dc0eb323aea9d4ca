/** Helpers for compression: open pairs, and messages that node:zlib alone compresses. */

import { deflateRawSync } from "node:zlib";
import { accept, connect, connectOver } from "../../mod.ts";
import type {
  AcceptOptions,
  ConnectOptions,
  PerMessageDeflateOptions,
  WebSocketConnection,
} from "../../mod.ts";
import { memoryPair } from "../../src/transport/memory_transport.ts";
import { onTestEnd } from "../harness.ts";
import { utf8 } from "./bytes.ts";
import type { RawFrame } from "./frames.ts";
import { HttpPeer } from "./http_peer.ts";
import { upgradeRequest } from "./http.ts";
import { MemoryPeer } from "./memory_peer.ts";
import { serving } from "./server.ts";

/** RSV1 of a frame's first byte: the "Per-Message Compressed" bit. */
export const RSV1 = 0x40;

/** The usual offer of a client. */
export const OFFER = "permessage-deflate; client_max_window_bits";

/** A compressed message, without the four bytes that RFC 7692 §7.2.1 removes. */
export function deflated(message: string | Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = typeof message === "string" ? utf8(message) : message;
  return new Uint8Array(deflateRawSync(bytes, { finishFlush: 2 }).subarray(0, -4));
}

/** A payload as frames, RSV1 on the first. */
export function compressedFrames(
  first: number,
  payload: Uint8Array,
  fragments: number,
): RawFrame[] {
  const size = Math.ceil(payload.length / fragments);
  return Array.from({ length: fragments }, (_, i) => ({
    first: (i === 0 ? first | RSV1 : 0) | (i === fragments - 1 ? 0x80 : 0),
    payload: payload.slice(i * size, (i + 1) * size),
  }));
}

/** How two ends are connected. */
export type Way = "memory" | "TCP";
export const WAYS: readonly Way[] = ["memory", "TCP"];

/** The option `compression` of each end. */
export type Compression = boolean | PerMessageDeflateOptions | undefined;

/** Opens a connection between two ends of this library; it is dropped at the end of the test. */
export async function openPair(
  way: Way,
  atServer: Compression,
  atClient: Compression,
): Promise<{ server: WebSocketConnection; client: WebSocketConnection }> {
  // `exactOptionalPropertyTypes`: a missing option is not `undefined`.
  const serverOptions: AcceptOptions = atServer === undefined ? {} : { compression: atServer };
  const clientOptions: ConnectOptions = atClient === undefined ? {} : { compression: atClient };
  const [server, client] =
    await (way === "memory"
      ? overMemory(serverOptions, clientOptions)
      : overTcp(serverOptions, clientOptions));
  onTestEnd(async () => {
    client.abort();
    server.abort();
    await Promise.all([client.closed, server.closed]);
  });
  return { server, client };
}

type Ends = [server: WebSocketConnection, client: WebSocketConnection];

function overMemory(atServer: AcceptOptions, atClient: ConnectOptions): Promise<Ends> {
  const [here, there] = memoryPair({ lendsChunks: true }, { lendsChunks: true });
  return Promise.all([accept(there, atServer), connectOver(here, "ws://memory/", atClient)]);
}

async function overTcp(atServer: AcceptOptions, atClient: ConnectOptions): Promise<Ends> {
  const { promise, resolve } = Promise.withResolvers<WebSocketConnection>();
  const { url } = serving(async (socket) => {
    resolve(socket);
    await socket.closed;
  }, atServer);
  const client = await connect(url, atClient);
  return [await promise, client];
}

/** Opens a connection between a server and a client of raw frames. */
export async function acceptRaw(
  options: AcceptOptions,
  offer: string = OFFER,
): Promise<{ socket: WebSocketConnection; peer: MemoryPeer; head: string }> {
  const http = new HttpPeer({ lendsChunks: true });
  const accepting = accept(http.conn, options);
  http.send(upgradeRequest(offer === "" ? {} : { "Sec-WebSocket-Extensions": offer }));
  const socket = await accepting;
  await http.headed();
  return { socket, peer: new MemoryPeer(http.transport, "client"), head: http.text };
}
