import { applicationClose } from "./close_info_init.ts";

/** Options of the constructor of {@linkcode WebSocketError}. */
export interface WebSocketErrorOptions {
  /**
   * A stable name for programs, such as `"ERR_RESERVED_OPCODE"`. With a name, any close code is allowed;
   * without one, only those that the WHATWG standard allows: 1000 and 3000-4999.
   *
   * @default {"ERR_WEBSOCKET"}
   */
  code?: string;
  /**
   * The close code that is sent to the peer for this error, or that the peer sent.
   *
   * @default {undefined} none; 1000 if there is a reason
   */
  closeCode?: number;
  /**
   * The reason that accompanies the close code.
   *
   * @default {""} none
   */
  reason?: string;
  /** The error that caused this one, if any. */
  cause?: unknown;
}

/**
 * An error of a connection that the application did not cause: the peer violated the protocol, exceeded
 * a limit, or disconnected. Misuse of this library throws a `TypeError`, a `RangeError` or a
 * `DOMException` named `InvalidStateError` instead.
 */
export class WebSocketError extends Error {
  /** The name of the class. */
  override readonly name: string = "WebSocketError";
  /** A stable name for programs, such as `"ERR_RESERVED_OPCODE"`. Unlike the message, it never changes. */
  readonly code: string;
  /** The close code that is sent for this error, or that was received (RFC 6455 §7.4.1), or `null`. */
  readonly closeCode: number | null;
  /** The reason that accompanies it in the Close frame; empty if there is none. */
  readonly reason: string;

  /**
   * Creates an error with a text for people and a code for programs. Without the option `code`, it is
   * the constructor of the WHATWG standard.
   *
   * @throws {DOMException} Without `code`: an `InvalidAccessError` if the close code is neither 1000 nor
   * 3000-4999; a `SyntaxError` if the reason has more than 123 bytes of UTF-8.
   */
  constructor(message = "", options: WebSocketErrorOptions = {}) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    const { closeCode = null, reason = "" } = options?.code === undefined
      ? applicationClose(options)
      : options;
    this.code = options?.code ?? "ERR_WEBSOCKET";
    this.closeCode = closeCode;
    this.reason = reason;
  }
}

/** The peer violated a rule of RFC 6455. The connection is closed with code 1002. */
export class ProtocolError extends WebSocketError {
  /** The name of the class. */
  override readonly name = "ProtocolError";

  /** Creates an error with close code 1002. */
  constructor(message: string, code: string) {
    super(message, { code, closeCode: 1002 });
  }
}

/** The peer sent data that does not match its type: text that is not UTF-8. Closes with code 1007. */
export class InvalidPayloadError extends WebSocketError {
  /** The name of the class. */
  override readonly name = "InvalidPayloadError";

  /** Creates an error with close code 1007. */
  constructor(message: string, code: string) {
    super(message, { code, closeCode: 1007 });
  }
}

/** The peer exceeded a limit other than `maxMessageSize`. The connection is closed with code 1008. */
export class PolicyViolationError extends WebSocketError {
  /** The name of the class. */
  override readonly name = "PolicyViolationError";

  /** Creates an error with close code 1008. */
  constructor(message: string, code: string) {
    super(message, { code, closeCode: 1008 });
  }
}

/** The peer's message is larger than `maxMessageSize`. The connection is closed with code 1009. */
export class MessageTooBigError extends WebSocketError {
  /** The name of the class. */
  override readonly name = "MessageTooBigError";

  /** Creates an error with close code 1009. */
  constructor(message: string, code = "ERR_MESSAGE_TOO_BIG") {
    super(message, { code, closeCode: 1009 });
  }
}

/**
 * Returns the close code to send for any error: that of a {@linkcode WebSocketError}, otherwise 1011
 * (RFC 6455 §7.4.1: "an unexpected condition that prevented it from fulfilling the request").
 */
export function closeCodeOf(error: unknown): number {
  return error instanceof WebSocketError ? error.closeCode ?? 1011 : 1011;
}
