import type { Frame } from "../protocol/frame.ts";
import type { MessagePart } from "../protocol/message.ts";
import type { Transport } from "../transport/transport.ts";
import type { TurnBudget } from "../transport/turn_budget.ts";
import type { ConnectionSettings } from "./connection_settings.ts";
import type { ConsumedConnection, MessageConsumer } from "./message_consumer.ts";

/** The members of a connection that its `Receiver` uses. */
export interface ReceiverCore extends ConsumedConnection {
  readonly settings: Pick<
    ConnectionSettings<unknown>,
    | "role"
    | "limits"
    | "timers"
    | "counters"
    | "payload"
    | "overwriteBorrowed"
    | "overRate"
    | "inspect"
  >;
  readonly transport: Pick<Transport, "lendsChunks" | "pause" | "resume">;
  readonly sender: { readonly isFull: boolean };
  readonly keepalive: { paused(): void; resumed(): void };
  /** Takes the messages. */
  readonly consumer: MessageConsumer;
  readonly readers: { onFull(): void };
  /** Whether the transport is closed. */
  readonly isClosed: boolean;
  /** Whether the server's memory budget is used up, and this connection uses more than its share. */
  readonly isOverBudget: boolean;
  /** Handles a control frame. */
  control(frame: Frame): void;
  /** Fails the connection: the peer has broken a rule or a limit. */
  fail(error: unknown): void;
  /** The peer has ended its direction of TCP, and everything before that has been decoded. */
  peerEnded(): void;
  /** The time for received data in one event-loop turn. */
  readonly turn: Pick<TurnBudget, "work" | "isSpent" | "wait" | "skipWait" | "release">;
  /** Continues with the pending input, in the next event-loop turn. */
  onTurn(): void;
}

/** Takes the parts of messages: `MessageStreams`. */
export interface PartConsumer {
  /**
   * Takes a part; its bytes are valid until the call returns.
   *
   * @returns Whether there is room for more.
   */
  part(part: MessagePart, connection: ConsumedConnection): boolean;
}
