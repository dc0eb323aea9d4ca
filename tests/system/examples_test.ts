// The examples, each as a process, with the runtime's own WebSocket as the client.
import type { ServerMessage } from "../../examples/chat/chat.ts";
import { runExample, signal, startExample } from "./example_process.ts";
import { assert, assertEquals, canRun, deadline, onTestEnd, test, testIf } from "../harness.ts";

/** The runtime's own WebSocket, with its messages in a queue. */
class Client {
  readonly socket: WebSocket;
  readonly closed: Promise<CloseEvent>;
  readonly #queue: unknown[] = [];
  #wake = () => {};

  constructor(url: string, protocols?: string[]) {
    this.socket = new WebSocket(url, protocols);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => {
      this.#queue.push(data);
      this.#wake();
    };
    this.closed = new Promise((resolve) => this.socket.onclose = resolve);
    onTestEnd(() => this.close());
  }

  async next(): Promise<unknown> {
    const arrived = new Promise<void>((resolve) => this.#wake = resolve);
    if (this.#queue.length === 0) await deadline(arrived, 5_000, "a message");
    return this.#queue.shift();
  }

  async close(): Promise<void> {
    this.socket.close();
    await deadline(this.closed, 10_000, "the close of a client");
  }
}

async function open<T extends Client>(client: T): Promise<T> {
  const opened = new Promise((resolve, reject) => {
    client.socket.onopen = resolve;
    client.socket.onerror = () => reject(new Error("The handshake has failed"));
  });
  await deadline(opened, 5_000, "the opening handshake");
  return client;
}

for (const name of ["SIGTERM", "SIGINT"] as const) {
  test(`echo.ts echoes text and binary, and ends with 0 on ${name}`, async () => {
    const example = await startExample("echo.ts");
    const { child, port } = example;
    const client = await open(new Client(`ws://127.0.0.1:${port}/`));
    client.socket.send("Héllo");
    client.socket.send(new Uint8Array([0, 255, 7]));
    assertEquals(await client.next(), "Héllo");
    assertEquals(new Uint8Array(await client.next() as ArrayBuffer), new Uint8Array([0, 255, 7]));

    signal(example, name);
    assertEquals((await deadline(client.closed, 5_000, "the close")).code, 1001);
    const { code, stdout, stderr } = await deadline(child.exited, 5_000, "the end of echo.ts");
    assertEquals(code, 0);
    assertEquals(stdout.trim().split("\n").length, 1);
    assertEquals(stderr, "");
  });
}

class Visitor extends Client {
  constructor(port: number, room: string, name: string) {
    super(`ws://127.0.0.1:${port}/r/${room}?name=${name}`, ["chat.v1"]);
  }

  async read(): Promise<ServerMessage> {
    return JSON.parse(await this.next() as string);
  }

  say(id: string, text: string): void {
    this.socket.send(JSON.stringify({ type: "say", id, text }));
  }
}

test("the chat's server keeps rooms apart, tells who comes and goes, and ends with 0", async () => {
  const example = await startExample("chat/main.ts");
  const { child, port } = example;
  const ann = await open(new Visitor(port, "one", "Ann"));
  assertEquals(ann.socket.protocol, "chat.v1");
  assertEquals(await ann.read(), {
    type: "welcome",
    room: "one",
    name: "Ann",
    people: ["Ann"],
    history: [],
  });
  ann.say("a1", "Anybody?");
  const first = await ann.read();
  assert(first.type === "message");
  assertEquals({ ...first.entry, at: 0 }, { id: "a1", at: 0, from: "Ann", text: "Anybody?" });
  assert(Math.abs(Date.now() - first.entry.at) < 60_000);

  const eve = await open(new Visitor(port, "two", "Eve"));
  const second = await open(new Visitor(port, "one", "Ann"));
  const welcome = await second.read();
  assert(welcome.type === "welcome");
  assertEquals(welcome.name, "Ann (2)");
  assertEquals(welcome.people, ["Ann", "Ann (2)"]);
  assertEquals(welcome.history, [first.entry]);
  const joined = await ann.read();
  assertEquals({ ...joined, at: 0 }, { type: "joined", name: "Ann (2)", at: 0 });

  second.say("b1", "Me");
  second.say("b1", "Me"); // Sent again, as after a lost connection: it is not shown twice.
  second.say("b2", "Again");
  const texts: string[] = [];
  for (let n = 0; n < 2; n++) {
    const message = await ann.read();
    assert(message.type === "message");
    texts.push(message.entry.text);
  }
  assertEquals(texts, ["Me", "Again"]);
  await second.close();
  const left = await ann.read();
  assertEquals({ ...left, at: 0 }, { type: "left", name: "Ann (2)", at: 0 });

  // A message of the other room would have reached Eve before the answer to this.
  assert((await eve.read()).type === "welcome");
  eve.say("e1", "Echo");
  const heard = await eve.read();
  assert(heard.type === "message");
  assertEquals(heard.entry.text, "Echo");

  signal(example, "SIGTERM");
  const { code, stderr } = await deadline(child.exited, 10_000, "the end of the chat");
  assertEquals(stderr, "");
  assertEquals(code, 0);
  for (const visitor of [ann, eve]) {
    assertEquals((await deadline(visitor.closed, 5_000, "the close")).code, 1001);
  }
});

test("the chat's server closes a connection that sends nonsense, and no other", async () => {
  const { port } = await startExample("chat/main.ts");
  const witness = await open(new Visitor(port, "one", "Witness"));
  assert((await witness.read()).type === "welcome");
  const nonsense: [string | Uint8Array<ArrayBuffer>, number, RegExp][] = [
    ["{", 1008, /JSON/],
    ['{"type":"shout"}', 1008, /type/],
    [JSON.stringify({ type: "say", id: "1", text: "t".repeat(2001) }), 1008, /2000/],
    [new Uint8Array([1]), 1003, /text/],
    ["x".repeat(16 * 1024 + 1), 1009, /^/],
  ];
  for (const [message, code, reason] of nonsense) {
    const visitor = await open(new Visitor(port, "one", "Bob"));
    visitor.socket.send(message);
    const closed = await deadline(visitor.closed, 5_000, "the close");
    assertEquals(closed.code, code);
    assert(reason.test(closed.reason), closed.reason);
    assertEquals((await witness.read()).type, "joined");
    assertEquals((await witness.read()).type, "left");
  }
});

test("the chat's server refuses a visit without a name, a room or its subprotocol", async () => {
  const example = await startExample("chat/main.ts");
  const { child, port } = example;
  const at = `ws://127.0.0.1:${port}`;
  const long = "n".repeat(65);
  const visits: [string, string[]][] = [
    [`${at}/r/one`, ["chat.v1"]],
    [`${at}/r/one?name=${long}`, ["chat.v1"]],
    [`${at}/r/${long}?name=Ann`, ["chat.v1"]],
    [`${at}/?name=Ann`, ["chat.v1"]],
    [`${at}/r/one?name=Ann`, []],
    [`${at}/r/one?name=Ann`, ["chat.v2"]],
  ];
  for (const [url, protocols] of visits) {
    const { socket, closed } = new Client(url, protocols);
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      socket.close();
    };
    await deadline(closed, 5_000, "the close");
    assertEquals(wasOpen, false, `${url} ${protocols}`);
  }
  // Each was refused by a rule, none because of an error.
  signal(example, "SIGTERM");
  assertEquals((await deadline(child.exited, 5_000, "the end of the chat")).stderr, "");
});

test("the chat's server serves the page, its files and nothing else", async () => {
  const { port } = await startExample("chat/main.ts");
  const get = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, redirect: "manual" });
    const body = await response.text();
    return { status: response.status, headers: response.headers, body };
  };

  const home = await get("/");
  assertEquals([home.status, home.headers.get("location")], [302, "/r/lobby"]);
  assertEquals((await get("/healthz")).body, "ok");

  const page = await get("/r/a%20room");
  assertEquals(page.status, 200);
  assertEquals(page.headers.get("content-type"), "text/html; charset=utf-8");
  assert(page.headers.get("content-security-policy")?.includes("default-src 'none'"));
  assert(page.body.startsWith("<!doctype html>"));
  assertEquals((await get("/r/lobby", "HEAD")).body, "");

  // The page is complete: each file that it, or one of its scripts, refers to exists.
  const files = [...page.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path!);
  assertEquals(files.length, 3);
  const all = new Set(files);
  for (const path of all) {
    const file = await get(path);
    assertEquals(file.status, 200, path);
    for (const [, name] of file.body.matchAll(/^(?:import|export|\}).* from "([^"]+)"/gm)) {
      all.add(new URL(name!, `http://localhost${path}`).pathname);
    }
  }
  const library = [...all].filter((path) => path.startsWith("/src/"));
  assert(library.length > 25 && library.every((path) => path.endsWith(".ts")), library.join());
  assertEquals([...all].filter((path) => !library.includes(path)).toSorted(), [
    "/app.js",
    "/icon.svg",
    "/link.js",
    "/style.css",
    "/view.js",
  ]);

  const missing = ["/nothing", "/r/", "/r/a/b", "/r/%", "/r/%20", `/r/${"n".repeat(65)}`];
  for (
    const path of [
      ...missing,
      "/index.html",
      "/r/../chat.ts",
      "/..%2fchat.ts",
      "/toString",
      "/src/../mod.ts",
    ]
  ) {
    assertEquals((await get(path)).status, 404, path);
  }
});

