/** Helpers of the interop tests: the server, the reports expected of its clients, and the clients. */

import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type {
  CloseInfo,
  ServeOptions,
  SocketFunction,
  SocketHandler,
  TcpAddr,
  WebSocketConnection,
  WebSocketError,
} from "../../../mod.ts";
import { assertEquals, canRun, deadline, eventually, run, runtime } from "../../harness.ts";
import { serving } from "../../support/server.ts";
import { streamOf } from "../../support/streams.ts";

/** How long a client may take for all of its exchanges, in milliseconds. */
const PATIENCE = 50_000;
const SIZES = [0, 1, 125, 126, 65535, 65536, 1024 * 1024];

/** The three ways to read a connection. */
export type Drive = "callbacks" | "for await" | "pipeTo";

/** The report of a client: the result of each exchange. */
export type Report = Record<string, unknown>;

/** The data that `upgrade()` attaches: the path, and the request's header fields. */
interface Data {
  path: string;
  headers: Record<string, string>;
}

type Socket = WebSocketConnection<Data>;

/** A handler that does what the path requests, and then echoes. */
function makeHandler(
  drive: Drive,
  greet: (socket: Socket) => void,
): SocketFunction<Data> | SocketHandler<Data> {
  switch (drive) {
    case "callbacks":
      return { open: greet, message: (socket, message) => socket.send(message) };
    case "for await":
      return async (socket) => {
        greet(socket);
        for await (const message of socket) await socket.send(message);
      };
    case "pipeTo":
      return (socket) => {
        greet(socket);
        return socket.readable.pipeTo(socket.writable);
      };
  }
}

/** A server for clients, and the results of their connections. */
export interface InteropServer {
  url: string;
  /** How each connection ended. */
  closes: CloseInfo[];
  /** The `extensions` of each connection. */
  extensions: string[];
}

/** Starts a server; it ends with the test. */
export function interopServer(drive: Drive, options: ServeOptions<Data> = {}): InteropServer {
  const closes: CloseInfo[] = [];
  const extensions: string[] = [];
  const greet = (socket: Socket): void => {
    const { path, headers } = socket.data;
    extensions.push(socket.extensions);
    socket.closed.then((info) => closes.push(info));
    if (path === "/headers") socket.send(JSON.stringify(headers));
    if (path === "/server-close") socket.close(4001, "server says bye");
    if (path === "/server-ping") socket.ping().then(() => socket.send("answered"));
    if (path === "/fragments") socket.send(streamOf(["Hello ", "wör", "ld"]));
  };
  const { server } = serving<Data>(makeHandler(drive, greet), {
    ...options,
    protocols: ["chat.v2", "chat.v1"],
    upgrade(request) {
      const { pathname: path } = new URL(request.url);
      const status = Number(path.match(/^\/refuse\/(\d+)$/)?.[1]);
      if (status > 0) return new Response(`refused with ${status}`, { status });
      return { data: { path, headers: Object.fromEntries(request.headers) } };
    },
  });
  const { port } = server.addr as TcpAddr;
  const url = options.tls === undefined ? `ws://127.0.0.1:${port}` : `wss://localhost:${port}`;
  return { url, closes, extensions };
}

/** Asserts that the server has seen the client's close, and no unclean end except the expected ones. */
export async function assertCloses(closes: readonly CloseInfo[]): Promise<void> {
  const isSeen = () => closes.some(({ closeCode }) => closeCode === 4321);
  await eventually(isSeen, 5000, "the client's close");
  const { reason, wasClean } = closes.find(({ closeCode }) => closeCode === 4321)!;
  assertEquals([reason, wasClean], ["client says bye", true]);
  // They are on other connections.
  const unclean = () => closes.filter(({ wasClean }) => !wasClean);
  await eventually(() => unclean().length > 0, 5000, "an unclean end");
  assertEquals(
    unclean().map(({ error }) => (error as WebSocketError | undefined)?.code),
    ["ERR_MESSAGE_TOO_BIG"],
    "the message over the limit, and no other",
  );
}

/** The report expected of every client of an echo server. */
const ECHOES: Report = {
  ...Object.fromEntries(
    SIZES.flatMap((size) => [[`text of ${size} bytes`, true], [`binary of ${size} bytes`, true]]),
  ),
  "text that is not ASCII": true,
  "pipelined messages in order": 2000,
  // RFC 6455 §5.5.1: the answer "typically echos the status code it received", not the reason.
  "the client's close": { code: 4321, reason: "" },
};

