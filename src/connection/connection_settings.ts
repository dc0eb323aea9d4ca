import type { ExtensionAgreement } from "../extensions/extension.ts";
import type { Role } from "../protocol/frame.ts";
import type { PayloadMode } from "../protocol/message.ts";
import type { Addr, Transport } from "../transport/transport.ts";
import type { Timers } from "../util/timers.ts";
import type { Overflow, OverRate } from "./connection_options.ts";
import type { ConnectionCounters } from "./counters.ts";
import type { InspectedFrame } from "./frame_inspector.ts";
import type { Limits } from "./limits.ts";
import type { MemoryBudget } from "./memory_budget.ts";
import type { MessageConsumer } from "./message_consumer.ts";

/**
 * The types of the functions that a connection reports to. They are those of methods, so that a
 * `WebSocketConnection` with any data is assignable to one of unknown data.
 */
interface ConnectionReports<Socket> {
  error(error: unknown, socket: Socket): void;
  closed(socket: Socket): void;
  inspect(frame: InspectedFrame, socket: Socket): void;
}

/** The settings that the connections of one server or client share: one object for all of them. */
export interface ConnectionSettings<Socket> {
  readonly role: Role;
  readonly limits: Readonly<Limits>;
  readonly timers: Timers;
  /** The memory budget of the server; a client has none. */
  readonly budget: MemoryBudget | undefined;
  /** Counts the events of all connections with these settings. */
  readonly counters: ConnectionCounters;
  /** The treatment of a `send()` for which the send queue has no room. */
  readonly overflow: Overflow;
  /** The ownership of received binary messages; "shared" by default. */
  readonly payload?: PayloadMode | undefined;
  /** Whether a borrowed message is overwritten when its callback has returned. */
  readonly overwriteBorrowed?: boolean | undefined;
  /** Whether received messages are dropped. */
  readonly discardMessages?: boolean | undefined;
  /** The treatment of a peer that exceeds a rate; "pause" by default. */
  readonly overRate?: OverRate | undefined;
  /** Called with each frame. */
  readonly inspect?: ConnectionReports<Socket>["inspect"] | undefined;
  /** Creates the `Request` of the opening handshake when the application reads it. */
  readonly makeRequest: (headText: string) => Request;
  /** Returns the header fields of the handshake's response; for a client. */
  readonly responseHeaders?: () => Headers;
  /** Reports errors. */
  readonly onError: ConnectionReports<Socket>["error"];
  /** Reports that a connection is closed. */
  readonly onClosed: ConnectionReports<Socket>["closed"] | undefined;
}

/** The arguments of a connection's core. */
export interface CoreInit<Socket> {
  settings: ConnectionSettings<Socket>;
  transport: Transport;
  /** The agreed extensions, in the order of the server's response. */
  agreements: readonly ExtensionAgreement[];
}

/** The arguments of a connection, from the handshake of either role. */
export interface ConnectionInit<Socket, Data> extends CoreInit<Socket> {
  /** The address of the client, if the other end of the transport is a proxy. */
  clientAddr?: Addr | undefined;
  protocol: string;
  /** The extensions in use, as in Sec-WebSocket-Extensions; empty if there are none. */
  extensions: string;
  data: Data;
  /** The head of the opening handshake's request, from which `request` is made. */
  headText: string;
}

/** The arguments of the start of a connection. */
export interface ConnectionStart<Socket> {
  /** Bytes to send before all others: the response of the opening handshake. */
  answer: Uint8Array<ArrayBuffer>;
  /** Bytes that were received with the opening handshake. */
  early: Uint8Array;
  /** The consumer of messages, if the application uses callbacks; otherwise a queue is used. */
  consumer?: MessageConsumer<Socket> | undefined;
  /** Called once messages can be sent, before any is received. */
  opened?: () => void;
}
