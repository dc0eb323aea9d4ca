import { connect } from "../client/connect.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { CloseCode } from "../protocol/close_code.ts";
import type { Arguments, CommandSpec } from "./arguments.ts";
import { CONNECT_OPTIONS, connectOptions, urlOperand } from "./connect_options.ts";
import { ExitCode, exitCodeOf, isRefusal } from "./exit_code.ts";
import type { Terminal } from "./terminal.ts";

/** The command `bench`. */
export const benchSpec: CommandSpec = {
  name: "bench",
  operands: ["URL"],
  summary: "Measures how fast a server echoes: messages a second, and the time until an echo.",
  details:
    `The server must send back each message, in order. The client needs a processor of its own, so the
result is a lower bound for a server on the same machine.`,
  options: [
    { name: "connections", short: "c", value: "NUMBER", help: "the number of connections (16)" },
    { name: "in-flight", short: "i", value: "NUMBER", help: "messages under way on each (1)" },
    { name: "size", short: "s", value: "BYTES", help: "the size of a message (16)" },
    {
      name: "seconds",
      short: "d",
      value: "SECONDS",
      help: "the duration, after a tenth of it (5)",
    },
    { name: "binary", short: "b", help: "send binary messages, not text" },
    { name: "jsonl", short: "j", help: "write the result as JSON" },
    ...CONNECT_OPTIONS,
  ],
};

/** Runs `bench`; resolves to the exit code. */
export async function benchCommand(args: Arguments, terminal: Terminal): Promise<number> {
  const url = urlOperand(args.operands[0]!);
  const count = args.integer("connections", 16);
  const inFlight = args.integer("in-flight", 1);
  const size = args.integer("size", 16, 0);
  const seconds = args.number("seconds", 5, 0.01);
  const message = args.has("binary") ? new Uint8Array(size).fill(1) : "x".repeat(size);
  const options = connectOptions(args);
  const meter = new Meter(size);
  const stopped = Promise.withResolvers<CloseInfo | undefined>();
  terminal.onInterrupt = () => stopped.resolve(undefined);

  const attempts = await Promise.allSettled(
    Array.from({ length: count }, () => connect(url, options, meter.handler(stopped.resolve))),
  );
  const sockets = attempts.flatMap((attempt) =>
    attempt.status === "fulfilled" ? [attempt.value] : []
  );
  try {
    const failed = attempts.find((attempt) => attempt.status === "rejected");
    if (failed !== undefined) {
      const { message } = failed.reason as Error;
      await terminal.note(terminal.paint("red", `Not connected: ${terminal.show(message)}`));
      return isRefusal(failed.reason) ? ExitCode.Refused : ExitCode.Failed;
    }
    for (const socket of sockets) meter.start(socket, message, inFlight);
    const lost = await Promise.race([meter.run(seconds * 1000), stopped.promise]);
    if (meter.mismatch !== undefined) {
      await terminal.note(terminal.paint("red", meter.mismatch));
      return ExitCode.Failed;
    }
    if (lost !== undefined) {
      await terminal.note(terminal.paint("red", `A connection has ended: ${lost.closeCode}`));
      return exitCodeOf(lost) || ExitCode.Abnormal;
    }
    const result = { url, connections: count, inFlight, size, ...meter.result() };
    await terminal.print(args.has("jsonl") ? JSON.stringify(result) : textOf(result));
    return ExitCode.Clean;
  } finally {
    meter.stop();
    await Promise.all(sockets.map((socket) => socket.close(CloseCode.NormalClosure)));
  }
}

/** The result of a benchmark. Times are in milliseconds. */
interface BenchResult {
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

function textOf(
  result: BenchResult & { url: string; connections: number; inFlight: number; size: number },
): string {
  const { url, connections, inFlight, size, messagesPerSecond, bytesPerSecond } = result;
  const number = (value: number, digits = 0) =>
    value.toLocaleString("en", { maximumFractionDigits: digits });
  return `${url}: ${number(connections)} connections x ${number(inFlight)} in flight, ${
    number(size)
  } bytes
messages a second  ${number(messagesPerSecond)}
megabytes a second ${number(bytesPerSecond / 1e6, 1)} in each direction
time until an echo ${number(result.p50, 3)} ms (median), ${number(result.p99, 3)} ms (99 %), ${
    number(result.max, 3)
  } ms (longest)`;
}

/** The most samples of the time until an echo: a part of the messages is measured. */
const MAX_SAMPLES = 1_000_000;

/** Sends messages, and a further one for each echo, and measures. */
class Meter {
  /** What is wrong with an echo. */
  mismatch: string | undefined;
  readonly #size: number;
  readonly #samples: number[] = [];
  readonly #sentAt = new WeakMap<WebSocketConnection<unknown>, number[]>();
  #message: string | Uint8Array = "";
  #count = 0;
  #startedAt = 0;
  #time = 0;
  #isMeasuring = false;
  #isRunning = true;
  #onMismatch: (() => void) | undefined;

  constructor(size: number) {
    this.#size = size;
  }

  /** The callbacks of a connection. */
  handler(onLost: (info: CloseInfo) => void): Parameters<typeof connect>[2] {
    return {
      message: (socket, message) => this.#received(socket, message),
      close: (_socket, info) => {
        if (this.#isRunning) onLost(info);
      },
    };
  }

  /** Sends the first messages of a connection. */
  start(
    socket: WebSocketConnection<unknown>,
    message: string | Uint8Array,
    inFlight: number,
  ): void {
    this.#message = message;
    this.#sentAt.set(socket, []);
    for (let n = 0; n < inFlight; n++) this.#send(socket);
  }

  /** Warms up for a tenth of the time, then measures; resolves early if an echo is wrong. */
  async run(ms: number): Promise<undefined> {
    const mismatch = new Promise<void>((resolve) => this.#onMismatch = resolve);
    const wait = (ms: number) =>
      Promise.race([new Promise<void>((resolve) => setTimeout(resolve, ms)), mismatch]);
    await wait(ms / 10);
    this.#startedAt = performance.now();
    this.#isMeasuring = true;
    await wait(ms);
    this.#isMeasuring = false;
    this.#time = performance.now() - this.#startedAt;
  }

  /** Sends no further message. */
  stop(): void {
    this.#isRunning = false;
  }

  /** Returns the result. */
  result(): BenchResult {
    const samples = this.#samples.sort((a, b) => a - b);
    const at = (part: number) =>
      samples[Math.min(samples.length - 1, Math.floor(samples.length * part))];
    const rate = this.#count / this.#time * 1000;
    const round = (ms = 0) => Math.round(ms * 1000) / 1000;
    return {
      messagesPerSecond: Math.round(rate),
      bytesPerSecond: Math.round(rate * this.#size),
      p50: round(at(0.5)),
      p99: round(at(0.99)),
      max: round(samples.at(-1)),
    };
  }

  #send(socket: WebSocketConnection<unknown>): void {
    this.#sentAt.get(socket)!.push(performance.now());
    socket.send(this.#message);
  }

  #received(socket: WebSocketConnection<unknown>, message: string | Uint8Array): void {
    if (!this.#isRunning) return;
    if (message.length !== this.#message.length || typeof message !== typeof this.#message) {
      this.mismatch ??=
        `The server does not echo: ${message.length} bytes for ${this.#message.length}`;
      return this.#onMismatch?.();
    }
    const sentAt = this.#sentAt.get(socket)?.shift();
    if (this.#isMeasuring && sentAt !== undefined) {
      this.#count++;
      if (this.#samples.length < MAX_SAMPLES) this.#samples.push(performance.now() - sentAt);
    }
    this.#send(socket);
  }
}
