// The end of TLS connections, with and without a closure alert (close_notify).
// RFC 9112 §9.8: "it is necessary to examine the HTTP data itself to determine whether messages are complete".
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "../../mod.ts";
import type {
  HandshakeError,
  ServeOptions,
  WebSocketConnection,
  WebSocketError,
} from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  canRun,
  deadline,
  delay,
  hex,
  onTestEnd,
  runtime,
  spawn,
  testIf,
} from "../harness.ts";
import type { Child } from "../harness.ts";
import { rawFrame } from "../support/frames.ts";
import { upgradeRequest } from "../support/http.ts";
import { echo } from "../support/server.ts";
import { join as concat, latin1, toHex } from "../support/bytes.ts";
import { ca, good, servingTls, trust } from "../support/tls.ts";

const python = canRun("python3");
const script = fileURLToPath(new URL("../support/tls_peer.py", import.meta.url));

/** How the peer ends: it sends a closure alert and a FIN, a FIN alone, or nothing before this end has ended. */
type End = "notify" | "fin" | "none";

/** What the peer has seen: `ending` is `"notify"` if this end has sent a closure alert. */
interface Seen {
  received: string;
  ending: "notify" | "fin" | "reset";
}

async function file(content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  onTestEnd(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "file.pem"), content);
  return join(folder, "file.pem");
}

/** Bytes, or Latin-1, as an argument of the script. */
function digits(data: Uint8Array | string): string {
  return toHex(typeof data === "string" ? latin1(data) : data);
}

function peer(...args: string[]): Child {
  return spawn("python3", [script, ...args]);
}

async function seenBy(child: Child): Promise<Seen> {
  const { code, stdout, stderr } = await deadline(child.exited, 20_000, "the peer's end");
  assertEquals([code, stderr], [0, ""]);
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}

/** Sends bytes to a server. Resolves when the server has ended the connection. */
async function client(port: number, bytes: Uint8Array | string, end: End): Promise<Seen> {
  return seenBy(peer("client", String(port), await file(ca.cert), digits(bytes), end));
}

/** Sends a response to a client, whose URL `use` gets; the key's answer replaces `{accept}`. */
async function server<Result>(
  response: Uint8Array | string,
  end: End,
  use: (url: string) => Promise<Result>,
): Promise<{ result: Result; seen: Seen }> {
  const child = peer("server", await file(good.cert), await file(good.key), digits(response), end);
  const [, port] = await child.waitForLine(/^(\d+)$/);
  const result = await deadline(use(`wss://localhost:${port}/`), 10_000, "the client's end");
  return { result, seen: await seenBy(child) };
}

const POST = "POST / HTTP/1.1\r\nHost: localhost\r\n";
/** A body of two parts, up to the first empty line. */
const chunked = "4\r\npart\r\n4\r\npart\r\n0";
const ends: End[] = ["notify", "fin"];

/** Starts a server that reads bodies. `bodies` are those that were whole, and the errors of the others. */
function reading(options: ServeOptions = {}) {
  const bodies: string[] = [];
  const { port } = servingTls(echo, good, {
    async fetch(request) {
      const body = await request.text().catch((error) => String(error.code));
      bodies.push(body);
      return new Response("read");
    },
    onError() {},
    ...options,
  });
  return { port, bodies };
}

for (const end of ["none", ...ends] as const) {
  const how = { none: "waits", notify: "ends with an alert", fin: "ends without an alert" }[end];
  testIf(
    python,
    `RFC 9112 §9.8: a server "MUST attempt to initiate an exchange of closure alerts": the client ${how}`,
    async () => {
      const { port, bodies } = reading({ limits: { keepAliveTimeout: 100 } });
      for (const fields of ["Connection: close\r\n", ""]) {
        const request = `${POST}${fields}Content-Length: 5\r\n\r\nhello`;
        const { received, ending } = await client(port, request, end);
        assert(received.endsWith("\r\n\r\nread"), received);
        assertEquals(ending, "notify");
      }
      assertEquals(bodies, ["hello", "hello"]);
    },
  );
}

