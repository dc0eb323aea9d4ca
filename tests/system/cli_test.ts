// The command line as processes of this runtime, on pipes and on a pseudo-terminal.
import process from "node:process";
import { fileURLToPath } from "node:url";
import { connect } from "../../mod.ts";
import type { WebSocketConnection } from "../../mod.ts";
import { topics, TOPICS_PROTOCOL, topicsHandler } from "../../src/topics/mod.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  canRun,
  deadline,
  run,
  runtime,
  spawn,
  test,
  testIf,
} from "../harness.ts";
import type { Child, Exit } from "../harness.ts";
import { rawServer } from "../support/raw_tcp.ts";
import { echo, serving } from "../support/server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = runtime === "deno"
  ? [process.execPath, "run", "-A", "--no-check", "src/cli/mod.ts"]
  : [process.execPath, "src/cli/mod.ts"];

/** Runs a command line to its end. */
function cli(args: string[], input = ""): Promise<Exit> {
  const ended = run(program[0]!, [...program.slice(1), ...args], { cwd: root, input });
  return deadline(ended, 30_000, `the end of ${args.join(" ")}`);
}

/** Starts a command line that goes on, and waits for its URL. */
async function start(args: string[], input = ""): Promise<{ child: Child; url: string }> {
  const child = spawn(program[0]!, [...program.slice(1), ...args], { cwd: root, input });
  const [, url] = await child.waitForLine(/^(?:Listening|Proxy) at (\S+)/);
  return { child, url: url! };
}

/** The lines of a text. */
const linesOf = (text: string) => text.split("\n").filter((line) => line !== "");
const jsonOf = (text: string) => linesOf(text).map((line) => JSON.parse(line));

test("connect sends the lines of its input, and writes the messages alone to its output", async () => {
  const { url } = serving(async (socket) => {
    for await (const message of socket) await socket.send(`you said ${message}`);
  });
  const { code, stdout, stderr } = await cli(["connect", url], "Héllo\r\n/ping\nlast");
  assertEquals(code, 0);
  assertEquals(stdout, "you said Héllo\nyou said /ping\nyou said last\n");
  assertEquals(stderr, `Connected to ${url}\nClosed: 1000 Normal Closure\n`);
});

test("connect --jsonl reads and writes objects", async () => {
  const { url } = serving(echo, { protocols: ["b"] });
  const input = [
    { text: "a\nb" },
    { binary: "AP8=" },
    { ping: true },
    { close: 4001, reason: "enough" },
  ].map((line) => JSON.stringify(line)).join("\n");
  const { code, stdout, stderr } = await cli(["connect", url, "-j", "-p", "a,b", "-p", "c"], input);
  assertEquals([code, stderr], [0, ""]);
  const [open, ...rest] = jsonOf(stdout);
  assertEquals([open.open, open.protocol], [url, "b"]);
  const pong = rest.find((line) => "pong" in line);
  assert(pong.pong > 0 && pong.pong < 10_000);
  assertEquals(rest.filter((line) => line !== pong), [
    { text: "a\nb" },
    { binary: "AP8=" },
    { close: 4001, reason: "", wasClean: true },
  ]);
});

test("connect --hex and --binary send bytes, and write them", async () => {
  const got: string[] = [];
  const { url } = serving(async (socket) => {
    for await (const message of socket) {
      got.push(typeof message === "string" ? message : message.toString());
      await socket.send(message);
    }
  });
  assertEquals((await cli(["connect", url, "--hex"], "00 ff:10\n0xAb\n")).stdout, "00ff10\nab\n");
  assertEquals((await cli(["connect", url, "--binary"], "é\n")).stdout, "é");
  assertEquals(got, ["0,255,16", "171", "195,169"]);
});

