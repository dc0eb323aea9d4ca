import type { WebSocketConnection } from "../connection/connection.ts";
import { broadcast } from "../connection/broadcast.ts";
import { WebSocketServer } from "../server/server.ts";
import type { ServeOptions } from "../server/serve_options.ts";
import type { Arguments, CommandSpec } from "./arguments.ts";
import { UsageError } from "./arguments.ts";
import { closeText } from "./close_text.ts";
import { readPem } from "./connect_options.ts";
import { ExitCode } from "./exit_code.ts";
import { FORMAT_OPTIONS, MessageFormat } from "./message_format.ts";
import type { Terminal } from "./terminal.ts";

/** The command `listen`. */
export const listenSpec: CommandSpec = {
  name: "listen",
  operands: ["[[HOST:]PORT]"],
  summary:
    "Accepts WebSockets, writes their messages, and sends each line of input to all of them.",
  details:
    `The address is 127.0.0.1:8080 by default. With --jsonl, each line is an object, as of connect, with
"from", the number of the connection.`,
  options: [
    ...FORMAT_OPTIONS,
    { name: "echo", short: "e", help: "send each message back" },
    { name: "quiet", short: "q", help: "do not write the messages" },
    { name: "once", help: "accept one connection, and end with it" },
    {
      name: "protocol",
      short: "p",
      value: "NAMES",
      isList: true,
      help: "support subprotocols, separated by commas",
    },
    { name: "compress", short: "z", help: "accept compression (permessage-deflate)" },
    {
      name: "origin",
      value: "ORIGIN",
      isList: true,
      help: "allow pages of another origin; * for all of them",
    },
    { name: "cert", value: "FILE", help: "use TLS with this certificate, in PEM" },
    { name: "key", value: "FILE", help: "the key of the certificate, in PEM" },
  ],
};

/** Runs `listen`; resolves to the exit code. */
export async function listenCommand(args: Arguments, terminal: Terminal): Promise<number> {
  const format = new MessageFormat(args, terminal);
  const numbers = new WeakMap<WebSocketConnection<unknown>, number>();
  let count = 0;
  const note = async (socket: WebSocketConnection<unknown>, text: string) => {
    const number = terminal.paint("cyan", `#${numbers.get(socket)}`);
    if (!format.isJson) await terminal.note(`${number} ${terminal.show(text)}`);
  };
  const handle = async (socket: WebSocketConnection<unknown>) => {
    const number = ++count;
    numbers.set(socket, number);
    const { pathname, search } = new URL(socket.request.url);
    await note(socket, `opened: ${pathname}${search}`);
    await format.json({ from: number, open: pathname + search, protocol: socket.protocol });
    for await (const message of socket) {
      if (!args.has("quiet")) {
        await format.print(message, terminal.paint("cyan", `#${number} `), { from: number });
      }
      if (args.has("echo")) await socket.send(message);
    }
    const info = await socket.closed;
    const { closeCode, reason, wasClean } = info;
    await note(socket, `closed: ${closeText(info)}`);
    await format.json({ from: number, close: closeCode, reason, wasClean });
    if (args.has("once")) server.shutdown();
  };
  const server = startServer({
    ...addressOf(args.operands[0] ?? "8080"),
    ...serveOptions(args),
    onError: (error, socket) => {
      const { message } = error as Error;
      if (socket !== undefined) note(socket, message);
      else terminal.note(terminal.paint("red", terminal.show(message)));
    },
  }, handle);
  terminal.onInterrupt = () => void server.shutdown();
  await terminal.note(`Listening at ${terminal.paint("bold", server.url)}`);
  sendLines(server, format, terminal);
  await server.finished;
  terminal.close();
  return ExitCode.Clean;
}

/** Starts a server; a failure to listen is one of the command, and not of its usage. */
export function startServer<Data>(
  options: ServeOptions<Data>,
  handle: (socket: WebSocketConnection<Data>) => Promise<void>,
): WebSocketServer<Data> {
  try {
    return new WebSocketServer(options, handle);
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}

/**
 * Returns the address of an operand: `8080`, `0.0.0.0:8080` or `[::1]:8080`.
 *
 * @throws {UsageError} If it is malformed.
 */
export function addressOf(text: string): { hostname: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:(?:\[([^\]]+)\]|([^:]*)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) {
    throw new UsageError(`expected [HOST:]PORT, got "${text}"`);
  }
  return { hostname: bracketed ?? (plain || "127.0.0.1"), port };
}

function serveOptions(args: Arguments): ServeOptions {
  const origins = args.all("origin");
  const cert = args.text("cert");
  const key = args.text("key");
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("--cert and --key belong together");
  }
  return {
    protocols: args.all("protocol").flatMap((names) => names.split(",")),
    compression: args.has("compress"),
    origins: origins.includes("*") ? "*" : origins,
    ...(cert !== undefined && { tls: { cert: readPem(cert), key: readPem(key!) } }),
  };
}

/** Sends each line of the input to all connections. The end of the input ends nothing. */
async function sendLines(
  server: WebSocketServer,
  format: MessageFormat,
  terminal: Terminal,
): Promise<void> {
  try {
    for await (const line of terminal.lines()) {
      try {
        const action = format.parse(line);
        if (action.type === "message") broadcast(server.connections, action.data);
        else if (action.type === "ping") { for (const socket of server.connections) socket.ping(); }
        else for (const socket of server.connections) socket.close(action.code, action.reason);
      } catch (error) {
        await terminal.note(terminal.paint("red", terminal.show((error as Error).message)));
      }
    }
  } catch (error) {
    await terminal.note(terminal.paint("red", `Input: ${(error as Error).message}`));
  }
  if (terminal.isInteractive) server.shutdown(); // Ctrl-D
}