/** The further report expected of clients that can ping and send fragments. */
const PINGS_AND_FRAGMENTS: Report = {
  "the client's ping": "are you there?",
  "text in fragments": "Hello wörld",
  "binary in fragments": [1, 2, 3],
};

/** The report expected of every client of {@linkcode interopServer}. */
const MORE: Report = {
  "extensions in use": "",
  "subprotocol, none offered": "",
  "subprotocol, two offered": "chat.v2",
  "the server's ping": "answered",
  "the server's fragments": "Hello wörld",
  "the server's close": { code: 4001, reason: "server says bye" },
  "a message over the limit": 1009,
  "a handshake refused with 401": "refused",
  "a handshake refused with 403": "refused",
};

/** The further report expected of clients that can set header fields. */
const HEADERS: Report = {
  "a request header": "of the client",
  "the extension offered": "permessage-deflate",
};

/** A client of another library. */
export interface Client {
  /** Its name. */
  name: string;
  /** `true`, or why it cannot run here. */
  condition: true | string;
  /** Runs its exchanges with a server, all of them or the echoes only, and returns its report. */
  run(url: string, only: "echoes" | "all"): Promise<Report>;
  /** Why it cannot compress, if so. */
  declines?: string;
  /** The expected report. */
  expected: Record<"echoes" | "all", Report>;
}

const peer = (file: string) => fileURLToPath(new URL(`./peers/${file}`, import.meta.url));

/** A client in a child process, whose standard output is its report. */
function child(command: string, args: string[]): Client["run"] {
  return async (url, only) => {
    const running = run(command, [...args, url, only]);
    const { code, stdout, stderr } = await deadline(running, PATIENCE, command);
    assertEquals(code, 0, `${stdout}${stderr}`);
    return JSON.parse(stdout);
  };
}

/** Returns the path of a runtime's executable, or its name, to be found in the PATH. */
export function executable(name: "deno" | "bun"): string {
  if (runtime === name) return process.execPath;
  const local = fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url));
  return existsSync(local) ? local : name;
}

const declines = (name: string) =>
  name === "deno" ? { declines: "Deno's WebSocket has no permessage-deflate" } : {};
const other = runtime === "deno" ? "bun" : "deno";
/** Debian's Python, which has Debian's packages. */
export const python = "/usr/bin/python3";
const platform = { echoes: ECHOES, all: { ...ECHOES, ...MORE } };
const full = {
  echoes: { ...ECHOES, ...PINGS_AND_FRAGMENTS },
  all: { ...ECHOES, ...PINGS_AND_FRAGMENTS, ...MORE, ...HEADERS },
};

/** All clients. */
export const CLIENTS: readonly Client[] = [
  {
    name: "the `ws` package on Node",
    condition: canRun("node"),
    run: child("node", [peer("ws_client.mjs")]),
    expected: {
      echoes: full.echoes,
      all: {
        ...full.all,
        "the status and body of 401": [401, "refused with 401"],
        "the status and body of 403": [403, "refused with 403"],
      },
    },
  },
  {
    name: "Python's websockets",
    condition: canRun(python, ["-c", "import websockets"]) === true
      ? true
      : `${python} has no websockets (Debian: python3-websockets)`,
    run: child(python, [peer("python_client.py")]),
    expected: full,
  },
  {
    name: `the WebSocket of ${other}`,
    condition: canRun(executable(other)),
    run: child(executable(other), [
      ...(other === "deno" ? ["run", "-A"] : []),
      peer("platform_client.mjs"),
    ]),
    expected: platform,
    ...declines(other),
  },
  {
    name: `the WebSocket of this very ${runtime}`,
    condition: true,
    async run(url, only) {
      const { exchangeEchoes, exchangeMore } = await import(
        new URL("./peers/exchanges.mjs", import.meta.url).href
      );
      const kit = { WebSocket: globalThis.WebSocket };
      const echoes = await exchangeEchoes(`${url}/echo`, kit);
      return only === "echoes" ? echoes : { ...echoes, ...await exchangeMore(url, kit) };
    },
    expected: platform,
    ...declines(runtime),
  },
];