test("connect sends header fields and an Origin", async () => {
  const { url } = serving(async (socket) => {
    const { headers } = socket.request;
    await socket.send(`${headers.get("cookie")} ${headers.get("x-a")} ${headers.get("origin")}`);
  }, { origins: ["https://page.example"] });
  const args = ["-H", "cookie: a=b", "--header=X-A:1: 2", "--origin", "https://page.example"];
  const { code, stdout } = await cli(["connect", url, ...args]);
  assertEquals([code, stdout], [0, "a=b 1: 2 https://page.example\n"]);
});

test("connect exits with 2 if it is refused, 3 if the connection is lost, 4 for a violation", async () => {
  const { port } = await rawServer(async (connection) => {
    await connection.head();
    connection.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  });
  const refused = await cli(["connect", `ws://127.0.0.1:${port}/`]);
  assertEquals(refused.code, 2);
  assertMatch(refused.stderr, /^Not connected: .*404/);
  assertEquals((await cli(["connect", "ws://127.0.0.1:1/"])).code, 2);

  const lost = serving({ message: (socket) => socket.abort() });
  const { code, stderr } = await cli(["connect", lost.url, "-w", "10"], "x");
  assertEquals(code, 3);
  assertMatch(stderr, /Closed: 1006 Abnormal Closure/);

  const violating = serving({ message: (socket) => socket.send("x".repeat(2_000_000)) });
  const large = await cli(["connect", violating.url, "-w", "10"], "x");
  assertEquals(large.code, 4);
  assertMatch(large.stderr, /Cannot take message/);
  const strict = serving(echo, { limits: { maxMessageSize: 3 } });
  assertEquals((await cli(["connect", strict.url, "-w", "10"], "four")).code, 4);
});

test("connect reports a line that it can't send, sends the others, and exits with 1", async () => {
  const { url } = serving(echo);
  const { code, stdout, stderr } = await cli(["connect", url, "--hex"], "00\n0\nxx\n01\n");
  assertEquals([code, stdout], [1, "00\n01\n"]);
  assertMatch(stderr, /Line 2: expected pairs of hex digits, got "0"\nLine 3: /);
});

test("wrong arguments exit with 64, and say what was expected", async () => {
  const cases: [args: string[], expected: RegExp][] = [
    [["connect"], /expected URL, got none/],
    [["connect", "ws://a/", "b"], /expected URL, got ws:\/\/a\/ b/],
    [["connect", "ftp://a/"], /expected a URL of ws: or wss:/],
    [["connect", "a", "--nope"], /unknown option --nope/],
    [["connect", "a", "--header"], /--header: expected a value/],
    [["connect", "a", "-H", "cookie"], /expected "NAME: VALUE", got "cookie"/],
    [["connect", "a", "--hex", "--jsonl"], /--hex and --jsonl exclude each other/],
    [["connect", "a", "--hex=1"], /--hex: expected no value/],
    [["connect", "a", "--wait", "soon"], /--wait: expected a number of at least 0, got "soon"/],
    [["connect", "a", "--ca", "/nowhere"], /\/nowhere can't be read/],
    [["listen", "70000"], /expected \[HOST:\]PORT/],
    [["bench", "a", "-c", "1.5"], /--connections: expected an integer/],
    [["dance"], /unknown command "dance"/],
  ];
  for (const [args, expected] of cases) {
    const { code, stdout, stderr } = await cli(args);
    assertEquals([args, code, stdout], [args, 64, ""]);
    assertMatch(stderr, expected);
    assertMatch(stderr, /Try: sluice/);
  }
});

test("--help describes each command and each option", async () => {
  const overview = await cli(["--help"]);
  assertEquals([overview.code, overview.stderr], [0, ""]);
  for (const name of ["connect", "listen", "proxy", "bench"]) {
    assertMatch(overview.stdout, new RegExp(`^  ${name} `, "m"));
    const { code, stdout, stderr } = await cli([name, "--help"]);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, new RegExp(`^Usage: sluice ${name}`, "m"));
    for (const line of linesOf(stdout)) assert(line.length <= 110, line);
  }
  assertEquals((await cli([])).code, 64);
});

