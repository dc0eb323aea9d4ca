import type { MemoryBudget } from "../../src/connection/memory_budget.ts";
import type { Overflow } from "../../src/connection/connection_options.ts";
import type { ExtensionAgreement } from "../../src/extensions/extension.ts";
import { ConnectionCounters } from "../../src/connection/counters.ts";
import type { InspectedFrame } from "../../src/connection/frame_inspector.ts";
import { CallbackConsumer } from "../../src/connection/callback_consumer.ts";
import { coreOf, WebSocketConnection } from "../../src/connection/connection.ts";
import type { SocketHandler } from "../../src/connection/connection.ts";
import type { Role } from "../../src/protocol/frame.ts";
import type { PayloadMode } from "../../src/protocol/message.ts";
import { resolveLimits } from "../../src/connection/limits.ts";
import type { Limits } from "../../src/connection/limits.ts";
import { timers } from "../../src/util/timers.ts";
import type { Timers } from "../../src/util/timers.ts";
import { memoryPair } from "../../src/transport/memory_transport.ts";
import type { Transport } from "../../src/transport/transport.ts";
import type { MemoryOptions, MemoryTransport } from "../../src/transport/memory_transport.ts";
import { deadline, delay, onTestEnd } from "../harness.ts";
import { MemoryPeer } from "./memory_peer.ts";

/** Options of {@linkcode open}. */
export interface OpenOptions {
  /** @default {"server"} */
  role?: Role;
  limits?: Partial<Limits>;
  timers?: Timers;
  overflow?: Overflow;
  payload?: PayloadMode;
  overwriteBorrowed?: boolean;
  budget?: MemoryBudget;
  counters?: ConnectionCounters;
  inspect?: (frame: InspectedFrame) => void;
  /** The negotiated extensions. Default: none. */
  agreements?: readonly ExtensionAgreement[];
  handler?: SocketHandler<string>;
  opened?: (socket: WebSocketConnection<string>) => void;
  /** Bytes that were received with the opening handshake. */
  early?: Uint8Array;
  /** The behaviour of both ends of the memory transport. */
  memory?: MemoryOptions;
  /** The behaviour of the peer's end, if it differs. */
  peerMemory?: MemoryOptions;
}

/** A connection under test, and its surroundings. */
export interface Opened {
  readonly socket: WebSocketConnection<string>;
  readonly peer: MemoryPeer;
  /** The connection's transport. */
  readonly transport: MemoryTransport;
  /** The errors that `onError` was called with. */
  readonly errors: unknown[];
  /** The size of each write of the connection. */
  readonly writes: number[];
}

/** Opens a connection in memory; it is dropped at the end of the test. */
export function open(options: OpenOptions = {}): Opened {
  const { role = "server", memory = {} } = options;
  const [transport, there] = memoryPair(memory, options.peerMemory ?? memory);
  const writes: number[] = [];
  const write = transport.write.bind(transport);
  transport.write = (bytes) => {
    writes.push(bytes.length);
    return write(bytes);
  };
  const answer = new TextEncoder().encode("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  const peer = new MemoryPeer(there, role === "server" ? "client" : "server", answer.length);
  return { ...openOn(transport, options, answer), peer, transport, writes };
}

/** Opens a connection over a transport; it is dropped at the end of the test. */
export function openOn(
  transport: Transport,
  options: Omit<OpenOptions, "memory" | "peerMemory"> = {},
  answer = new Uint8Array(0),
): Pick<Opened, "socket" | "errors"> {
  const { role = "server", handler, opened, early = new Uint8Array(0) } = options;
  const errors: unknown[] = [];
  const socket = new WebSocketConnection<string>({
    settings: {
      role,
      limits: resolveLimits(options.limits),
      timers: options.timers ?? timers,
      budget: options.budget,
      counters: options.counters ?? new ConnectionCounters(),
      inspect: options.inspect,
      overflow: options.overflow ?? "close",
      payload: options.payload,
      overwriteBorrowed: options.overwriteBorrowed,
      makeRequest: () => new Request("http://example.com/path"),
      onError: (error) => errors.push(error),
      onClosed: undefined,
    },
    transport,
    protocol: "chat",
    extensions: "",
    agreements: options.agreements ?? [],
    data: "data",
    headText: "",
  });
  onTestEnd(() => socket.abort());
  coreOf(socket).start({
    answer,
    early,
    consumer: handler && new CallbackConsumer(handler),
    opened: () => opened?.(socket),
  });
  return { socket, errors };
}

/** Waits for some turns of the event loop. */
export async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await delay(0);
}

/** Reads all messages in a loop, which ends with the connection. */
export async function collect(
  socket: AsyncIterable<string | Uint8Array>,
): Promise<(string | Uint8Array)[]> {
  const messages: (string | Uint8Array)[] = [];
  for await (const message of socket) messages.push(message);
  return messages;
}

/** Sends messages, awaiting each, and resolves to as many that the other end receives. */
export async function exchange(
  messages: readonly (string | Uint8Array)[],
  from: WebSocketConnection,
  to: WebSocketConnection = from,
): Promise<(string | Uint8Array)[]> {
  const got: (string | Uint8Array)[] = [];
  const reading = (async () => {
    for await (const message of to) if (got.push(message) === messages.length) break;
  })();
  const sending = (async () => {
    for (const message of messages) await from.send(message);
  })();
  await deadline(Promise.all([reading, sending]), 20_000, "the messages");
  return got;
}
