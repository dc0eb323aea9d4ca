// A proxy's access rules and the application must read the same path and host. Requests with generated
// targets and hosts go through nginx and HAProxy, which deny /admin and admin.example. None of them may
// arrive at the application with a path below /admin, with the host admin.example, or with another path
// or host than the one that was sent.
import type { TcpAddr } from "../../mod.ts";
import { assert, assertEquals, canRun, deadline, delay, onTestEnd, testIf } from "../harness.ts";
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

const HOST_PIECES = [
  ...["admin.example", "admin.example", "admin", "example", ".", "%2e", "%61dmin", "%41", "ADMIN"],
  ...[
    ":80",
    ":",
    "pub.example",
    "@",
    "1",
    "127.1",
    "0x7f",
    "[::1]",
    " ",
    "\t",
    ",",
    "/",
    "\\",
    "\0",
  ],
];

const HOST_CASES = [
  "%61dmin.example",
  "admin%2eexample",
  "admin.example",
  "ADMIN.example:80",
  "admin.example.",
  "pub.example@admin.example",
  "admin.example@pub.example",
  "pub.example, admin.example",
  "pub.example",
];

function generateHost(random: Random): string {
  let host = "";
  for (let count = 1 + random.small(4); count > 0; count--) host += random.pick(HOST_PIECES);
  return host;
}

function generate(random: Random): string {
  let path = random.once(4) ? "/pub" : "";
  for (let count = 1 + random.small(7); count > 0; count--) path += random.pick(PIECES);
  if (!path.startsWith("/") && !random.once(10)) path = `/${path}`;
  return random.once(10) ? `http://127.0.0.1${path}` : path;
}

/** Sends all requests through a proxy, which may keep the Host as it was sent, and checks the arrived. */
async function run(
  start: (proxyPort: number, serverPort: number) => Child,
  keepsHost: boolean,
): Promise<void> {
  /** The URL of each request that arrives, by its number. */
  const arrived = new Map<string, URL>();
  const { server } = serving({}, {
    fetch: (request) => {
      arrived.set(request.headers.get("x-case")!, new URL(request.url));
      return new Response("ok");
    },
  });
  const port = await freePort();
  const child = start(port, (server.addr as TcpAddr).port);
  onTestEnd(async () => void await child.kill("SIGTERM"));
  const addr: TcpAddr = { transport: "tcp", hostname: "127.0.0.1", port };
  const waiting = (async () => {
    while (!await canConnect(addr)) await delay(20);
  })();
  await deadline(waiting, 20_000, "the proxy");
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  const targets = Array.from({ length: TARGETS }, (_, i) => generate(new Random(seed, i)));
  let passed = 0;
  for (const [i, target] of [...CASES, ...targets].entries()) {
    const status = await send(addr, target, "127.0.0.1", `path ${i}`);
    const path = arrived.get(`path ${i}`)?.pathname;
    const what = `${target} (seed ${seed}): status ${status}, path ${path}`;
    assert(status !== 200 || path !== undefined, what);
    if (path === undefined) continue;
    passed++;
    assert(!/^\/admin/.test(path), what);
    const [sent] = target.replace(/^http:\/\/[^/]*/, "").split("?");
    assertEquals(path, sent || "/", what);
  }
  const hosts = Array.from({ length: TARGETS / 2 }, (_, i) => generateHost(new Random(seed, i)));
  for (const [i, host] of [...HOST_CASES, ...hosts].entries()) {
    const targets = ["/x", `http://${host}/x`, "http://pub.example/x"];
    for (const [j, target] of targets.entries()) {
      const status = await send(addr, target, host, `host ${i} ${j}`);
      const url = arrived.get(`host ${i} ${j}`);
      const what = `${target}, Host ${host} (seed ${seed}): status ${status}, URL ${url}`;
      if (url === undefined) continue;
      passed++;
      assert(url.hostname !== "admin.example", what);
      if (keepsHost && j === 0 && !host.startsWith("[")) {
        assertEquals(url.hostname, host.trim().replace(/:\d*$/, "").toLowerCase(), what);
      }
    }
  }
  assert(passed > 50, `${passed} requests have passed`);
  assertEquals(await send(addr, "/admin/x", "pub.example", "denied"), 403);
  assertEquals(await send(addr, "/pub/x", "admin.example", "denied"), 403);
  assertEquals(await send(addr, "/pub/x", "pub.example", "allowed"), 200);
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
async function send(addr: TcpAddr, target: string, host: string, name: string): Promise<number> {
  const client: RawTcp = await tcpConnect(addr);
  client.write(
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nX-Case: ${name}\r\n\r\n`,
  );
  const text = await client.untilEnd();
  client.socket.destroy();
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
}

testIf(
  canRun("nginx", ["-v"]),
  "no request passes an access rule of nginx as another path or host",
  () =>
    run((proxyPort, serverPort) =>
      startNginx(`
      server {
        listen 127.0.0.1:${proxyPort};
        location / {
          proxy_pass http://127.0.0.1:${serverPort};
          proxy_http_version 1.1;
          proxy_set_header Host $host; # With $http_host, not the host that nginx has routed by.
        }
        location /admin { return 403; }
      }
      server {
        listen 127.0.0.1:${proxyPort};
        server_name admin.example;
        return 403;
      }`), false),
);

testIf(
  canRun("haproxy", ["-v"]),
  "no request passes an access rule of HAProxy as another path or host",
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
  http-request deny if { hdr(host),field(1,:) -i admin.example }
  default_backend sluice
backend sluice
  server one 127.0.0.1:${serverPort}
`), true),
);
