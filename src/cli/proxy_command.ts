import { connect } from "../client/connect.ts";
import type { CloseInfo } from "../connection/close_info.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { InspectedFrame } from "../connection/frame_inspector.ts";
import { relay } from "../connection/relay.ts";
import { HandshakeError } from "../http/errors.ts";
import { addressOf, startServer } from "./listen_command.ts";
import type { Arguments, CommandSpec } from "./arguments.ts";
import { closeText } from "./close_text.ts";
import { CONNECT_OPTIONS, connectOptions, urlOperand } from "./connect_options.ts";
import { ExitCode } from "./exit_code.ts";
import { frameHeading, frameJson, frameLine, timeOf } from "./frame_text.ts";
import type { FrameOrigin } from "./frame_text.ts";
import type { Terminal } from "./terminal.ts";

/** The command `proxy`. */
export const proxySpec: CommandSpec = {
  name: "proxy",
  operands: ["[HOST:]PORT", "URL"],
  summary: "Accepts WebSockets, connects each to a server, and writes a line for each frame.",
  details:
    `A line has the time, the number of the connection, the direction, the opcode, FIN and RSV1, the
length of the payload and that of the whole frame; for a Close frame its code and reason. Messages are
passed on whole, so the server may receive other fragments than the client has sent.

If URL has no path, that of the client's request is used. Cookies, the Origin and other header fields
of the client are passed on, and so are its subprotocols and its offer of compression.`,
  options: [
    { name: "all", short: "a", help: "write the frames that the proxy sends, too" },
    { name: "jsonl", short: "j", help: "write lines of JSON" },
    { name: "once", help: "accept one connection, and end with it" },
    ...CONNECT_OPTIONS.filter(({ name }) => ["header", "ca", "proxy", "timeout"].includes(name)),
  ],
};

/** The fields of a request that belong to the connection of the client to the proxy. */
const OWN_FIELDS =
  /^(?:host|connection|upgrade|origin|content-length|transfer-encoding|te|trailer)$/;

interface Legs {
  readonly number: number;
  readonly back: WebSocketConnection;
}

/** Runs `proxy`; resolves to the exit code. */
export async function proxyCommand(args: Arguments, terminal: Terminal): Promise<number> {
  const target = new URL(urlOperand(args.operands[1]!));
  const options = connectOptions(args);
  const view = new View(args, terminal);
  let count = 0;
  const server = startServer<Legs>({
    ...addressOf(args.operands[0]!),
    compression: true,
    origins: "*", // The server gets the Origin, and decides.
    inspect: (frame, { data }) => view.frame(data.number, "client", frame),
    async upgrade(request, { protocols }) {
      const number = ++count;
      const url = urlFor(target, request.url);
      await view.note(number, `opening: ${url}`);
      const { headers } = request;
      const origin = headers.get("origin");
      try {
        const back = await connect(url, {
          ...options,
          headers: [...passedOn(headers), ...options.headers as [string, string][]],
          protocols,
          compression:
            headers.get("sec-websocket-extensions")?.includes("permessage-deflate") === true,
          signal: request.signal,
          inspect: (frame) => view.frame(number, "server", frame),
          ...(origin !== null && { origin }),
        });
        request.signal.addEventListener("abort", () => back.abort());
        const protocol = back.protocol === "" ? undefined : back.protocol;
        return { data: { number, back }, protocol };
      } catch (error) {
        await view.note(number, `not opened: ${(error as Error).message}`);
        const status = error instanceof HandshakeError && error.status >= 400 ? error.status : 502;
        return new Response("The server behind the proxy has not opened a WebSocket\n", { status });
      }
    },
    onError: (error, socket) => view.note(socket?.data.number, (error as Error).message),
  }, async (client) => {
    const { number, back } = client.data;
    const [front, behind] = await relay(client, back);
    await view.closed(number, front, behind);
    if (args.has("once")) server.shutdown();
  });
  terminal.onInterrupt = () => void server.shutdown();
  await terminal.note(
    `Proxy at ${terminal.paint("bold", server.url)} for ${terminal.paint("bold", target.href)}`,
  );
  view.heading();
  await server.finished;
  return ExitCode.Clean;
}

/** Returns the URL for a request: the target, with the path of the request if the target has none. */
function urlFor(target: URL, requested: string): string {
  const url = new URL(target);
  if (url.pathname === "/" && url.search === "") {
    const { pathname, search } = new URL(requested);
    url.pathname = pathname;
    url.search = search;
  }
  return url.href;
}

function passedOn(headers: Headers): [string, string][] {
  return [...headers].filter(([name]) =>
    !OWN_FIELDS.test(name) && !name.startsWith("sec-websocket-")
  );
}

/** The output of `proxy`. */
class View {
  readonly #terminal: Terminal;
  readonly #isJson: boolean;
  readonly #showsAll: boolean;

  constructor(args: Arguments, terminal: Terminal) {
    this.#terminal = terminal;
    this.#isJson = args.has("jsonl");
    this.#showsAll = args.has("all");
  }

  /** Writes the heading, on a terminal. */
  heading(): void {
    if (this.#terminal.isTerminal && !this.#isJson) {
      this.#terminal.print(frameHeading(this.#terminal));
    }
  }

  /** Writes a frame on the connection of the proxy to one end. */
  frame(number: number, end: "client" | "server", frame: InspectedFrame): void {
    const isReceived = frame.direction === "received";
    if (!isReceived && !this.#showsAll) return;
    const origin: FrameOrigin = isReceived ? end : `proxy to ${end}`;
    this.#terminal.print(
      this.#isJson
        ? JSON.stringify(frameJson(number, origin, frame))
        : frameLine(this.#terminal, number, origin, frame),
    );
  }

  /** Writes how both connections have ended. */
  async closed(number: number, front: CloseInfo, back: CloseInfo): Promise<void> {
    if (this.#isJson) {
      const facts = ({ closeCode, reason, wasClean }: CloseInfo) => ({
        closeCode,
        reason,
        wasClean,
      });
      const closed = { client: facts(front), server: facts(back) };
      await this.#terminal.print(JSON.stringify({ connection: number, closed }));
    } else {
      await this.note(number, `closed: client ${closeText(front)}; server ${closeText(back)}`);
    }
  }

  /** Writes an event that is not a frame. */
  async note(number: number | undefined, text: string): Promise<void> {
    const time = this.#terminal.paint("dim", timeOf(Date.now()));
    const connection = `${number ?? ""}`.padStart(3);
    await this.#terminal.note(`${time}  ${connection}  ${this.#terminal.show(text)}`);
  }
}
