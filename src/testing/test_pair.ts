import { openWebSocket } from "../client/client_handshake.ts";
import { makeHandshakePlan } from "../client/connect_plan.ts";
import { handshakeOptionChecks } from "../client/connect_options.ts";
import type { HandshakeOptions } from "../client/connect_options.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { resolveOptionalHandler } from "../connection/handler.ts";
import type { Handler } from "../connection/handler.ts";
import { acceptWith } from "../server/accept.ts";
import { acceptOptionChecks, resolveAcceptOptions } from "../server/accept_options.ts";
import type {
  AcceptOptions,
  UpgradeData,
  UpgradeHandler,
  UpgradeResult,
} from "../server/accept_options.ts";
import { afterTurn } from "../transport/event_loop.ts";
import { memoryPair } from "../transport/memory_transport.ts";
import type { MemoryOptions } from "../transport/memory_transport.ts";
import { aBoolean, anOptionsObject, anything, checkOptions } from "../util/options.ts";
import { Timers } from "../util/timers.ts";
import { FakeClock } from "./fake_clock.ts";

/** How long `Symbol.asyncDispose` waits for a clean close, in milliseconds. */
const DISPOSE_TIMEOUT = 200;

/** The options of {@linkcode testPair} that are not the server's. */
export interface TestPairClientOptions {
  /**
   * The options of the client's handshake, and the URL that it requests.
   *
   * @default {{}} with the URL `ws://localhost/`
   */
  client?: HandshakeOptions & { url?: string | URL };
  /**
   * The behaviour of either end of the transport: `maxChunk: 1` delivers byte by byte, and `capacity`
   * limits the bytes in flight.
   *
   * @default {{}}
   */
  transport?: MemoryOptions;
  /**
   * Whether the timers of both connections wait for `advance()`: those of the heartbeat and of the
   * closing handshake. Timers of the application, and of the opening handshake, do not.
   *
   * @default {false}
   */
  fakeTime?: boolean;
}

/** Options of {@linkcode testPair}: those of `accept()`, and those of the client. */
export interface TestPairOptions<Data = unknown>
  extends AcceptOptions<Data>, TestPairClientOptions {}

/**
 * A connected server and client in memory: {@linkcode testPair}. `await using` closes both ends, and
 * drops them if a handler delays the close.
 */
export interface TestPair<Data = unknown> extends AsyncDisposable {
  /** The client's end. */
  readonly client: WebSocketConnection;
  /** The server's end, which the handler serves. */
  readonly server: WebSocketConnection<Data>;
  /** The errors that a server's `onError` would have received, in order. */
  readonly errors: readonly unknown[];
  /**
   * Lets time pass for both connections, with `fakeTime`. After each timer the pending messages, pings
   * and pongs are delivered.
   *
   * @param ms The time, in milliseconds.
   * @throws {TypeError} If the option `fakeTime` is not set.
   */
  advance(ms: number): Promise<void>;
}

/**
 * Connects a client to a handler in memory, to test the handler without a socket. Both ends are
 * the connections that `serve()` and `connect()` create, after a real opening handshake. It runs on Deno and on Bun, and leaves
 * nothing open for Deno's sanitizers when it has been disposed.
 *
 * @param handler The handler under test, as of `serve()`. Without one, the test reads `server` itself.
 * @param options The options of the server, as of `accept()`, of the client, and of the transport.
 * @returns Both ends, when the connection is open.
 * @throws {HandshakeError} If the server refuses the client.
 * @throws {TypeError} If an option or a callback is unknown or malformed.
 *
 * @example An echo
 * ```ts
 * import { testPair } from "@sluice/websocket/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using pair = await testPair({ message: (socket, message) => socket.send(message) });
 * await pair.client.send("Hello");
 * for await (const message of pair.client) {
 *   assertEquals(message, "Hello");
 *   break;
 * }
 * assertEquals(pair.errors, []);
 * ```
 *
 * @example A dead peer
 * ```ts
 * import { testPair } from "@sluice/websocket/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using pair = await testPair(undefined, { fakeTime: true });
 * await pair.advance(60_000);
 * assertEquals(pair.server.readyState, 1); // The client has answered the Pings.
 * ```
 */
export async function testPair<
  Data = unknown,
  Result extends UpgradeResult<Data> = UpgradeResult<Data>,
>(
  handler?: Handler<UpgradeData<Result, Data>>,
  options: Omit<AcceptOptions, "upgrade"> & UpgradeHandler<Result> & TestPairClientOptions = {},
): Promise<TestPair<UpgradeData<Result, Data>>> {
  type Own = UpgradeData<Result, Data>;
  checkOptions<TestPairOptions>("testPair()", options, {
    ...acceptOptionChecks,
    client: anOptionsObject({ ...handshakeOptionChecks, url: anything }),
    transport: anOptionsObject<MemoryOptions>({
      capacity: anything,
      maxChunk: anything,
      lendsChunks: aBoolean,
      addr: anything,
    }),
    fakeTime: aBoolean,
  });
  const { client: { url = "ws://localhost/", ...clientOptions } = {}, transport, fakeTime } =
    options;
  const clock = fakeTime === true ? new FakeClock() : undefined;
  const timers = clock === undefined ? {} : { timers: new Timers(clock) };
  const errors: unknown[] = [];
  const [near, far] = memoryPair(transport, transport);
  const resolved = resolveOptionalHandler("testPair()", handler, options.discardMessages);
  const config = { ...resolveAcceptOptions(options as AcceptOptions<Own>), ...timers };
  const accepting = acceptWith(near, config, resolved, (error) => void errors.push(error));
  const plan = { ...makeHandshakePlan(url, clientOptions), ...timers };
  const signal = clientOptions.signal ?? new AbortController().signal;
  const opened = await Promise.allSettled([openWebSocket(far, plan, signal), accepting]);
  const [client, server] = opened.map((result) => {
    // The client's error has priority, because it is the one that an application gets.
    if (result.status === "rejected") throw result.reason;
    return result.value;
  }) as [WebSocketConnection, WebSocketConnection<Own>];
  return {
    client,
    server,
    errors,
    advance: (ms) => advance(clock, ms),
    [Symbol.asyncDispose]: () => closeBoth(client, server),
  };
}

async function advance(clock: FakeClock | undefined, ms: number): Promise<void> {
  if (clock === undefined) throw new TypeError("Cannot advance: the option fakeTime is not set");
  const end = clock.time + ms;
  await macrotask();
  while (clock.nextAt <= end) {
    clock.advance(Math.max(0, clock.nextAt - clock.time));
    await macrotask();
  }
  clock.advance(end - clock.time);
}

/** Resolves when everything on its way in memory has been delivered, which takes microtasks. */
function macrotask(): Promise<void> {
  return new Promise((resolve) => afterTurn(resolve));
}

async function closeBoth(client: WebSocketConnection, server: WebSocketConnection): Promise<void> {
  const timer = setTimeout(() => {
    client.abort();
    server.abort();
  }, DISPOSE_TIMEOUT);
  await Promise.all([client.close(1000), server.closed]);
  clearTimeout(timer);
}
