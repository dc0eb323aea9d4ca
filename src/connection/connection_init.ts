import type { ExtensionAgreement } from "../extensions/extension.ts";
import type { ConnectionSettings } from "./connection_settings.ts";
import type { Callbacks } from "./socket_handler.ts";
import type { Addr, Transport } from "../transport/transport.ts";

/** What a connection is made from, by the handshake of either role. */
export interface ConnectionInit<Socket, Data> {
  settings: ConnectionSettings<Socket>;
  transport: Transport;
  /** The client, where that is not the other end of the transport. */
  clientAddr?: Addr | undefined;
  protocol: string;
  /** The extensions in use, as in Sec-WebSocket-Extensions; empty if there are none. */
  extensions: string;
  /** What the handshake agreed to, in the order of the server's response. */
  agreements: readonly ExtensionAgreement[];
  data: Data;
  /** What the opening handshake's request is made of. */
  headText: string;
}

/** What a connection starts with. */
export interface ConnectionStart<Socket> {
  /** Bytes to send before all others: the answer to the opening handshake. */
  answer: Uint8Array<ArrayBuffer>;
  /** Bytes that came with the opening handshake. */
  early: Uint8Array;
  /** The callbacks, if that is how it's used. */
  handler?: Callbacks<Socket> | undefined;
  /** Called once messages can be sent, before any comes. */
  opened?: () => void;
}
