// A lazy Request is as the platform's, also for functions of the platform.
import { HeaderList } from "../../src/http/header_list.ts";
import { requestUrl, validateRequest } from "../../src/http/request.ts";
import { RequestBodyDecoder } from "../../src/http/request_body.ts";
import type { RequestHead } from "../../src/http/request_head_parser.ts";
import { lazyRequestMaker } from "../../src/server/lazy_request.ts";
import { RequestBody } from "../../src/server/request_body.ts";
import { assert, assertEquals, assertRejects, assertThrows, test } from "../harness.ts";
import { latin1 as bytes } from "../support/bytes.ts";
import { serving } from "../support/server.ts";

const FORM = "application/x-www-form-urlencoded";

interface Parts {
  method?: string;
  target?: string;
  fields?: [name: string, value: string][];
  body?: Uint8Array<ArrayBuffer> | RequestBody | null;
}

function makeRequest({ method = "POST", target = "/a?b", fields = [], body = null }: Parts = {}) {
  const headers = new HeaderList([["Host", "localhost"], ...fields]);
  const head: RequestHead = { method, target, minorVersion: 1, headers };
  const controller = new AbortController();
  let signals = 0;
  const source = {
    get signal() {
      signals++;
      return controller.signal;
    },
  };
  const make = lazyRequestMaker();
  assert(make !== null, "the platform's functions do not take a lazy request");
  const request = make({ head, scheme: "http", target: validateRequest(head), body, source });
  return { request, controller, signals: () => signals };
}

const withBody = (text: string, fields?: [string, string][]) =>
  makeRequest({ body: bytes(text), ...(fields && { fields }) }).request;

/** Returns a request whose body is received in two pieces when it is read. */
function makeArriving() {
  const decoder = new RequestBodyDecoder(6);
  decoder.push(bytes("ab"));
  const body: RequestBody = new RequestBody(decoder, bytes("ab"), {
    bodyWanted: () => {
      queueMicrotask(() => body.receive(bytes("cd"), false));
      queueMicrotask(() => body.receive(bytes("ef"), true));
    },
    bodyCancelled: () => {},
  });
  return makeRequest({ body }).request;
}

test("a lazy Request is an instance of Request, with its members", () => {
  const { request } = makeRequest({ method: "GET", fields: [["X-A", "b"], ["x-a", "c"]] });
  assert(request instanceof Request);
  assertEquals(Object.prototype.toString.call(request), "[object Request]");
  assertEquals([request.method, request.url], ["GET", "http://localhost/a?b"]);
  assertEquals(request.headers.get("X-a"), "b, c");
  assert(request.headers === request.headers);
  assertEquals([request.body, request.bodyUsed, request.redirect], [null, false, "follow"]);
  const platform = new Request("http://localhost/a?b");
  for (const key of Reflect.ownKeys(Request.prototype)) {
    if (typeof key === "symbol" || key === "signal" || key === "headers") continue;
    const [lazy, own] = [request, platform].map((it) => Reflect.get(it, key) as unknown);
    assertEquals(typeof lazy, typeof own, key);
    if (typeof own !== "function") assertEquals(lazy, own, key);
  }
});

test("a lazy Request makes its signal when it is read", () => {
  const { request, controller, signals } = makeRequest({ method: "GET" });
  assertEquals([request.headers.get("host"), request.body, signals()], ["localhost", null, 0]);
  assertEquals([request.signal.aborted, signals()], [false, 1]);
  controller.abort();
  assert(request.signal.aborted);
});

test("a Request made of a lazy one has its parts, and follows its signal", async () => {
  const fields: [string, string][] = [["X-A", "b"]];
  const make = () => makeRequest({ method: "PUT", fields, body: bytes("body") });
  for (
    const [copy, body, field] of [
      [(request: Request) => new Request(request), "body", "b"],
      [(request: Request) => request.clone(), "body", "b"],
      [(request: Request) => request.clone().clone(), "body", "b"],
      [(request: Request) => new Request(request, { body: "other" }), "other", "b"],
      [(request: Request) => new Request(request, { headers: { "X-A": "c" } }), "body", "c"],
    ] as const
  ) {
    const { request, controller } = make();
    const copied = copy(request);
    assertEquals(
      [copied.method, copied.url, copied.headers.get("x-a"), await copied.text()],
      ["PUT", "http://localhost/a?b", field, body],
    );
    assert(!copied.signal.aborted);
    controller.abort();
    assert(copied.signal.aborted);
  }
});

