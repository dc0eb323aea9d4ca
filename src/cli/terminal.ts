import process from "node:process";
import { createInterface } from "node:readline";
import type { Interface } from "node:readline";
import { AsyncQueue } from "../util/async_queue.ts";

/** The longest line of input, in bytes. */
const MAX_LINE = 16 * 1024 * 1024;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 };

/** A style of text on a terminal. */
export type Style = keyof typeof STYLES;

/**
 * The standard streams of the process. If input and output are a terminal, the input is a line editor with
 * a history, and output is written above it; otherwise both are plain.
 */
export class Terminal {
  /** Whether lines are edited: input and output are a terminal. */
  readonly isInteractive: boolean = process.stdin.isTTY === true && process.stdout.isTTY === true;
  /** Whether the output is a terminal. */
  readonly isTerminal: boolean = process.stdout.isTTY === true;
  /** Called when the user interrupts: Ctrl-C, or a signal. */
  onInterrupt: (() => void) | undefined;
  readonly #hasColors: boolean;
  #editor: Interface | undefined;
  #isBroken = false;

  constructor() {
    // https://no-color.org: "when present and not an empty string".
    const { NO_COLOR = "", TERM } = process.env;
    this.#hasColors = this.isTerminal && NO_COLOR === "" && TERM !== "dumb";
    // The reader of a pipe may end first, as in `| head`.
    process.stdout.on("error", () => this.#broken());
    process.stderr.on("error", () => {});
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => this.#interrupt());
    }
  }

  /** Whether nothing reads the output any more. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Returns text in a style, if the output is a terminal with colours. */
  paint(style: Style, text: string): string {
    return this.#hasColors ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
  }

  /**
   * Returns text of a peer for a line of output: on a terminal, control characters are made visible, so
   * that a peer can't control the terminal.
   */
  show(text: string): string {
    if (!this.isTerminal) return text;
    // deno-lint-ignore no-control-regex
    return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (char) => {
      const code = char.charCodeAt(0);
      return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "\u2421" : "\ufffd";
    });
  }

  /** Writes a line of output. */
  print(line: string): Promise<void> {
    return this.write(`${line}\n`);
  }

  /** Writes output. Resolves when it has been passed on. */
  write(data: string | Uint8Array): Promise<void> {
    if (this.#isBroken) return Promise.resolve();
    return this.#aboveEditor(() =>
      new Promise((resolve) => process.stdout.write(data, () => resolve()))
    );
  }

  /** Writes a line about what happens: to the error output, so that a pipe has the messages alone. */
  note(line: string): Promise<void> {
    return this.#aboveEditor(() =>
      new Promise((resolve) => process.stderr.write(`${line}\n`, () => resolve()))
    );
  }

  /**
   * Reads the lines of input. From a pipe they are bytes as they are; from a line editor, UTF-8.
   *
   * @throws {RangeError} If a line has more than 16 MiB.
   */
  lines(): AsyncIterableIterator<Uint8Array> {
    return this.isInteractive ? this.#editLines() : readLines(process.stdin);
  }

  /** Ends the line editor. */
  close(): void {
    this.#editor?.close();
  }

  async *#editLines(): AsyncGenerator<Uint8Array> {
    const queue = new AsyncQueue<string>();
    const editor = createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: true,
      prompt: this.paint("green", "> "),
      historySize: 1000,
    });
    this.#editor = editor;
    editor.on("line", (line) => {
      queue.push(line);
      editor.prompt();
    });
    editor.on("SIGINT", () => this.#interrupt());
    editor.on("close", () => {
      this.#editor = undefined;
      queue.end();
    });
    editor.prompt();
    for await (const line of queue) yield new TextEncoder().encode(line);
  }

  /** Writes above the line that is being edited, which is then drawn again. */
  #aboveEditor(write: () => Promise<void>): Promise<void> {
    const editor = this.#editor;
    if (editor === undefined) return write();
    const { rows } = editor.getCursorPos();
    process.stdout.write(`\r${rows > 0 ? `\x1b[${rows}A` : ""}\x1b[J`);
    const written = write();
    editor.prompt(true);
    return written;
  }

  #interrupt(): void {
    if (this.onInterrupt === undefined) process.exit(130);
    const onInterrupt = this.onInterrupt;
    this.onInterrupt = undefined; // The second time ends the process.
    onInterrupt();
  }

  #broken(): void {
    this.#isBroken = true;
    this.#interrupt();
  }
}

/** Splits a stream of bytes into lines, without their ends. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array | string>,
): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let size = 0;
  const take = (end: Uint8Array): Uint8Array => {
    const line = concat([...parts, end]);
    parts = [];
    size = 0;
    return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
  };
  for await (const chunk of chunks) {
    let bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
    for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED)) {
      yield take(bytes.subarray(0, at));
      bytes = bytes.subarray(at + 1);
    }
    if (bytes.length > 0) parts.push(bytes);
    size += bytes.length;
    if (size > MAX_LINE) throw new RangeError(`a line of input has more than ${MAX_LINE} bytes`);
  }
  if (parts.length > 0) yield take(new Uint8Array(0));
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
