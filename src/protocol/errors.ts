/** What a {@linkcode WebSocketError} is made with. */
export interface WebSocketErrorOptions {
  /**
   * A stable name for programs, such as `"ERR_RESERVED_OPCODE"`.
   *
   * @default {"ERR_WEBSOCKET"}
   */
  code?: string;
  /** The close code that tells the peer of this error, or that the peer told it with. */
  closeCode: number;
  /**
   * The reason that goes with the close code.
   *
   * @default {""} none
   */
  reason?: string;
  /** The error behind this one, where there is one. */
  cause?: unknown;
}

/**
 * Something went wrong with a connection that its own code is not to blame for: the peer broke the
 * protocol, exceeded a limit, or went away. Misuse of this library throws `TypeError`,
 * `RangeError` or a `DOMException` named `InvalidStateError` instead.
 */
export class WebSocketError extends Error {
  /** The name of the class. */
  override readonly name: string = "WebSocketError";
  /** A stable name for programs, such as `"ERR_RESERVED_OPCODE"`. The message may change; this won't. */
  readonly code: string;
  /** The close code that this error is answered with, or was told with (RFC 6455 §7.4.1). */
  readonly closeCode: number;
  /** The reason that goes with it, in a Close frame; empty where there is none. */
  readonly reason: string;

  /** Makes an error with a text for people and a code for programs. */
  constructor(message: string, options: WebSocketErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code ?? "ERR_WEBSOCKET";
    this.closeCode = options.closeCode;
    this.reason = options.reason ?? "";
  }
}

/** The peer broke a rule of RFC 6455. Answered with close code 1002. */
export class ProtocolError extends WebSocketError {
  /** The name of the class. */
  override readonly name = "ProtocolError";

  /** Makes a 1002. */
  constructor(message: string, code: string) {
    super(message, { code, closeCode: 1002 });
  }
}

/** The peer sent data that is not what its type says: text that is not UTF-8. Answered with 1007. */
export class InvalidPayloadError extends WebSocketError {
  /** The name of the class. */
  override readonly name = "InvalidPayloadError";

  /** Makes a 1007. */
  constructor(message: string, code: string) {
    super(message, { code, closeCode: 1007 });
  }
}

/** The peer did what the protocol allows and a limit of ours does not. Answered with 1008. */
export class PolicyViolationError extends WebSocketError {
  /** The name of the class. */
  override readonly name = "PolicyViolationError";

  /** Makes a 1008. */
  constructor(message: string, code: string) {
    super(message, { code, closeCode: 1008 });
  }
}

/** The peer's message is larger than `maxMessageSize`. Answered with close code 1009. */
export class MessageTooBigError extends WebSocketError {
  /** The name of the class. */
  override readonly name = "MessageTooBigError";

  /** Makes a 1009. */
  constructor(message: string, code = "ERR_MESSAGE_TOO_BIG") {
    super(message, { code, closeCode: 1009 });
  }
}

/**
 * The close code that an error, any error, is answered with: its own where it has one, else 1011
 * (RFC 6455 §7.4.1: "an unexpected condition that prevented it from fulfilling the request").
 */
export function closeCodeOf(error: unknown): number {
  return error instanceof WebSocketError ? error.closeCode : 1011;
}