for (const end of ends) {
  const alert = `${end === "fin" ? "without" : "with"} a closure alert`;
  testIf(
    python,
    `RFC 9112 §8: a request is incomplete that a TLS end ${alert} cuts off`,
    async () => {
      const { port, bodies } = reading();
      for (
        const rest of [
          "Content-Length: 6\r\n\r\nhello",
          "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
          "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        ]
      ) {
        const { received, ending } = await client(port, POST + rest, end);
        assertEquals([received.slice(0, 12), ending], ["HTTP/1.1 400", "notify"], rest);
        assertEquals(bodies.splice(0), ["ERR_HTTP_BODY_INCOMPLETE"], rest);
      }
      // Not even the head is complete: there is no request.
      const { received } = await client(port, POST, end);
      assertEquals([received, bodies], ["", []]);
    },
  );

  testIf(
    python,
    `a WebSocket that ends ${alert} needs a Close frame to be clean`,
    async () => {
      let next: (socket: WebSocketConnection) => void;
      const { port } = servingTls(async (socket) => {
        next(socket);
        for await (const _ of socket);
      });
      const upgrade = latin1(upgradeRequest({ Host: "localhost" }));
      const close = rawFrame({ first: 0x88, payload: hex("03 e8") }, "server");
      for (const frames of [hex(""), close]) {
        const opened = new Promise<WebSocketConnection>((resolve) => next = resolve);
        const seen = client(port, concat(upgrade, frames), end);
        const { closeCode, wasClean } = await (await opened).closed;
        const isClosed = frames === close;
        assertEquals([closeCode, wasClean], isClosed ? [1000, true] : [1006, false]);
        assertEquals((await seen).ending, "notify");
      }
    },
  );

  testIf(
    python,
    `connect needs a Close frame, and sends a closure alert, if the server ends TLS ${alert}`,
    async () => {
      const head =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Accept: {accept}\r\n\r\n";
      const outcomes: Record<string, unknown[]> = {
        "81 02 68 69": [["hi"], 1006, false],
        "81 05 68 69": [[], 1006, false],
        "88 02 03 e8": [[], 1000, true],
      };
      for (const [frames, outcome] of Object.entries(outcomes)) {
        const { result, seen } = await server(
          concat(latin1(head), hex(frames)),
          end,
          async (url) => {
            const socket = await connect(url, trust);
            const messages = await Array.fromAsync(socket);
            return { messages, info: await socket.closed };
          },
        );
        const { messages, info } = result;
        assertEquals([messages, info.closeCode, info.wasClean], outcome, frames);
        assertEquals(seen.ending, "notify");
      }
    },
  );

  testIf(
    python,
    `a refusal that ends ${alert} has the bytes that came`,
    async () => {
      for (const field of ["", "Content-Length: 20\r\n"]) {
        const response = `HTTP/1.1 403 Forbidden\r\n${field}\r\nfirst half`;
        const { result, seen } = await server(
          response,
          end,
          (url) => assertRejects(() => connect(url, trust)),
        );
        const { status, body } = result as HandshakeError;
        assertEquals([status, new TextDecoder().decode(body)], [403, "first half"]);
        assertEquals(seen.ending, "notify");
      }
      // Within the head there is no answer.
      const { result } = await server(
        "HTTP/1.1 403 Forbidden\r\n",
        end,
        (url) => assertRejects(() => connect(url, trust)),
      );
      assertEquals((result as WebSocketError).code, "ERR_HANDSHAKE_LEFT");
    },
  );
}

for (const version of ["1.0", "1.1"]) {
  testIf(
    python,
    `a response of HTTP/${version} ends with a closure alert if it is whole, and if Deno must end it`,
    async () => {
      let isFailing = false;
      const { port } = servingTls(echo, good, {
        fetch() {
          let count = 0;
          const body = new ReadableStream({
            async pull(controller) {
              await delay(10);
              if (count++ < 2) controller.enqueue(latin1("part"));
              else if (isFailing) controller.error(new Error("the source has failed"));
              else controller.close();
            },
          });
          return new Response(body);
        },
        onError() {},
      });
      const request = `GET / HTTP/${version}\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
      const isChunked = version === "1.1";
      const whole = await client(port, request, "none");
      assertEquals(whole.received.split("\r\n\r\n")[1], isChunked ? chunked : "partpart");
      assertEquals(whole.ending, "notify");

      isFailing = true;
      const cut = await client(port, request, "none");
      // The last chunk is missing. Without chunks only the end can show that the response is not whole:
      // Bun resets the connection, and Deno can't.
      const expected = isChunked ? chunked.slice(0, -1) : "partpart";
      const body = cut.received.split("\r\n\r\n")[1] ?? "";
      // A reset may overtake the data.
      assert(runtime === "bun" ? expected.startsWith(body) : body === expected, cut.received);
      assertEquals(cut.ending, runtime === "bun" ? "reset" : "notify");
    },
  );
}

/** The parts of `Deno` and `Bun` that show how a TLS connection ends. */
interface Runtimes {
  Deno?: {
    connectTls(options: object): Promise<{
      read(buffer: Uint8Array): Promise<number | null>;
      close(): void;
    }>;
  };
  Bun?: { connect(options: object): Promise<{ end(): void }> };
}

/** Reads to the end of a TLS connection with the runtime's own API. Returns what it reports last. */
async function nativeEnd(port: number): Promise<string> {
  const { Deno, Bun } = globalThis as unknown as Runtimes;
  if (Deno !== undefined) {
    const connection = await Deno.connectTls({ hostname: "localhost", port, caCerts: [ca.cert] });
    try {
      while (true) {
        const count = await connection.read(new Uint8Array(1024));
        if (count === null) return "null";
      }
    } catch (error) {
      return (error as Error).name;
    } finally {
      connection.close();
    }
  }
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const events: string[] = [];
  const socket = await Bun!.connect({
    hostname: "localhost",
    port,
    tls: { ca: ca.cert },
    socket: {
      handshake() {},
      data() {},
      end() {
        events.push("end");
        socket.end();
      },
      error: (_socket: unknown, error: Error) => reject(error),
      close: (_socket: unknown, error?: Error) => {
        resolve([...events, "close", ...(error === undefined ? [] : [String(error)])].join());
      },
    },
  });
  return promise;
}

testIf(
  python,
  "Deno reports a TLS end without a closure alert as an error, and Bun does not",
  async () => {
    const reports: Record<string, string> = {};
    for (const end of ends) {
      const args = [await file(good.cert), await file(good.key), digits("data"), end];
      const child = peer("speaker", ...args);
      const [, port] = await child.waitForLine(/^(\d+)$/);
      reports[end] = await deadline(nativeEnd(Number(port)), 10_000, "the end");
      await child.exited;
    }
    const expected = runtime === "deno"
      ? { notify: "null", fin: "UnexpectedEof" }
      : { notify: "end,close", fin: "end,close" };
    assertEquals(reports, expected as Record<string, string>);
  },
);