test("connect --reconnect continues on the next connection", async () => {
  let count = 0;
  const { url } = serving(async (socket) => {
    await socket.send(`connection ${++count}`);
    await socket.close(count === 1 ? 1012 : 1000, count === 1 ? "restart" : "");
  });
  const { code, stdout, stderr } = await cli(["connect", url, "--reconnect", "--wait", "20"]);
  assertEquals([code, stdout], [0, "connection 1\nconnection 2\n"]);
  assertMatch(
    stderr,
    /Closed: 1012 Service Restart, "restart", next attempt in [\d.]+ s\nConnected/,
  );
});

test("connect --topics subscribes, writes the messages, and sends to the application", async () => {
  await using rooms = topics();
  const got: unknown[] = [];
  const handler = topicsHandler<WebSocketConnection>(rooms, {
    subscribe: (_socket, topic) => topic === "news",
    message(_socket, message) {
      got.push(message);
      rooms.publish("news", "first");
      rooms.publish("news", new Uint8Array([1, 255]));
    },
  });
  const { url } = serving(handler, { protocols: [TOPICS_PROTOCOL] });
  const { code, stdout, stderr } = await cli(
    ["connect", url, "-t", "news,secret", "-w", "2"],
    "go",
  );
  assertEquals([code, got], [0, ["go"]]);
  assertMatch(stderr, /Subscribed to news\n/);
  assertMatch(stderr, /Not subscribed to secret: /);
  assertEquals(stdout, "news: first\nnews: 01ff (2 bytes)\n");
});

