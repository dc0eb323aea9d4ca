import type { ReconnectCloseEvent, ReconnectEvent } from "../client/reconnect_events.ts";
import { ReconnectingWebSocket } from "../client/reconnecting_websocket.ts";
import type { ReconnectOptions } from "../client/reconnect_options.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { CloseCode } from "../protocol/close_code.ts";
import { ReconnectingFeed } from "../topics/reconnecting_feed.ts";
import type { Feed, FeedEvent, FeedSocket } from "../topics/reconnecting_feed.ts";
import { TOPICS_PROTOCOL } from "../topics/topics_protocol.ts";
import { MAX_DELAY } from "../util/max_delay.ts";
import type { Arguments, CommandSpec } from "./arguments.ts";
import { UsageError } from "./arguments.ts";
import { closeText } from "./close_text.ts";
import { CONNECT_OPTIONS, connectOptions, urlOperand } from "./connect_options.ts";
import { ExitCode, exitCodeOf, isRefusal } from "./exit_code.ts";
import { FORMAT_OPTIONS, JSONL_HELP, MessageFormat } from "./message_format.ts";
import type { Action } from "./message_format.ts";
import type { Terminal } from "./terminal.ts";

/** The command `connect`. */
export const connectSpec: CommandSpec = {
  name: "connect",
  operands: ["URL"],
  summary: "Connects to a WebSocket server, sends each line of input, and writes each message.",
  details:
    `At the end of the input, the connection is closed with 1000. On a terminal, lines are edited, and
/ping and /close [CODE [REASON]] are commands; // begins a message with /.

${JSONL_HELP}`,
  options: [
    ...FORMAT_OPTIONS,
    ...CONNECT_OPTIONS,
    {
      name: "topics",
      short: "t",
      value: "NAMES",
      isList: true,
      help: "subscribe to topics of @sluice/websocket/topics, separated by commas",
    },
    { name: "reconnect", short: "r", help: "connect again when the connection is lost" },
    {
      name: "wait",
      short: "w",
      value: "SECONDS",
      help: "keep the connection after the end of the input; Infinity for good (0)",
    },
  ],
};

