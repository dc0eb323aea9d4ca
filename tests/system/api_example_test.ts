// The API example, as a process, over HTTP and with a WebSocket of this library.
import { readFileSync } from "node:fs";
import { connect } from "../../mod.ts";
import type { WebSocketConnection } from "../../mod.ts";
import { sign } from "../../examples/api/app.ts";
import { parseRange } from "../../examples/api/file_response.ts";
import { signal, startExample } from "./example_process.ts";
import { assert, assertEquals, assertMatch, assertRejects, deadline, test } from "../harness.ts";

const csv = readFileSync(new URL("../../examples/api/page/capitals.csv", import.meta.url), "utf8");

/** A client of one example. */
class Api {
  constructor(readonly port: number) {}

  request(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}${path}`, { redirect: "manual", ...init });
  }

  login(password = "demo"): Promise<Response> {
    return this.request("/login", {
      method: "POST",
      body: new URLSearchParams({ user: "demo", password }),
    });
  }

  /** Logs in, and returns the cookie as it is sent back. */
  async cookie(): Promise<string> {
    const response = await this.login();
    await response.body?.cancel();
    return response.headers.get("set-cookie")!.split(";")[0]!;
  }

  webhook(title: unknown, signature?: string): Promise<Response> {
    const body = JSON.stringify({ title });
    return this.request("/webhook", {
      method: "POST",
      headers: { "X-Signature": signature ?? sign(body, "secret") },
      body,
    });
  }

  feed(headers: Record<string, string> = {}, origin?: string): Promise<WebSocketConnection> {
    const options = origin === undefined ? { headers } : { headers, origin };
    return connect(`ws://127.0.0.1:${this.port}/feed`, options);
  }
}

/** Returns the next message of a feed, parsed. */
async function next(socket: WebSocketConnection): Promise<Record<string, unknown>> {
  const { value } = await deadline(socket[Symbol.asyncIterator]().next(), 5000, "a message");
  return JSON.parse(value as string);
}

test("the API logs in, broadcasts its webhook to the WebSockets, and ends with 0", async () => {
  const example = await startExample("api/main.ts");
  const api = new Api(example.port);
  const login = await api.login();
  await login.body?.cancel();
  assertEquals([login.status, login.headers.get("location")], [303, "/"]);
  const cookie = login.headers.get("set-cookie")!;
  assertMatch(cookie, /^session=[\w-]{43}; .*HttpOnly.*SameSite=Strict/);
  const Cookie = cookie.split(";")[0]!;

  const sockets = [await api.feed({ Cookie }), await api.feed({ Cookie: await api.cookie() })];
  for (const socket of sockets) assertEquals(await next(socket), { user: "demo", events: [] });
  const hook = await api.webhook("Shipped");
  assertEquals([hook.status, await hook.json()], [202, { receivers: 2 }]);
  for (const socket of sockets) {
    const { title, at } = await next(socket);
    assertEquals(title, "Shipped");
    assert(Math.abs(Date.now() - Number(at)) < 60_000);
  }
  const late = await api.feed({ Cookie });
  assertEquals(((await next(late)).events as unknown[]).length, 1);

  // A logout closes the WebSockets of the session, and no others.
  const logout = await api.request("/logout", { method: "POST", headers: { Cookie } });
  await logout.body?.cancel();
  assertEquals(logout.status, 303);
  for (const socket of [sockets[0]!, late]) {
    assertEquals((await deadline(socket.closed, 5000, "the close")).closeCode, 4001);
  }
  await assertRejects(() => api.feed({ Cookie }), Error, "401");

  signal(example, "SIGTERM");
  assertEquals((await deadline(sockets[1]!.closed, 5000, "the close")).closeCode, 1001);
  const { code, stderr } = await deadline(example.child.exited, 10_000, "the end of the API");
  assertEquals([code, stderr], [0, ""]);
});

test("the API refuses wrong passwords, signatures, JSON and WebSockets without a session", async () => {
  const api = new Api((await startExample("api/main.ts")).port);
  const wrong = await api.login("guess");
  assertEquals([wrong.status, wrong.headers.get("set-cookie")], [403, null]);
  await wrong.body?.cancel();
  for (
    const [title, signature, status] of [
      ["Forged", "sha256=00", 401],
      ["Forged", sign('{"title":"Forged"}', "other"), 401],
      ["", undefined, 400],
      [5, undefined, 400],
      ["x".repeat(201), undefined, 400],
      ["x".repeat(100_000), undefined, 413],
    ] as const
  ) {
    const response = await api.webhook(title, signature);
    assertEquals(response.status, status);
    await response.body?.cancel();
  }
  assertEquals(await (await api.request("/api/events")).json(), []);

  await assertRejects(() => api.feed(), Error, "401");
  await assertRejects(() => api.feed({ Cookie: "session=guess" }), Error, "401");
  const Cookie = await api.cookie();
  await assertRejects(() => api.feed({ Cookie }, "https://evil.example"), Error, "403");
});

