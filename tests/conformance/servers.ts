/** The servers under test, and assertions that many tests share. */

import {
  type CloseInfo,
  type Limits,
  type Message,
  serve,
  type ServeOptions,
  type SocketFunction,
  type SocketHandler,
  type WebSocketConnection,
  type WebSocketError,
  type WebSocketServer,
} from "../../mod.ts";
import { assert, assertEquals, deadline, fail, toHex } from "../harness.ts";
import { bytesOf } from "../support/bytes.ts";
import type { RawClient } from "./raw_client.ts";

/** The three ways to use a connection. */
export type Form = "callbacks" | "for await" | "streams";

/** The three forms. */
export const FORMS: readonly Form[] = ["callbacks", "for await", "streams"];

/** A server for one test. */
export interface TestServer extends AsyncDisposable {
  /** The server itself. */
  readonly server: WebSocketServer;
  /** The port it listens on. */
  readonly port: number;
  /** The errors that `onError` has received. */
  readonly errors: unknown[];
  /** The first connection. */
  readonly socket: Promise<WebSocketConnection>;
  /** How the first connection ended. */
  readonly closed: Promise<CloseInfo>;
}

/** Options of a test's server. The default limits have short timeouts. */
export type TestOptions = Omit<ServeOptions, "limits"> & { limits?: Partial<Limits> };

/** Serves `handler` on a free port until the test ends. */
export function listen(
  options: TestOptions,
  handler: SocketFunction | SocketHandler,
): TestServer {
  const errors: unknown[] = [];
  const { promise: socket, resolve } = Promise.withResolvers<WebSocketConnection>();
  const server = serve({
    hostname: "127.0.0.1",
    port: 0,
    onError: (error) => errors.push(error),
    ...options,
    limits: { closeTimeout: 200, ...options.limits },
  }, typeof handler === "function" ? watchFunction(handler, resolve) : watch(handler, resolve));
  return {
    server,
    port: (server.addr as { port: number }).port,
    errors,
    socket,
    get closed() {
      return deadline(socket.then(({ closed }) => closed), 20_000, "closed");
    },
    [Symbol.asyncDispose]: () => deadline(server.shutdown(), 3000, "shutdown()"),
  };
}

function watchFunction(
  handler: SocketFunction,
  opened: (socket: WebSocketConnection) => void,
): SocketFunction {
  return (socket) => {
    opened(socket);
    return handler(socket);
  };
}

function watch(
  handler: SocketHandler,
  opened: (socket: WebSocketConnection) => void,
): SocketHandler {
  return {
    ...handler,
    open: (socket) => {
      opened(socket);
      return handler.open?.(socket);
    },
  };
}

/** Creates a server that echoes every message, in one of the three forms. */
export function echo(form: Form, options: TestOptions = {}): TestServer {
  return listen(options, echoHandler(form));
}

function echoHandler(form: Form): SocketFunction | SocketHandler {
  switch (form) {
    case "callbacks":
      return { message: (socket, message: Message) => void socket.send(message) };
    case "for await":
      return async (socket) => {
        for await (const message of socket) await socket.send(message);
      };
    case "streams":
      return (socket) => socket.readable.pipeTo(socket.writable);
  }
}

/** Asserts that the next frame has FIN set, this opcode and this payload (bytes or hex). */
export async function assertFrame(
  client: RawClient,
  opcode: number,
  payload: string | Uint8Array,
): Promise<void> {
  const frame = await client.readFrame();
  const expected = bytesOf(payload);
  const isSame = frame.payload.length === expected.length &&
    frame.payload.every((byte, i) => byte === expected[i]);
  if (frame.first === 0x80 + opcode && isSame) return;
  const text = (first: number, bytes: Uint8Array) =>
    `${first.toString(16)}, ${bytes.length} bytes: ${toHex(bytes.subarray(0, 200))}`;
  assertEquals(text(frame.first, frame.payload), text(0x80 + opcode, expected));
  fail(`${expected.length} bytes differ`);
}

/**
 * Asserts that the server closes: it sends a Close frame with this code, no other byte, and a FIN,
 * before the client has ended its half of TCP.
 */
export async function assertClosing(client: RawClient, code?: number): Promise<void> {
  await assertFrame(client, 8, code === undefined ? "" : code.toString(16).padStart(4, "0"));
  await assertEnd(client);
}

/** Asserts that the server ends TCP without another byte. Then ends the client's half. */
export async function assertEnd(client: RawClient): Promise<void> {
  const { bytes, by } = await client.readToEnd();
  assertEquals(toHex(bytes), "");
  assertEquals(by, "FIN");
  await client.end();
}

/** Asserts how the first connection has ended. `error` is the close code of the expected error. */
export async function assertClosed(
  { closed }: TestServer,
  expected: { closeCode: number; reason?: string; wasClean: boolean; error?: number },
): Promise<void> {
  const info = await closed;
  assert(!(info instanceof Error), String(info));
  const { closeCode, reason, wasClean, error } = info;
  assertEquals(
    { closeCode, reason, wasClean, error: (error as WebSocketError | undefined)?.closeCode },
    { reason: "", error: undefined, ...expected },
  );
}

/**
 * Asserts that the sent bytes fail the connection: the server sends a Close frame with the code and
 * ends TCP, and `closed` has 1006, since no Close frame was received.
 */
export async function assertFailed(
  server: TestServer,
  client: RawClient,
  code: number,
): Promise<void> {
  await assertClosing(client, code);
  await assertClosed(server, { closeCode: 1006, wasClean: false, error: code });
}
