/**
 * The transports that carry the bytes of a connection: TCP and Unix sockets of Deno and of Bun, and a
 * pair in memory. Only this module depends on the runtime.
 *
 * @example Bytes through a pair in memory
 * ```ts
 * import { memoryPair } from "@sluice/websocket/transport";
 * import { assertEquals } from "@std/assert";
 *
 * const [here, there] = memoryPair();
 * const { promise, resolve } = Promise.withResolvers<Uint8Array>();
 * there.handler = { data: resolve, drain() {}, end() {}, close() {} };
 * here.handler = { data() {}, drain() {}, end() {}, close() {} };
 * here.write(new Uint8Array([1, 2, 3]));
 * assertEquals(await promise, new Uint8Array([1, 2, 3]));
 * here.close();
 * ```
 *
 * @module
 */
export { bunSocketHandler } from "./bun_listen.ts";
export type { BunSocket, BunSocketHandler } from "./bun_transport.ts";
export type { DenoAddr, DenoConn } from "./deno_transport.ts";
export { type MemoryOptions, memoryPair, MemoryTransport } from "./memory_transport.ts";
export { type Conn, connect, listen, startTls, toTransport } from "./runtime.ts";
export {
  type Addr,
  type ClientTls,
  type ConnectTarget,
  type Listener,
  type ListenHandler,
  type ListenOptions,
  type ServerTls,
  type TcpAddr,
  TlsError,
  type Transport,
  type TransportHandler,
  type UnixAddr,
} from "./transport.ts";