test("the API answers a CORS preflight of the allowed origin alone", async () => {
  const api = new Api((await startExample("api/main.ts")).port);
  const preflight = async (Origin: string) => {
    const headers = { Origin, "Access-Control-Request-Method": "GET" };
    const response = await api.request("/api/events", { method: "OPTIONS", headers });
    assertEquals([response.status, await response.text()], [204, ""]);
    return response.headers;
  };
  const allowed = await preflight("https://app.example.com");
  assertEquals(allowed.get("access-control-allow-origin"), "https://app.example.com");
  assertEquals(allowed.get("access-control-allow-methods"), "GET");
  const other = await preflight("https://evil.example");
  assertEquals(other.get("access-control-allow-origin"), null);
  const read = await api.request("/api/events", { headers: { Origin: "https://app.example.com" } });
  assertEquals(read.headers.get("access-control-allow-origin"), "https://app.example.com");
  assertEquals(await read.json(), []);
});

test("the API serves a file whole, in ranges, and not again if it has not changed", async () => {
  const api = new Api((await startExample("api/main.ts")).port);
  const get = async (headers: Record<string, string> = {}, method = "GET") => {
    const response = await api.request("/files/capitals.csv", { method, headers });
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
  const whole = await get();
  assertEquals([whole.status, whole.body], [200, csv]);
  assertEquals(whole.headers.get("content-type"), "text/csv; charset=utf-8");
  assertEquals(whole.headers.get("content-length"), String(csv.length));
  assertEquals(whole.headers.get("accept-ranges"), "bytes");
  const etag = whole.headers.get("etag")!;

  for (
    const [range, from, to] of [
      ["bytes=0-14", 0, 15],
      ["bytes=16-30", 16, 31],
      ["bytes=400-", 400, csv.length],
      ["bytes=-10", csv.length - 10, csv.length],
      ["bytes=-99999", 0, csv.length],
    ] as const
  ) {
    const part = await get({ Range: range, "If-Range": etag });
    assertEquals([part.status, part.body], [206, csv.slice(from, to)], range);
    assertEquals(part.headers.get("content-range"), `bytes ${from}-${to - 1}/${csv.length}`);
  }
  const beyond = await get({ Range: "bytes=99999-" });
  assertEquals([beyond.status, beyond.headers.get("content-range")], [
    416,
    `bytes */${csv.length}`,
  ]);
  assertEquals((await get({ Range: "bytes=0-4", "If-Range": '"old"' })).body, csv);
  assertEquals((await get({ "If-None-Match": etag })).status, 304);
  const head = await get({}, "HEAD");
  assertEquals([head.status, head.body], [200, ""]);
  assertEquals(head.headers.get("content-length"), String(csv.length));
});

test("parseRange() ignores what it does not know", () => {
  for (const field of ["", "bytes=", "bytes=-", "lines=0-1", "bytes=0-1,3-4", "bytes=5-4", "x"]) {
    assertEquals(parseRange(field, 10), undefined, field);
  }
  assertEquals(parseRange("bytes=-0", 10), "unsatisfiable");
  assertEquals(parseRange("bytes=10-", 10), "unsatisfiable");
  assertEquals(parseRange("bytes=0-0", 0), "unsatisfiable");
  assertEquals(parseRange(" BYTES=9-99 ", 10), { first: 9, last: 9 });
});

test("the API serves its pages, its health, and nothing else", async () => {
  const api = new Api((await startExample("api/main.ts")).port);
  const text = async (path: string, headers = {}) => {
    const response = await api.request(path, { headers });
    const type = response.headers.get("content-type")?.toLowerCase().replace("; ", ";");
    return { status: response.status, type, body: await response.text() };
  };
  assertEquals(await text("/healthz"), {
    status: 200,
    type: "text/plain;charset=utf-8",
    body: "ok\n",
  });
  const out = await text("/");
  assertEquals([out.status, out.type], [200, "text/html;charset=utf-8"]);
  assertMatch(out.body, /action="\/login"/);
  const home = await text("/", { Cookie: await api.cookie() });
  assertMatch(home.body, /action="\/logout"/);
  for (const [, path] of home.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
    assertEquals((await text(path!)).status, 200, path);
  }
  for (const path of ["/nothing", "/index.html", "/files/", "/files/app.ts", "/toString"]) {
    assertEquals((await text(path)).status, 404, path);
  }
});
