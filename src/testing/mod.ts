/**
 * Tests of a server without sockets: a handler and a client, connected in memory.
 *
 * @example
 * ```ts
 * import { testPair } from "@sluice/websocket/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using pair = await testPair(async (socket) => {
 *   for await (const message of socket) await socket.send(String(message).toUpperCase());
 * });
 * await pair.client.send("hello");
 * for await (const message of pair.client) {
 *   assertEquals(message, "HELLO");
 *   break;
 * }
 * ```
 *
 * @module
 */
export {
  type TestPair,
  testPair,
  type TestPairClientOptions,
  type TestPairOptions,
} from "./test_pair.ts";
