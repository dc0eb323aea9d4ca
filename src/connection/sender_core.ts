import type { Transport } from "../transport/transport.ts";
import type { ConnectionSettings } from "./connection_settings.ts";
import type { InspectedConnection } from "./frame_inspector.ts";

/** The members of a connection that its `Sender` uses. */
export interface SenderCore extends InspectedConnection {
  readonly settings: Pick<
    ConnectionSettings<unknown>,
    "role" | "limits" | "timers" | "overflow" | "counters" | "inspect"
  >;
  readonly transport: Pick<Transport, "write" | "writeSome">;
  /** Whether our Close frame has not been sent and the transport is open. */
  readonly isOpen: boolean;
  /** Whether the consumer has processed all messages. */
  readonly isIdle: boolean;
  /** Recounts the memory usage: it has grown, and a write is under way. */
  updateMemoryUsage(): void;
  /**
   * The send queue is empty, or below its high-water mark again.
   *
   * @param wasFull Whether a caller has waited for that.
   */
  onWritten(wasFull: boolean): void;
  /** No stream is being sent any more. */
  onIdle(): void;
  /** Sends a Close frame and starts the closing handshake. */
  sendClose(payload: Uint8Array): void;
}
