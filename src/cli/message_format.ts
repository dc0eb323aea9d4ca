import { Buffer } from "node:buffer";
import { CloseCode } from "../protocol/close_code.ts";
import type { Message } from "../protocol/message.ts";
import type { Arguments, OptionSpec } from "./arguments.ts";
import { UsageError } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";

/** The options that choose the format of messages. */
export const FORMAT_OPTIONS: readonly OptionSpec[] = [
  {
    name: "binary",
    short: "b",
    help: "send lines as binary messages, and write received ones as they are",
  },
  { name: "hex", short: "x", help: "send lines of hex digits as binary messages" },
  {
    name: "jsonl",
    short: "j",
    help: "read and write lines of JSON, as above",
  },
];

/** The description of `--jsonl`, for the help. */
export const JSONL_HELP = `With --jsonl, each line is an object. Input:
  {"text": "hello"}  {"binary": "<base64>"}  {"ping": true}  {"close": 4000, "reason": "why"}
Output, in addition:
  {"open": "<URL>", "protocol": ""}  {"pong": 1.5}  {"close": 1000, "reason": "", "wasClean": true}`;

/** What a line of input asks for. */
export type Action =
  | { type: "message"; data: Message }
  | { type: "ping" }
  | { type: "close"; code: number | undefined; reason: string };

/** Converts lines of input into messages, and messages into output. */
export class MessageFormat {
  readonly #terminal: Terminal;
  readonly #kind: "text" | "binary" | "hex" | "jsonl";

  /** @throws {UsageError} If more than one format is given. */
  constructor(args: Arguments, terminal: Terminal) {
    const kinds = (["binary", "hex", "jsonl"] as const).filter((name) => args.has(name));
    if (kinds.length > 1) throw new UsageError(`--${kinds.join(" and --")} exclude each other`);
    this.#kind = kinds[0] ?? "text";
    this.#terminal = terminal;
  }

  /** Whether output is JSON. */
  get isJson(): boolean {
    return this.#kind === "jsonl";
  }

  /**
   * Returns what a line of input asks for.
   *
   * @throws {SyntaxError} If the line is malformed.
   */
  parse(line: Uint8Array): Action {
    if (this.#kind === "binary") return { type: "message", data: new Uint8Array(line) };
    const text = decodeUtf8(line);
    if (this.#kind === "jsonl") return parseJson(text);
    if (this.#kind === "hex") return { type: "message", data: parseHex(text) };
    // Commands are for people: a script may send any text.
    if (this.#terminal.isInteractive && text.startsWith("/")) return parseCommand(text);
    return { type: "message", data: text };
  }

  /**
   * Writes a received message.
   *
   * @param prefix What is written before it, unless the output is JSON.
   * @param fields Further members of the object, if the output is JSON.
   */
  async print(
    message: Message,
    prefix = "",
    fields: Record<string, unknown> = {},
  ): Promise<void> {
    const terminal = this.#terminal;
    if (this.#kind === "jsonl") {
      const content = typeof message === "string"
        ? { text: message }
        : { binary: Buffer.from(message).toString("base64") };
      await this.json({ ...fields, ...content });
    } else if (typeof message === "string") {
      await terminal.print(prefix + terminal.show(message));
    } else if (this.#kind === "binary" && !terminal.isTerminal) {
      await terminal.write(message);
    } else {
      const hex = Buffer.from(message).toString("hex");
      const isPlain = this.#kind === "hex" && !terminal.isTerminal;
      const size = isPlain ? "" : terminal.paint("dim", ` (${message.length} bytes)`);
      await terminal.print(prefix + terminal.paint("magenta", hex) + size);
    }
  }

  /** Writes an object as a line, with `--jsonl`. */
  json(value: Record<string, unknown>): Promise<void> {
    return this.isJson ? this.#terminal.print(JSON.stringify(value)) : Promise.resolve();
  }
}

function decodeUtf8(line: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line);
  } catch {
    throw new SyntaxError("it is not UTF-8: use --binary");
  }
}

function parseHex(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replace(/[\s:]/g, "").replace(/^0x/i, "");
  if (digits.length % 2 !== 0 || /[^\da-f]/i.test(digits)) {
    throw new SyntaxError(`expected pairs of hex digits, got "${text}"`);
  }
  return new Uint8Array(Buffer.from(digits, "hex"));
}

function parseCommand(text: string): Action {
  const [, command, code, reason = ""] = /^\/(\/|\w*)\s*(\d+)?\s*(.*)$/.exec(text) ?? [];
  if (command === "/") return { type: "message", data: text.slice(1) };
  if (command === "ping") return { type: "ping" };
  if (command === "close") {
    return {
      type: "close",
      code: code === undefined ? CloseCode.NormalClosure : Number(code),
      reason,
    };
  }
  throw new SyntaxError(
    "expected /ping, /close [CODE [REASON]], or // for a message that begins with /",
  );
}

function parseJson(text: string): Action {
  const value: unknown = JSON.parse(text);
  if (typeof value === "object" && value !== null) {
    const { text, binary, ping, close, reason = "" } = value as Record<string, unknown>;
    if (typeof text === "string") return { type: "message", data: text };
    if (typeof binary === "string") {
      return { type: "message", data: new Uint8Array(Buffer.from(binary, "base64")) };
    }
    if (ping === true) return { type: "ping" };
    const isCode = typeof close === "number" || close === null;
    if (isCode && typeof reason === "string") {
      return { type: "close", code: close ?? undefined, reason };
    }
  }
  throw new SyntaxError('expected an object with "text", "binary", "ping" or "close"');
}
