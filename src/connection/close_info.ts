import type { ClosePayload } from "../protocol/close_code.ts";

/** How a connection has ended. */
export interface CloseInfo extends ClosePayload {
  /**
   * The code of the received Close frame; 1005 if it had none, 1006 if no Close frame was received
   * (RFC 6455 §7.1.5).
   */
  closeCode: number;
  /** The reason of the received Close frame; empty if there is none. */
  reason: string;
  /** Whether both Close frames were exchanged before the TCP connection ended (RFC 6455 §7.1.4). */
  wasClean: boolean;
  /** The error that ended the connection, if there is one: the peer's fault, or the transport's. */
  error?: unknown;
}
