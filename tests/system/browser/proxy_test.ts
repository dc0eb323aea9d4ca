// WebSockets of Chromium over HTTP/2 (RFC 8441), through HAProxy as docs/behind-a-proxy.md configures it. The
// proxy speaks HTTP/1.1 to the server, so one runtime is enough.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals, canRun, onTestEnd } from "../../harness.ts";
import { blocksOf } from "../../support/markdown.ts";
import { connectToChild, freePort } from "../../support/ports.ts";
import { startHaproxy } from "../../support/proxies.ts";
import { echo, serving } from "../../support/server.ts";
import { good, trust } from "../../support/tls.ts";
import { browserIsHere, launch, testOnDeno } from "./browser.ts";

const haproxyIsHere = canRun("haproxy", ["-v"]);
const condition = browserIsHere === true ? haproxyIsHere : browserIsHere;

testOnDeno(
  condition,
  "Chromium opens a WebSocket over HTTP/2 through HAProxy as documented",
  async () => {
    const versions: (string | null)[] = [];
    const { server, errors } = serving((socket) => {
      versions.push(socket.request.headers.get("x-version"));
      return echo(socket);
    }, {
      trustedProxies: ["127.0.0.1"],
      fetch: () => new Response("<!doctype html>", { headers: { "Content-Type": "text/html" } }),
    });

    const folder = mkdtempSync(join(tmpdir(), "proxy-"));
    onTestEnd(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "site.pem"), good.cert + good.key);
    const page = "docs/behind-a-proxy.md";
    const [, bind = ""] = /`(bind :443 ssl crt \S+ alpn \S+)`/.exec(readFileSync(page, "utf8")) ??
      [];
    const port = await freePort();
    const config = blocksOf(page).find(({ language }) => language === "haproxy")!.code
      .replace("bind :80", `${bind}\n  http-request set-header X-Version %[req.ver]`)
      .replace(":443", `:${port}`)
      .replace("/etc/ssl/site.pem", join(folder, "site.pem"))
      .replaceAll("127.0.0.1:8080", `127.0.0.1:${server.port}`);
    const client = await connectToChild(startHaproxy(config), port, trust);
    await client.close();
    assertEquals(versions.splice(0), ["1.1"]);

    const context = await (await launch()).newContext({ ignoreHTTPSErrors: true });
    const tab = await context.newPage();
    // Without a connection of HTTP/2 that announces RFC 8441, a browser opens one of HTTP/1.1.
    await tab.goto(`https://localhost:${port}/`);
    const echoed = await tab.evaluate(async () => {
      const socket = new WebSocket(location.href.replace("https", "wss"));
      await new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = reject;
      });
      const texts = ["Hello", "x".repeat(100_000)];
      const received: unknown[] = [];
      const all = new Promise<void>((resolve) => {
        socket.onmessage = ({ data }) => {
          if (received.push(data) === texts.length) resolve();
        };
      });
      for (const text of texts) socket.send(text);
      await all;
      const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
      socket.close(4001, "enough");
      const { code, wasClean } = await closed;
      return [received.map((data) => (data as string).length), code, wasClean];
    });
    assertEquals(echoed as unknown[], [[5, 100_000], 4001, true]);
    assertEquals(versions, ["2.0"]);
    assertEquals(errors, []);
  },
);
