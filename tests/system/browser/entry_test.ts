// The entry for browsers in Chromium and in Firefox: a page and a worker run its modules, and post what
// they have seen to the test's server.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "../../../mod.ts";
import type { WebSocketConnection } from "../../../mod.ts";
import { topics, TOPICS_PROTOCOL, topicsHandler } from "../../../src/topics/mod.ts";
import { browserModule } from "../../../examples/browser_modules.ts";
import { assertEquals, canRun, deadline, onTestEnd, spawn, testIf } from "../../harness.ts";
import { browserIsHere, launch, testOnDeno } from "./browser.ts";

/** Runs in the page, and the same in a worker. */
const script = `
import * as sluice from "/src/browser/mod.ts";
const { ReconnectingWebSocket, openFeed } = sluice;

/** The events of a server that closes its first connection with 1012, and its second with 1000. */
async function reconnects() {
  const log = [];
  for await (const event of new ReconnectingWebSocket("/twice", { initialDelay: 10 })) {
    if (event.type === "open") log.push("open " + event.connection.url.split(":")[0]);
    if (event.type === "message") log.push(event.data.split(" ")[0]);
    if (event.type === "close") log.push(event.info.closeCode, event.info.wasClean);
  }
  return log;
}

/** A long binary message and text, sent before there is a connection. */
async function echoes() {
  const socket = new ReconnectingWebSocket("/echo", { maxQueueSize: 2_000_000 });
  const bytes = new Uint8Array(1_000_000).map((_, i) => i * 7);
  const sent = [socket.send(bytes), socket.send("ä€😀")];
  const seen = [];
  for await (const event of socket) {
    if (event.type === "message") seen.push(event.data);
    if (seen.length === 2) break;
  }
  await Promise.all(sent);
  const isSame = seen[0].length === bytes.length && seen[0].every((byte, i) => byte === bytes[i]);
  await socket.close(4000, "enough");
  return [isSame, seen[1], socket.bufferedAmount];
}

/** A kept topic over a connection that the server resets. */
async function feeds(where) {
  const log = [];
  const feed = openFeed("/feed", { topics: ["news-" + where], initialDelay: 10, maxDelay: 50 });
  for await (const event of feed) {
    if (event.type === "subscribed") {
      log.push(event.recovered);
      if (!event.recovered) await feed.send("publish news-" + where);
    }
    if (event.type === "message") log.push(event.data);
    if (event.data === "two") break;
    if (event.data === "one") void feed.send("reset news-" + where);
  }
  await feed[Symbol.asyncDispose]();
  return log;
}

/** Text through the stream codecs, in one-byte chunks. */
async function codes() {
  const text = "grüße ".repeat(2000);
  const frames = new sluice.FrameEncoderStream({ role: "client" });
  const writer = frames.writable.getWriter();
  writer.write(text);
  writer.close();
  const messages = frames.readable
    .pipeThrough(new sluice.FrameDecoderStream({ role: "server" }))
    .pipeThrough(new sluice.MessageAssemblerStream());
  const all = [];
  for await (const message of messages) all.push(message);
  return [all.length, all[0] === text];
}

async function report(where) {
  const results = { where };
  for (const check of [reconnects, echoes, feeds, codes]) {
    results[check.name] = await check(where).catch((error) => String(error.stack ?? error));
  }
  await fetch("/report", { method: "POST", body: JSON.stringify(results) });
}
await report(globalThis.document === undefined ? "worker" : "page");
if (globalThis.document !== undefined) new Worker("/script.js", { type: "module" });
`;

const expected = {
  reconnects: ["open ws", "visit", 1012, true, "open ws", "visit", 1000, true],
  echoes: [true, "ä€😀", 0],
  feeds: [false, "one", true, "two"],
  codes: [1, true],
};

/** Serves the page and the handlers; `reports` resolves when page and worker have reported. */
function site() {
  const reports: { where: string }[] = [];
  const all = Promise.withResolvers<void>();
  const rooms = topics({ keep: { messages: 100, age: 60_000 } });
  let visits = 0;
  const feed = topicsHandler<WebSocketConnection>(rooms, {
    subscribe: () => true,
    message(socket, message) {
      const [what, topic] = String(message).split(" ");
      if (what === "publish") rooms.publish(topic!, "one");
      if (what !== "reset") return;
      // The second message is published while the client is away.
      socket.abort();
      rooms.publish(topic!, "two");
    },
  });
  const pathOf = (socket: WebSocketConnection) => new URL(socket.request.url).pathname;
  const server = serve({
    hostname: "127.0.0.1",
    port: 0,
    protocols: [TOPICS_PROTOCOL],
    limits: { maxMessageSize: 2 ** 21 },
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const javascript = { "content-type": "text/javascript" };
      if (pathname === "/report") {
        reports.push(await request.json());
        if (reports.length === 2) all.resolve();
        return new Response();
      }
      if (pathname === "/script.js") return new Response(script, { headers: javascript });
      const module = await browserModule(pathname);
      if (module !== undefined) return new Response(module, { headers: javascript });
      const page = '<!doctype html><script type="module" src="/script.js"></script>';
      return new Response(page, { headers: { "content-type": "text/html" } });
    },
  }, {
    async open(socket) {
      if (pathOf(socket) === "/feed") feed.open(socket);
      if (pathOf(socket) !== "/twice") return;
      await socket.send(`visit ${++visits}`);
      void socket.close(visits % 2 === 1 ? 1012 : 1000);
    },
    message(socket, message) {
      if (pathOf(socket) === "/feed") return feed.message(socket, message);
      return socket.send(message);
    },
    close(socket) {
      if (pathOf(socket) === "/feed") feed.close(socket);
    },
  });
  onTestEnd(async () => {
    await server.shutdown({ deadline: 0 });
    await rooms[Symbol.asyncDispose]();
  });
  return { url: `http://127.0.0.1:${server.port}/`, reports, all: all.promise };
}

/** What the page and its worker are expected to report. */
const bothReports = [{ where: "page", ...expected }, { where: "worker", ...expected }];

testIf(
  browserIsHere,
  "the entry for browsers works in Chromium, in a page and in a worker",
  async () => {
    const { url, reports, all } = site();
    const page = await (await launch()).newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    await page.goto(url);
    await deadline(all, 30_000, "the reports of the page and the worker");
    assertEquals(reports, bothReports as { where: string }[]);
    assertEquals(problems, []);
  },
);

const firefox = "/usr/bin/firefox-esr";
// Chromium tests the server of each runtime. Firefox tests the modules, which are the same for both.
testOnDeno(
  canRun(firefox),
  "the entry for browsers works in Firefox, in a page and in a worker",
  async () => {
    const { url, reports, all } = site();
    const profile = mkdtempSync(join(tmpdir(), "firefox-"));
    const child = spawn(firefox, ["--headless", "--no-remote", "--profile", profile, url], {
      env: { HOME: profile, MOZ_DISABLE_CONTENT_SANDBOX: "1" },
    });
    onTestEnd(async () => {
      await child.kill("SIGTERM");

      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    });
    await deadline(all, 60_000, "the reports of the page and the worker");
    assertEquals(reports, bothReports as { where: string }[]);
  },
);
