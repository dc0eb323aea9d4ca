import { coreOf } from "../connection/connection.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import { ReadyState } from "../connection/ready_state.ts";
import { checkMessage } from "../connection/sendable.ts";
import type { Sendable } from "../connection/sendable.ts";
import type { HeaderFields } from "../http/header_writer.ts";
import { CloseCode } from "../protocol/close_code.ts";
import type { Message, OutgoingMessage } from "../protocol/message.ts";
import { unrefTimer } from "../transport/event_loop.ts";
import { abortable, withTimeout } from "../util/abort.ts";
import type { ConnectOptions } from "./connect_options.ts";
import { makeConnectPlan } from "./connect_plan.ts";
import { dial } from "./dial.ts";
import { isFinalClose } from "./final_close.ts";
import { resolvePerAttempt } from "./per_attempt.ts";
import type { PerAttempt } from "./per_attempt.ts";
import type { ReconnectOptions } from "./reconnect_options.ts";
import type { ReconnectAttempt, ReconnectDialer, ReconnectTarget } from "./reconnect_target.ts";
import { retryAfterOf } from "./retry_after.ts";

/** Opens the connections of a ReconnectingWebSocket as `connect()` does. */
export class ConnectDialer implements ReconnectDialer<WebSocketConnection> {
  readonly maxBufferedAmount: number;
  readonly goingAway = CloseCode.GoingAway;
  readonly #url: PerAttempt<string | URL>;
  readonly #options: ReconnectOptions;
  /** The latest connection. */
  #connection: WebSocketConnection | undefined;
  /** Whether a connection, and a delay, keep the process alive. */
  #isRef = true;

  /** @throws {unknown} The error of an option that no attempt could use. */
  constructor(url: PerAttempt<string | URL>, options: ReconnectOptions) {
    this.#url = url;
    this.#options = options;
    const { headers = [], protocols = [], firstMessage } = options;
    const { limits } = makeConnectPlan(
      typeof url === "function" ? "ws://localhost" : url,
      connectOptions(
        options,
        typeof headers === "function" ? [] : headers,
        typeof protocols === "function" ? [] : protocols,
      ),
    );
    if (typeof firstMessage !== "function") checkMessage(firstMessage);
    this.maxBufferedAmount = limits.maxBufferedAmount;
  }

  async connect(signal: AbortSignal): Promise<ReconnectAttempt<WebSocketConnection>> {
    const options = this.#options;
    const { headers = [], protocols = [], firstMessage } = options;
    // What the functions return counts as a part of the attempt: one that hangs must not end the retries.
    const { connection, message } = await withTimeout({ ...options, signal }, async (signal) => {
      const resolved = Promise.all([
        resolvePerAttempt(this.#url, "URL"),
        resolvePerAttempt(headers, "headers"),
        resolvePerAttempt(protocols, "protocols"),
        resolvePerAttempt(firstMessage, "first message"),
      ]);
      const [url, fields, offered, message] = await abortable(resolved, signal);
      const plan = makeConnectPlan(url, connectOptions(options, fields, offered));
      checkMessage(message);
      return { connection: await dial(plan, signal), message };
    });
    this.#connection = connection;
    if (!this.#isRef) connection.unref();
    return { target: new ConnectionTarget(connection), firstMessage: message };
  }

  isFinal(info: CloseInfo): boolean {
    return isFinalClose(info);
  }

  retryAfter(error: unknown): number {
    return retryAfterOf(error, Date.now());
  }

  onTimer(id: unknown): void {
    if (!this.#isRef) unrefTimer(id);
  }

  /** Lets the process end while a connection is open, and during the delays that start from now on. */
  unref(): void {
    this.#isRef = false;
    if (this.#connection?.readyState !== ReadyState.Closed) this.#connection?.unref();
  }
}

/** A WebSocketConnection, as a ReconnectingWebSocket uses it. */
class ConnectionTarget implements ReconnectTarget<WebSocketConnection> {
  readonly connection: WebSocketConnection;
  readonly closed: Promise<CloseInfo>;
  readonly closeForOverflow: (() => void) | undefined;

  constructor(connection: WebSocketConnection) {
    this.connection = connection;
    this.closed = connection.closed;
    const isClosing = coreOf(connection).settings.overflow === "close";
    this.closeForOverflow = isClosing ? () => void connection.close(1013) : undefined;
  }

  get isOpen(): boolean {
    return this.connection.readyState === ReadyState.Open;
  }

  get takesMessages(): boolean {
    return this.isOpen && !coreOf(this.connection).hasReceivedClose;
  }

  get bufferedAmount(): number {
    return this.connection.bufferedAmount;
  }

  hasRoomFor(message: OutgoingMessage): boolean {
    const { sender } = coreOf(this.connection);
    return !sender.isFull && sender.hasRoomFor(message);
  }

  send(message: Sendable): Promise<void> {
    return this.connection.send(message);
  }

  async whenWritten(): Promise<void> {
    const { sender } = coreOf(this.connection);
    do {
      sender.flush();
      await sender.whenEmpty();
    } while (sender.bufferedAmount > 0);
  }

  /** Later messages do not wait for the consumer of one, and neither does the answer to the server's Close. */
  messages(): AsyncIterator<Message, undefined> {
    const messages = this.connection[Symbol.asyncIterator]();
    return {
      async next() {
        const result = await messages.next();
        if (!result.done) void messages.return!();
        return result;
      },
    };
  }

  close(code: number | undefined, reason: string | undefined): void {
    void this.connection.close(code, reason);
  }

  abort(): void {
    this.connection.abort();
  }
}

/** Returns the options of one attempt. */
function connectOptions(
  options: ReconnectOptions,
  headers: HeaderFields,
  protocols: string | readonly string[],
): ConnectOptions {
  return { ...options, headers, protocols };
}