test("listen accepts connections, writes their messages, and echoes with --echo", async () => {
  const { child, url } = await start(["listen", "0", "--echo", "--once", "--protocol", "a"]);
  const socket = await connect(`${url}path`, { protocols: ["a"] });
  await socket.send("hello");
  await socket.send(new Uint8Array([0, 255]));
  const got: unknown[] = [];
  for await (const message of socket) if (got.push(message) === 2) break;
  assertEquals(got, ["hello", new Uint8Array([0, 255])]);
  await socket.close(4000, "bye");
  const { code, stdout, stderr } = await deadline(child.exited, 10_000, "the end of listen");
  assertEquals([code, stdout], [0, "#1 hello\n#1 00ff (2 bytes)\n"]);
  assertMatch(stderr, /#1 opened: \/path\n#1 closed: 4000 private use, "bye"\n/);
});

test("listen --jsonl names the connection; SIGINT ends it cleanly", async () => {
  const { child, url } = await start(["listen", "127.0.0.1:0", "--jsonl"]);
  const sockets = await Promise.all([connect(url), connect(url)]);
  await sockets[1]!.send("two");
  await child.waitForLine(/two/);
  process.kill(child.pid!, "SIGINT"); // Not kill(): Deno reports no exit code after it.
  const { code, stdout } = await deadline(child.exited, 10_000, "the end");
  assertEquals(code, 0);
  for (const socket of sockets) assertEquals((await socket.closed).closeCode, 1001);
  const lines = jsonOf(stdout);
  assertEquals(lines.filter(({ text }) => text === "two").length, 1);
  assertEquals(lines.filter(({ close }) => close === 1001).map(({ from }) => from).sort(), [1, 2]);
});

test("listen at a port that is in use exits with 1", async () => {
  const { server } = serving(echo);
  const { code, stderr } = await cli(["listen", `${server.port}`]);
  assertEquals(code, 1);
  assertMatch(stderr, /Cannot listen at port \d+ of 127\.0\.0\.1/);
});

test("proxy writes each frame of both ends, with its close code by name", async () => {
  let headers: Headers | undefined;
  const { url } = serving(async (socket: WebSocketConnection) => {
    headers = socket.request.headers;
    for await (const message of socket) {
      await socket.send(message);
      if (message === "end") await socket.close(1013, "later");
    }
  }, { protocols: ["chat"], origins: "*", compression: true });
  const { child, url: proxy } = await start(["proxy", "0", url, "-H", "x-proxy: yes"]);
  const socket = await connect(`${proxy}room?x=1`, {
    protocols: ["other", "chat"],
    headers: { cookie: "a=b" },
    origin: "https://page.example",
    compression: true,
  });
  assertEquals(socket.protocol, "chat");
  await socket.send("x".repeat(2000));
  await socket.send(new Uint8Array(200), { compress: false });
  await socket.ping();
  await socket.send("end");
  for await (const _ of socket);
  assertEquals(await socket.closed, { closeCode: 1013, reason: "later", wasClean: true });
  assertEquals(
    ["cookie", "x-proxy", "origin"].map((name) => headers?.get(name)),
    ["a=b", "yes", "https://page.example"],
  );
  await child.waitForLine(/closed: client/);
  process.kill(child.pid!, "SIGINT"); // Not kill(): Deno reports no exit code after it.
  const { code, stdout, stderr } = await deadline(child.exited, 10_000, "the end");
  assertEquals(code, 0);
  const frames = linesOf(stdout).map((line) => {
    assertMatch(line, /^\d\d:\d\d:\d\d\.\d{3} {4}1 {2}/);
    return line.slice(19).replace(/ +/g, " ").trim();
  });
  const of = (arrow: string) => frames.filter((frame) => frame.startsWith(arrow));
  const fromClient = of("client → server").map((frame) => frame.slice("client → server ".length));
  const fromServer = of("client ← server").map((frame) => frame.slice("client ← server ".length));
  assertMatch(fromClient[0]!, /^Text FIN RSV1 \d\d \d\d$/);
  assertEquals(fromClient.slice(1), [
    "Binary FIN - 200 208",
    "Ping FIN - 4 10 00000000",
    "Text FIN - 3 9",
    "Close FIN - 2 8 1013 Try Again Later",
  ]);
  assertMatch(fromServer[0]!, /^Text FIN RSV1 \d\d \d\d$/);
  assertEquals(fromServer.slice(1), [
    "Binary FIN - 200 204",
    "Text FIN - 3 5",
    'Close FIN - 7 9 1013 Try Again Later, "later"',
  ]);
  assertEquals(frames.length, fromClient.length + fromServer.length);
  assertMatch(stderr, /1 {2}opening: ws:\/\/127\.0\.0\.1:\d+\/room\?x=1\n/);
});

test("proxy --all --jsonl writes the frames that the proxy sends, too", async () => {
  const { url } = serving(echo);
  const { child, url: proxy } = await start(["proxy", "0", url, "--all", "--jsonl", "--once"]);
  const socket = await connect(proxy);
  await socket.send("hello");
  for await (const _ of socket) break;
  await socket.close(4000, "bye");
  const { code, stdout } = await deadline(child.exited, 10_000, "the end of proxy");
  assertEquals(code, 0);
  const lines = jsonOf(stdout);
  const texts = lines.filter(({ name }) => name === "Text");
  assertEquals(texts.map(({ from }) => from), [
    "client",
    "proxy to server",
    "server",
    "proxy to client",
  ]);
  const { time, ...first } = texts[0];
  assert(Math.abs(Date.now() - Date.parse(time)) < 60_000);
  assertEquals(first, {
    connection: 1,
    from: "client",
    opcode: 1,
    name: "Text",
    fin: true,
    rsv1: false,
    payloadLength: 5,
    frameLength: 11,
  });
  const close = lines.find(({ name, from }) => name === "Close" && from === "client");
  assertEquals([close.closeCode, close.closeName, close.reason], [4000, "private use", "bye"]);
  assertEquals(lines.at(-1).closed.client, { closeCode: 4000, reason: "bye", wasClean: true });
});

test("proxy passes the refusal of the server on", async () => {
  const { url } = serving(echo, { upgrade: () => new Response(null, { status: 401 }) });
  const { url: proxy } = await start(["proxy", "0", url]);
  const { code, stderr } = await cli(["connect", proxy]);
  assertEquals(code, 2);
  assertMatch(stderr, /401/);
});

test("bench measures an echo, and refuses a server that does not", async () => {
  const { url, server } = serving({ message: (socket, message) => socket.send(message) });
  const args = ["-c", "3", "-i", "4", "-s", "100", "-d", "0.5"];
  const { code, stdout } = await cli(["bench", url, ...args, "--jsonl"]);
  assertEquals(code, 0);
  const result = JSON.parse(stdout);
  assertEquals([result.connections, result.inFlight, result.size], [3, 4, 100]);
  assert(result.messagesPerSecond > 10 && result.p50 > 0, stdout);
  assert(result.p99 >= result.p50 && result.max >= result.p99, stdout);
  assertEquals(server.stats.opened, 3);
  assertMatch((await cli(["bench", url, "-d", "0.2"])).stdout, /^messages a second +[\d,]+$/m);

  const other = serving({ message: (socket) => socket.send("no echo") });
  const wrong = await cli(["bench", other.url, "-d", "20"]);
  assertEquals([wrong.code, wrong.stdout], [1, ""]);
  assertEquals((await cli(["bench", "ws://127.0.0.1:1/"])).code, 2);
});

/** Runs a command line on a terminal, and types. */
async function onTerminal(
  steps: [awaited: string, typed: string][],
  args: string[],
  env: Record<string, string>,
): Promise<Exit> {
  const python = ["/usr/bin/python3", "tests/support/pseudo_terminal.py", JSON.stringify(steps)];
  const all = [...python, ...program, ...args];
  // A variable that this process has from its runner must not decide.
  const { code, stdout, stderr } = await deadline(
    run(all[0]!, all.slice(1), { cwd: root, env: { TERM: "xterm", NO_COLOR: "", ...env } }),
    50_000,
    args.join(" "),
  );
  return { code, stdout, stderr };
}

const hasPython = canRun("/usr/bin/python3");

testIf(hasPython, "connect edits lines on a terminal, and has colours there", async () => {
  const { url } = serving(async (socket) => {
    for await (const message of socket) await socket.send(`<${message}>`);
  });
  const { code, stdout, stderr } = await onTerminal(
    [
      ["> ", "helo\x1b[Dl\r"], // One to the left, and a letter.
      ["<hello>", "\x1b[A\x7f!\r"], // The line before, without its last letter.
      ["<hell!>", "//x\r"],
      ["</x>", "/dance\r"],
      ["expected /ping", "/ping\r"],
      ["Pong after", "/close 4000 done\r"],
    ],
    ["connect", url],
    {},
  );
  assertEquals([code, stderr], [0, ""]);
  assert(stdout.includes("\x1b[32mConnected\x1b[0m"), stdout);
  assertMatch(stdout, /Closed.*: 4000 private use/);
});

testIf(hasPython, "NO_COLOR is obeyed, and a peer can't control the terminal", async () => {
  const { url } = serving(async (socket) => {
    await socket.send("a\x1b[31mred\x07\x9b");
    for await (const _ of socket);
  });
  const { code, stdout } = await onTerminal([["red", "\x04"]], ["connect", url], { NO_COLOR: "1" });
  assertEquals(code, 0);
  assert(stdout.includes("a\u241b[31mred\u2407\ufffd"), JSON.stringify(stdout));
  // deno-lint-ignore no-control-regex
  assertEquals(/\x1b\[\d*m/.test(stdout), false, JSON.stringify(stdout));
});

testIf(hasPython, "Ctrl-C closes the connection of connect cleanly", async () => {
  const { url, server } = serving(echo);
  const { code, stdout } = await onTerminal([["> ", "\x03"]], ["connect", url], {});
  assertEquals(code, 0);
  assertMatch(stdout, /1000 Normal Closure/);
  assertEquals(server.stats.closedByCode, { 1000: 1 });
});
