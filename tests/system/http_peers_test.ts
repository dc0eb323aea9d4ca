// HTTP/1.1 with other implementations: curl, nginx, HAProxy.
import type { Addr, ServeOptions } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  canRun,
  delay,
  eventually,
  run,
  testIf,
} from "../harness.ts";
import { freePort } from "../support/ports.ts";
import { startHaproxy, startNginx } from "../support/proxies.ts";
import { serving } from "../support/server.ts";

/** Serves an echo of bodies, and counts the connections by the ports of their clients. */
function start(options: ServeOptions = {}) {
  const ports = new Set<number>();
  const requests: string[] = [];
  const { server, errors } = serving({}, {
    fetch: async (request, { remoteAddr }) => {
      const addr = remoteAddr as Addr & { port: number };
      ports.add(addr.port);
      requests.push(`${request.method} ${new URL(request.url).pathname}`);
      if (request.method === "POST") return new Response(await request.text());
      if (request.method === "PUT") {
        let size = 0;
        for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
          size += chunk.length;
        }
        return new Response(`${size}`);
      }
      return new Response(`hello ${new URL(request.url).pathname}`);
    },
    limits: { maxBodySize: 64 * 1024 * 1024 },
    ...options,
  });
  return { server, errors, ports, requests, url: server.url.replace("ws:", "http:") };
}

/** Runs curl, and returns its output. */
async function curl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run("curl", ["-sS", "--noproxy", "*", ...args]);
  assertEquals(code, 0, stderr);
  return stdout;
}

/** Waits until a program answers at its port. */
async function untilListening(url: string): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if ((await run("curl", ["-sS", "--noproxy", "*", url])).code === 0) return;
    await delay(50);
  }
  throw new Error(`${url} does not answer`);
}

testIf(canRun("curl"), "curl reuses a connection, and reads bodies and heads", async () => {
  const { url, ports, errors } = start();
  assertEquals(await curl(`${url}a`, `${url}b`, `${url}c`), "hello /ahello /bhello /c");
  assertEquals(ports.size, 1);
  assertMatch(await curl("-I", url), /^HTTP\/1\.1 200 OK\r\n.*Date: /s);
  assertEquals(await curl("-d", "a=b", url), "a=b");
  assertEquals(await curl("--http1.0", url), "hello /");
  assertEquals(await curl("-H", "Transfer-Encoding: chunked", "-d", "in chunks", url), "in chunks");
  assertEquals(errors, []);
});

testIf(canRun("curl"), "curl uploads after a 100, and a body over maxBodySize is 413", async () => {
  const { url, errors } = start();
  const input = "x".repeat(8 * 1024 * 1024);
  const put = ["-sS", "--noproxy", "*", "-T", "-", "-w", " %{http_code}"];
  const sent = await run("curl", [...put, "-H", "Expect: 100-continue", url], { input });
  assertEquals(sent.stdout, `${input.length} 200`, sent.stderr);
  const { url: small } = start({ limits: { maxBodySize: 1000 } });
  const refused = await run("curl", [...put, small], { input });
  assertMatch(refused.stdout, / 413$/);
  assertEquals(errors, []);
});

for (
  const [name, version, fields] of [
    ["its defaults", "1.0", ""],
    ["HTTP/1.0", "1.0", 'proxy_http_version 1.0; proxy_set_header Connection "";'],
    ["HTTP/1.1", "1.1", 'proxy_http_version 1.1; proxy_set_header Connection "";'],
  ] as const
) {
  testIf(canRun("nginx", ["-v"]), `nginx passes requests on by ${name}`, async () => {
    const { server, ports, requests, errors } = start();
    const port = await freePort();
    const upstream = version === "1.1" ? "keepalive 8;" : "";
    const child = startNginx(`
      upstream app { server 127.0.0.1:${server.port}; ${upstream} }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://app;
          ${fields}
          client_body_buffer_size 2m;
        }
      }
    `);
    const url = `http://127.0.0.1:${port}`;
    await untilListening(url);
    requests.length = 0;
    ports.clear();
    for (let i = 0; i < 10; i++) {
      assertEquals(await curl("-d", `body ${i}`, `${url}/${i}`), `body ${i}`);
    }
    assertEquals(requests.length, 10);
    if (version === "1.1") assert(ports.size < 10, `${ports.size} connections`);
    else assertEquals(ports.size, 10);
    const body = "y".repeat(1024 * 1024 - 1);
    const large = await run("curl", ["-sS", "--noproxy", "*", "-T", "-", url], { input: body });
    assertEquals(large.stdout, `${body.length}`, large.stderr);
    assertEquals(errors, []);
    await child.kill("SIGTERM");
  });
}

testIf(canRun("haproxy", ["-v"]), "HAProxy checks health by option httpchk", async () => {
  const { server, requests, errors } = start();
  const port = await freePort();
  const child = startHaproxy(`
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend front
  bind 127.0.0.1:${port}
  default_backend back
backend back
  option httpchk OPTIONS /healthz
  server one 127.0.0.1:${server.port} check inter 100ms
`);
  await eventually(
    () => requests.filter((request) => request === "OPTIONS /healthz").length > 2,
    10_000,
    "the checks",
  );
  assertEquals(await curl(`http://127.0.0.1:${port}/page`), "hello /page");
  assertEquals(await curl("-d", "body", `http://127.0.0.1:${port}/page`), "body");
  assertEquals(errors, []);
  await child.kill("SIGTERM");
});
