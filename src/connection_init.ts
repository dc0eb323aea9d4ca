import type { WebSocketConnection } from "./connection.ts";
import type { ExtensionAgreement } from "./extensions/extension.ts";
import type { Role } from "./protocol/frame.ts";
import type { Limits } from "./protocol/limits.ts";
import type { MemoryBudget } from "./budget.ts";
import type { Overflow } from "./overflow.ts";
import type { SocketHandler } from "./socket_handler.ts";
import type { Timers } from "./timers.ts";
import type { Addr, Transport } from "./transport/transport.ts";

/** What a connection is made from, by the handshake of either role. */
export interface ConnectionInit<Data> {
  role: Role;
  transport: Transport;
  /** The client, where that is not the other end of the transport. */
  clientAddr?: Addr | undefined;
  limits: Readonly<Limits>;
  /** What is done with a send that there is no room for; `"close"` where left out. */
  overflow?: Overflow | undefined;
  /** What the server's connections may hold together. */
  budget?: MemoryBudget | undefined;
  protocol: string;
  /** What the handshake agreed to, in the order of the server's response. */
  agreements: readonly ExtensionAgreement[];
  data: Data;
  /** Makes the opening handshake's request when somebody asks for it: one for all connections. */
  request: (headText: string) => Request;
  /** What it makes it of. */
  headText?: string | undefined;
  onError: (error: unknown, socket: WebSocketConnection<Data>) => void;
  onClosed: ((socket: WebSocketConnection<Data>) => void) | undefined;
  /** What times its waits; those of the process where left out. */
  timers?: Timers | undefined;
}

/** What a connection starts with. */
export interface ConnectionStart<Data> {
  /** Bytes to send before all others: the answer to the opening handshake. */
  answer: Uint8Array<ArrayBuffer>;
  /** Bytes that came with the opening handshake. */
  early: Uint8Array;
  /** The callbacks, if that is how it's used. */
  handler?: SocketHandler<Data> | undefined;
  /** Called once messages can be sent, before any comes. */
  opened?: () => void;
}