test("the dashboard's slow client gets new prices, and its page is served", async () => {
  const example = await startExample("dashboard/main.ts");
  const { child, port } = example;
  const page = await (await fetch(`http://127.0.0.1:${port}/`)).text();
  assert(page.includes("<title>Dashboard</title>"));
  const missing = await fetch(`http://127.0.0.1:${port}/main.ts`);
  assertEquals([missing.status, await missing.text()], [404, "Not found\n"]);
  const client = await open(new Client(`ws://127.0.0.1:${port}/`, ["sluice.topics.v1"]));
  client.socket.send('{"subscribe":"slow client"}');
  assertEquals(JSON.parse(await client.next() as string).name, "slow client");
  let report = { received: 0, missed: 0, age: Infinity };
  while (report.missed === 0) {
    const text = await client.next() as string;
    report = JSON.parse(text.slice(text.indexOf("\n")));
  }
  assert(report.received < report.missed + 1000);
  signal(example, "SIGTERM");
  const { code, stderr } = await deadline(child.exited, 10_000, "the end of the dashboard");
  assertEquals([code, stderr], [0, ""]);
});

const programs = [canRun("nats-server"), canRun("redis-server")];

testIf(
  programs.includes(true) || programs[0]!,
  "the cluster's messages cross its servers, and those that a killed broker loses are counted",
  async () => {
    const example = await startExample("cluster/main.ts");
    const { child, port } = example;
    const at = `http://127.0.0.1:${port}`;
    const page = await (await fetch(`${at}/`)).text();
    assert(page.includes("<title>Cluster</title>"));
    for (const path of ["/app.js", "/dashboard/page/feed.js", "/style.css"]) {
      const file = await fetch(`${at}${path}`);
      assertEquals([file.status, (await file.text()).length > 100], [200, true]);
    }
    const { ports } = await (await fetch(`${at}/nodes`)).json();
    const client = await open(
      new Client(`ws://127.0.0.1:${ports["node 1"]}/`, ["sluice.topics.v1"]),
    );
    client.socket.send('{"subscribe":"ticks"}');
    const until = async (condition: (text: string) => boolean) => {
      while (!condition(await client.next() as string));
    };
    await until((text) => text.includes("node 2: "));
    const killed = await fetch(`${at}/kill/broker`, { method: "POST" });
    assertEquals([killed.status, await killed.text()], [202, ""]);
    await until((text) => text.startsWith("{") && JSON.parse(text).count > 0);
    await until((text) => text.includes("node 2: "));

    await (await fetch(`${at}/kill/node%201`, { method: "POST" })).body?.cancel();
    await deadline(client.closed, 5_000, "the end of node 1");
    const get = await fetch(`${at}/kill/broker`);
    assertEquals([get.status, await get.text()], [405, "Expected POST\n"]);
    signal(example, "SIGTERM");
    const { code, stderr } = await deadline(child.exited, 10_000, "the end of the cluster");
    assertEquals([code, stderr], [0, ""]);
  },
);

test("the cluster says what it needs if there is no broker", async () => {
  const { code, stderr } = await runExample("cluster/main.ts", { PATH: "/nowhere" });
  assertEquals([code, stderr], [
    1,
    "The example needs a broker: install nats-server or redis-server (apt, brew).\n",
  ]);
});