/** Runs `connect`; resolves to the exit code. */
export async function connectCommand(args: Arguments, terminal: Terminal): Promise<number> {
  const client = new Client(args, terminal);
  const wait = args.number("wait", 0) * 1000;
  terminal.onInterrupt = () => client.close();
  let hasFailed = false;
  const sending = client.sendAll(wait).then((isGood) => hasFailed = !isGood);
  const info = await client.readAll();
  terminal.close();
  // Input that waits for its next line is given up.
  await Promise.race([sending, delay(0)]);
  const code = exitCodeOf(info);
  return code === ExitCode.Clean && hasFailed ? ExitCode.Failed : code;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The connections of `connect`, its input and its output. */
class Client {
  readonly #url: string;
  readonly #socket: ReconnectingWebSocket;
  readonly #feed: Feed | undefined;
  readonly #format: MessageFormat;
  readonly #terminal: Terminal;
  /** Resolves to whether a connection has opened. */
  readonly #opened = Promise.withResolvers<boolean>();

  constructor(args: Arguments, terminal: Terminal) {
    this.#url = urlOperand(args.operands[0]!);
    this.#format = new MessageFormat(args, terminal);
    this.#terminal = terminal;
    const topics = args.all("topics").flatMap((names) => names.split(","));
    const options = connectOptions(args) as ReconnectOptions;
    if (!args.has("reconnect")) options.isFinal = () => true;
    if (topics.length > 0) {
      if (args.has("protocol")) throw new UsageError("--topics and --protocol exclude each other");
      options.protocols = [TOPICS_PROTOCOL];
    }
    try {
      this.#socket = new ReconnectingWebSocket(this.#url, options);
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
    if (topics.length > 0) {
      const socket = this.#socket;
      const observed: FeedSocket = {
        send: (data) => socket.send(data),
        close: (code, reason) => socket.close(code, reason),
        [Symbol.asyncIterator]: () => this.#events(),
        [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose](),
      };
      this.#feed = new ReconnectingFeed(observed, { topics, since: {} }, CloseCode.PolicyViolation);
    }
  }

  /** Closes the connection, or ends the attempts. */
  close(code: number | undefined = CloseCode.NormalClosure, reason?: string): void {
    this.#socket.close(code, reason);
  }

  /** Writes all that is received; resolves when there will be no further connection. */
  async readAll(): Promise<CloseInfo> {
    if (this.#feed !== undefined) {
      for await (const event of this.#feed) await this.#printFeed(event);
    } else {
      for await (const event of this.#events()) {
        if (event.type === "message") await this.#format.print(event.data);
      }
    }
    this.#opened.resolve(false);
    return await this.#socket.closed;
  }

  /** Sends the lines of the input, once a connection is open; resolves to whether all were sent. */
  async sendAll(wait: number): Promise<boolean> {
    if (!await this.#opened.promise) return true;
    let count = 0;
    let isGood = true;
    try {
      for await (const line of this.#terminal.lines()) {
        count++;
        try {
          await this.#act(this.#format.parse(line));
        } catch (error) {
          isGood = this.#terminal.isInteractive; // A typing error is no failure.
          await this.#complain(`Line ${count}: ${(error as Error).message}`);
        }
      }
    } catch (error) {
      isGood = false;
      await this.#complain(`Input: ${(error as Error).message}`);
    }
    // The timers of the runtimes end at 24 days.
    if (wait > 0) await delay(Math.min(wait, MAX_DELAY));
    this.close();
    return isGood;
  }

  async #act(action: Action): Promise<void> {
    if (action.type === "close") return this.close(action.code, action.reason);
    if (action.type === "message") return await (this.#feed ?? this.#socket).send(action.data);
    const ms = await this.#socket.connection?.ping();
    if (ms === undefined) throw new Error("there is no connection");
    if (this.#format.isJson) await this.#format.json({ pong: ms });
    else await this.#terminal.note(`Pong after ${ms.toFixed(2)} ms`);
  }

  /** The events of the socket; those of opening and closing are reported on the way. */
  async *#events(): AsyncGenerator<ReconnectEvent, undefined> {
    for await (const event of this.#socket) {
      if (event.type === "open") await this.#reportOpen(event.connection);
      if (event.type === "close") await this.#reportClose(event);
      yield event;
    }
  }

  async #reportOpen({ protocol, extensions }: WebSocketConnection): Promise<void> {
    const url = this.#url;
    if (this.#format.isJson) await this.#format.json({ open: url, protocol, extensions });
    else {
      const agreed = [protocol, extensions].filter((text) => text !== "").join("; ");
      await this.#terminal.note(
        `${this.#terminal.paint("green", "Connected")} to ${url}${agreed && ` (${agreed})`}`,
      );
    }
    this.#opened.resolve(true);
  }

  async #reportClose({ info, retryIn }: ReconnectCloseEvent): Promise<void> {
    const { closeCode, reason, wasClean, error } = info;
    const message = error === undefined ? undefined : (error as Error).message;
    const retry = retryIn === undefined ? {} : { retryIn };
    if (this.#format.isJson) {
      await this.#format.json({ close: closeCode, reason, wasClean, error: message, ...retry });
      return;
    }
    const what = isRefusal(error)
      ? this.#terminal.paint("red", `Not connected: ${this.#terminal.show(message ?? "")}`)
      : `${this.#terminal.paint(wasClean ? "yellow" : "red", "Closed")}: ${
        this.#terminal.show(closeText(info))
      }${message === undefined ? "" : ` (${this.#terminal.show(message)})`}`;
    const next = retryIn === undefined ? "" : `, next attempt in ${(retryIn / 1000).toFixed(1)} s`;
    await this.#terminal.note(what + next);
  }

  async #printFeed(event: FeedEvent): Promise<void> {
    const terminal = this.#terminal;
    if (event.type === "message") {
      const { topic, data, position } = event;
      const name = terminal.paint("cyan", `${terminal.show(topic)}: `);
      return await this.#format.print(data, name, { topic, position });
    }
    if (event.type === "application") return await this.#format.print(event.data);
    if (event.type === "close") return;
    if (this.#format.isJson) {
      const { type, ...rest } = event;
      return await this.#format.json({ [type]: true, ...rest });
    }
    const topic = terminal.show(event.topic);
    const what = event.type === "subscribed"
      ? `Subscribed to ${topic}${event.recovered ? ", nothing is missing" : ""}`
      : event.type === "gap"
      ? `${event.count ?? "Some"} messages of ${topic} are missing: ${event.why}`
      : `Not subscribed to ${topic}: ${terminal.show(event.reason)}`;
    await terminal.note(terminal.paint(event.type === "subscribed" ? "green" : "red", what));
  }

  #complain(text: string): Promise<void> {
    return this.#terminal.note(this.#terminal.paint("red", this.#terminal.show(text)));
  }
}