test("a clone of a lazy Request leaves the body of both to be read", async () => {
  const request = withBody("body");
  const copy = request.clone();
  assertEquals([await request.text(), await copy.text()], ["body", "body"]);
  assertThrows(() => request.clone(), TypeError);
  const used = withBody("body");
  await used.text();
  assertThrows(() => used.clone(), TypeError);
});

test("fetch() takes a lazy Request", async () => {
  const { server } = serving({}, {
    fetch: async (request) =>
      new Response([
        request.method,
        new URL(request.url).pathname,
        request.headers.get("x-a"),
        await request.text(),
      ].join()),
  });
  const { port } = server.addr as { port: number };
  const head: RequestHead = {
    method: "PUT",
    target: "/path",
    minorVersion: 1,
    headers: new HeaderList([["Host", `127.0.0.1:${port}`], ["X-A", "b"]]),
  };
  const make = () =>
    lazyRequestMaker()!({
      head,
      scheme: "http",
      target: validateRequest(head),
      body: bytes("body"),
      source: new AbortController(),
    });
  assertEquals(await (await fetch(make())).text(), "PUT,/path,b,body");
  const init = { headers: { "X-A": "c" } };
  assertEquals(await (await fetch(make(), init)).text(), "PUT,/path,c,body");
});

for (
  const [form, make] of [["whole", () => withBody("abcdef")], ["arriving", makeArriving]] as const
) {
  test(`a lazy Request reads a body that is ${form}, once`, async () => {
    assertEquals(await make().text(), "abcdef");
    assertEquals(new Uint8Array(await make().arrayBuffer()), bytes("abcdef"));
    const own = await make().bytes();
    assertEquals([own, own.buffer.byteLength], [bytes("abcdef"), 6]);
    assertEquals(await (await make().blob()).text(), "abcdef");
    await assertRejects(() => make().json(), SyntaxError);
    const parts: number[] = [];
    for await (const part of make().body!) parts.push(...part);
    assertEquals(parts, [...bytes("abcdef")]);
    for (const read of ["text", "json", "arrayBuffer", "bytes", "blob", "formData"] as const) {
      const request = make();
      assertEquals(request.bodyUsed, false);
      assertEquals(await request.text(), "abcdef");
      assertEquals(request.bodyUsed, true);
      await assertRejects(() => request[read](), TypeError);
      assertEquals(request.bodyUsed, true);
    }
    const streamed = make();
    const reader = streamed.body!.getReader();
    await assertRejects(() => streamed.text(), TypeError);
    await reader.read();
    assertEquals(streamed.bodyUsed, true);
  });
}

test("a lazy Request reads the forms of Fetch", async () => {
  assertEquals(await withBody('{"a":[1]}').json(), { a: [1] });
  assertEquals(await withBody("\xef\xbb\xbfab").text(), "ab");
  const form = await withBody("a=b&c=d", [["Content-Type", FORM]]).formData();
  assertEquals([...form], [["a", "b"], ["c", "d"]]);
  const blob = await withBody("ab", [["Content-Type", "image/png"]]).blob();
  assertEquals([blob.type, blob.size], ["image/png", 2]);
  const none = makeRequest({ method: "GET" }).request;
  assertEquals([await none.text(), await none.text(), none.bodyUsed], ["", "", false]);
});

test("the bytes of a lazy Request do not share their buffer with other data", async () => {
  const input = bytes("headbodyrest");
  const make = () => makeRequest({ body: input.subarray(4, 8) }).request;
  assertEquals(new Uint8Array(await make().arrayBuffer()), bytes("body"));
  assertEquals((await make().bytes()).buffer.byteLength, 4);
});

test("requestUrl is the URL of the platform's Request", () => {
  const hosts = [
    "a",
    "A.example",
    "a:80",
    "a:443",
    "a:8080",
    "a:",
    "127.0.0.1",
    "[::1]:8",
    "[::FF]",
  ];
  const all = Array.from({ length: 94 }, (_, i) => String.fromCharCode(0x21 + i))
    .filter((char) => char !== "#").join("");
  const targets = ["/", "//", "/?", "/%zz", "/a//b", "/..a", `/?${all}`, "/[]|", "/a?b=c&'d'", "*"];
  for (const host of hosts) {
    for (const target of targets) {
      const method = target === "*" ? "OPTIONS" : "GET";
      const headers = new HeaderList([["Host", host]]);
      const parts = validateRequest({ method, target, minorVersion: 1, headers });
      for (const scheme of ["http", "https"] as const) {
        const { url } = new Request(`${scheme}://${host}${target === "*" ? "/*" : target}`);
        assertEquals(requestUrl(scheme, parts), url);
      }
    }
  }
});
