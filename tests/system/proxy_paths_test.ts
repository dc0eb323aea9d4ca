// A proxy's access rules and the application must read the same path. Requests with generated targets
// go through nginx and HAProxy, which deny /admin. None of them may arrive at the application with a
// path below /admin, or with another path than the one that the proxy has read.
import type { TcpAddr } from "../../mod.ts";
import { assert, assertEquals, canRun, deadline, delay, testIf } from "../harness.ts";
import type { Child } from "../harness.ts";
import { Random } from "../fuzz/random.ts";
import { freePort } from "../support/ports.ts";
import { startHaproxy, startNginx } from "../support/proxies.ts";
import { tcpConnect } from "../support/raw_tcp.ts";
import type { RawTcp } from "../support/raw_tcp.ts";
import { serving } from "../support/server.ts";

/** The number of generated targets for each proxy. */
const TARGETS = 1_000;

const PIECES = [
  ...["/", "/", "/", "//", "\\", "%2f", "%5c", "%5C", "/./", "/../", "\\..\\", "/%2e%2e/"],
  ...[".", "..", "%2e", "%2E", ".%2e", "%2e.", "%2e%2E", "...", "..;", "%252e", "%c0%ae", "%u002e"],
  ...["admin", "admin", "admin/x", "pub", "pub", "x", "Admin", "%61dmin", "admin%00", ";admin"],
  ...["%", "%2", "~", "^", "|", "{", '"', "<", "`", "'", "@", ":", "+", "&", "=", "*", "[", "]"],
];

const CASES = [
  "/pub/..\\admin/x",
  "/pub/.%2E\\admin/x",
  "/pub/../admin/x",
  "/pub/%2e%2e/admin/x",
  "/\\admin",
  "\\admin",
  "/pub\\..\\admin",
  "//admin",
  "/./admin",
  "/.//admin",
  "/%61dmin",
  "/admin",
  "/pub/x",
];

function generate(random: Random): string {
  let path = random.once(4) ? "/pub" : "";
  for (let count = 1 + random.small(7); count > 0; count--) path += random.pick(PIECES);
  if (!path.startsWith("/") && !random.once(10)) path = `/${path}`;
  return random.once(10) ? `http://127.0.0.1${path}` : path;
}

/** A proxy in front of a server that counts the requests which it lets through. */
async function run(start: (proxyPort: number, serverPort: number) => Child): Promise<void> {
  /** The path of each request that arrives, by its number. */
  const arrived = new Map<string, string>();
  const { server } = serving({}, {
    fetch: (request) => {
      arrived.set(request.headers.get("x-case")!, new URL(request.url).pathname);
      return new Response("ok");
    },
  });
  const port = await freePort();
  const child = start(port, (server.addr as TcpAddr).port);
  const addr: TcpAddr = { transport: "tcp", hostname: "127.0.0.1", port };
  const waiting = (async () => {
    while (!await canConnect(addr)) await delay(20);
  })();
  await deadline(waiting, 20_000, "the proxy");
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  const targets = Array.from({ length: TARGETS }, (_, i) => generate(new Random(seed, i)));
  targets.push(...CASES);
  let passed = 0;
  for (const [i, target] of targets.entries()) {
    const status = await send(addr, `GET ${target}`, `X-Case: ${i}`);
    const path = arrived.get(String(i));
    const what = `${target} (seed ${seed}): status ${status}, path ${path}`;
    assert(status !== 200 || path !== undefined, what);
    if (path === undefined) continue;
    passed++;
    assert(!/^\/admin/.test(path), what);
    const [sent] = target.replace(/^http:\/\/[^/]*/, "").split("?");
    assertEquals(path, sent || "/", what);
  }
  assert(passed > 50, `${passed} requests have passed`);
  assertEquals(await send(addr, "GET /admin/x", "X-Case: denied"), 403);
  assertEquals(await send(addr, "GET /pub/x", "X-Case: allowed"), 200);
  await child.kill("SIGTERM");
}

async function canConnect(addr: TcpAddr): Promise<boolean> {
  try {
    const client = await tcpConnect(addr);
    client.socket.destroy();
    return true;
  } catch {
    return false;
  }
}

/** Sends a request on a connection of its own. Returns the status, or 0 if there is no response. */
async function send(addr: TcpAddr, start: string, field: string): Promise<number> {
  const client: RawTcp = await tcpConnect(addr);
  client.write(`${start} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${field}\r\n\r\n`);
  const text = await client.untilEnd();
  client.socket.destroy();
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
}

testIf(
  canRun("nginx", ["-v"]),
  "no target passes an access rule of nginx as another path",
  () =>
    run((proxyPort, serverPort) =>
      startNginx(`
      server {
        listen 127.0.0.1:${proxyPort};
        location / {
          proxy_pass http://127.0.0.1:${serverPort};
          proxy_http_version 1.1;
          proxy_set_header Host $http_host;
        }
        location /admin { return 403; }
      }`)
    ),
);

testIf(
  canRun("haproxy", ["-v"]),
  "no target passes an access rule of HAProxy as another path",
  () =>
    run((proxyPort, serverPort) =>
      startHaproxy(`
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend web
  bind 127.0.0.1:${proxyPort}
  http-request deny if { path_beg /admin }
  default_backend sluice
backend sluice
  server one 127.0.0.1:${serverPort}
`)
    ),
);
