import type { ClosePayload } from "../protocol/close_code.ts";
import type { Message, MessagePart } from "../protocol/message.ts";

/** How a connection ended. */
export interface CloseInfo extends ClosePayload {
  /**
   * The code of the Close frame that came; 1005 where it had none, 1006 where none came (RFC 6455
   * §7.1.5).
   */
  closeCode: number;
  /** The reason in the Close frame that came, or empty. */
  reason: string;
  /** Whether both Close frames were exchanged before the TCP connection ended (RFC 6455 §7.1.4). */
  wasClean: boolean;
  /** What went wrong, where something did: the peer's fault, or the transport's. */
  error?: unknown;
}

/** Who an `Endpoint` works for. */
export interface EndpointOwner {
  /** A message has come; `false` where the owner can take no more for now. */
  message(message: Message): boolean;
  /** The next part of a message has come, after `streamMessages()`; `false` as of `message()`. */
  part(part: MessagePart): boolean;
  /** The message whose parts have come will not end. */
  cut(): void;
  /** Whether the owner can take no more messages for now. */
  readonly isFull: boolean;
  /** Whether the owner is done with every message so far, so that a Close may be answered. */
  readonly isSettled: boolean;
  /** How many bytes of memory the owner holds of messages that have come, or wait to be sent. */
  readonly heldBytes: number;
  /** How many of those wait to be sent. */
  readonly queuedBytes: number;
  /** The outgoing queue is below its mark again. */
  drain(): void;
  /** The peer, or the transport, has broken the connection; `closed()` follows. */
  failed(error: unknown): void;
  /** The connection is gone. */
  closed(info: CloseInfo): void;
}
