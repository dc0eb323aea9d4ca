import { Buffer } from "node:buffer";
import { Readable } from "node:stream";
import type { RequestInfo, ServeOptions } from "../../mod.ts";
import { assert, assertEquals, assertMatch, deadline, delay, run, test } from "../harness.ts";
import { decodeBody } from "../support/http.ts";
import { scriptCommand } from "../support/script.ts";
import { PlatformClient, serving } from "../support/server.ts";
import { streamOf } from "../support/streams.ts";
import { tcpConnect } from "../support/raw_tcp.ts";

/** Sends a raw request to a server with this `fetch()`, and returns its whole output. */
async function responseTo(
  fetch: NonNullable<ServeOptions["fetch"]>,
  startLine = "GET /path HTTP/1.1",
): Promise<{ text: string; head: string; body: string; isWhole: boolean; errors: unknown[] }> {
  const { server, errors } = serving({}, { fetch });
  const client = await tcpConnect(server.addr);
  client.write(`${startLine}\r\nHost: example.com\r\nConnection: close\r\n\r\n`);
  const text = await client.untilEnd();
  client.end();
  await client.untilClosed();
  const end = text.indexOf("\r\n\r\n");
  const head = text.slice(0, end);
  return {
    text,
    head,
    ...decodeBody(head, text.slice(end + 4)),
    errors: errors.map(({ error }) => error),
  };
}

/** Returns a stream of UTF-8 chunks. */
function stream(...chunks: string[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return streamOf(chunks.map((chunk) => new TextEncoder().encode(chunk)));
}

test("fetch answers a plain request, next to WebSockets at the same port", async () => {
  const asked: [Request, RequestInfo][] = [];
  const { url } = serving({ message: (socket, message) => socket.send(message) }, {
    fetch(request, info) {
      asked.push([request, info]);
      return new Response("<h1>Hi</h1>", { headers: { "Content-Type": "text/html" } });
    },
  });
  const response = await fetch(`${url.replace("ws", "http")}/page?a=b`, {
    headers: { "X-A": "1" },
  });
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "text/html");
  assertEquals(await response.text(), "<h1>Hi</h1>");
  const [[request, { remoteAddr }]] = asked;
  assertEquals(new URL(request.url).pathname + new URL(request.url).search, "/page?a=b");
  assertEquals([request.method, request.headers.get("x-a")], ["GET", "1"]);
  assert(remoteAddr.transport === "tcp" && remoteAddr.hostname === "127.0.0.1");
  const client = new PlatformClient(url);
  await client.opened;
  client.socket.send("Hi");
  assertEquals(await client.received(1), ["Hi"]);
});

test("fetch's response of unknown length is chunked, and the last of its connection", async () => {
  const { head, body, isWhole, errors } = await responseTo(() =>
    new Response(stream("one ", "", "two"))
  );
  assertMatch(head, /^HTTP\/1\.1 200 OK\r\n/);
  assertMatch(head, /\r\nConnection: close(\r\n|$)/);
  assertEquals(/content-length/i.test(head), false);
  assertEquals([body, isWhole], ["one two", true]);
  assertEquals(errors, []);
});

test("fetch and its body may be slow", async () => {
  async function* slowly() {
    for (const part of ["a", "b", "c"]) {
      await delay(5);
      yield new TextEncoder().encode(part);
    }
  }
  const { body } = await responseTo(async () => {
    await delay(5);
    return new Response(streamOf(slowly()));
  });
  assertEquals(body, "abc");
});

test("fetch's large body is sent whole", async () => {
  const { body } = await responseTo(() => new Response("x".repeat(5_000_000)));
  assertEquals(body.length, 5_000_000);
});

test("fetch answers HEAD without a body, and cancels the response's body", async () => {
  let isCancelled = false;
  const body = new ReadableStream({ cancel: () => void (isCancelled = true) });
  const answer = await responseTo(
    () => new Response(body, { headers: { "Content-Length": "9" } }),
    "HEAD / HTTP/1.1",
  );
  assertMatch(answer.head, /\r\nContent-Length: 9\r\n/);
  assertEquals([answer.body, isCancelled], ["", true]);
  const empty = await responseTo(() => new Response(null), "HEAD / HTTP/1.1");
  assertEquals(empty.body, "");
});

test("fetch's response without a body has Content-Length 0, except a 204", async () => {
  const ok = await responseTo(() => new Response(null));
  assertMatch(ok.head, /\r\nContent-Length: 0\r\n/);
  const none = await responseTo(() => new Response(null, { status: 204 }));
  assertEquals(/content-length/i.test(none.head), false);
});

for (
  const [what, fetch] of [
    ["throws", () => {
      throw new Error("secret");
    }],
    ["rejects", () => Promise.reject(new Error("secret"))],
    ["gives no Response", () => "secret" as unknown as Response],
  ] as const
) {
  test(`fetch that ${what} is answered with 500, without the error's text`, async () => {
    const { text, errors } = await responseTo(fetch);
    assertMatch(text, /^HTTP\/1\.1 500 /);
    assertEquals(text.includes("secret"), false);
    assertEquals(errors.length, 1);
  });
}

const failing: [what: string, body: () => ReadableStream, isSent: boolean][] = [
  ["fails at once", () =>
    new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode("begin")),
      pull() {
        throw new Error("oops");
      },
    }), false],
  ["is not of bytes", () => streamOf(["text"]) as ReadableStream, false],
  ["fails after its first data", () =>
    new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode("begin")),
      pull: () => delay(10).then(() => Promise.reject(new Error("oops"))),
    }), true],
  ["is of bytes only at first", () => {
    async function* parts() {
      yield new TextEncoder().encode("begin");
      await delay(10);
      yield "text";
    }
    return streamOf(parts()) as ReadableStream;
  }, true],
];
for (const [what, body, isSent] of failing) {
  const outcome = isSent ? "drops the connection" : "is answered with 500";
  test(`fetch's body that ${what} ${outcome}, and is reported`, async () => {
    const answer = await responseTo(() => new Response(body()));
    const { head, body: sent, isWhole, errors } = answer;
    assertMatch(head, isSent ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 500 /);
    if (isSent) assertEquals(sent, "begin");
    assertEquals(isWhole, !isSent);
    assertEquals(errors.length, 1);
    assert(errors[0] instanceof Error && errors[0].name !== "UnsentError");
  });
}

const unusable: [what: string, response: () => unknown, name: string][] = [
  ["Response.error()", () => Response.error(), "RangeError"],
  ["a Response whose body has been read", async () => {
    const response = new Response("body");
    await response.text();
    return response;
  }, "TypeError"],
  ["a Response whose body is locked", () => {
    const response = new Response("body");
    response.body!.getReader();
    return response;
  }, "TypeError"],
  ["undefined", () => undefined, "TypeError"],
  ["an object of options", () => ({ headers: {} }), "TypeError"],
];
for (const [what, response, name] of unusable) {
  test(`fetch that returns ${what} is answered with 500, and reported`, async () => {
    const { text, errors } = await responseTo(response as () => Response);
    assertMatch(text, /^HTTP\/1\.1 500 /);
    assertEquals(errors.map((error) => (error as Error).name), [name]);
  });
}

test("fetch may return a Response of another class", async () => {
  const foreign = {
    status: 203,
    statusText: "Other",
    headers: new Map([["x-a", "1"]]),
    body: Readable.from([Buffer.from("one "), Buffer.from("two")]),
  };
  const { head, body, isWhole, errors } = await responseTo(() => foreign as unknown as Response);
  assertMatch(head, /^HTTP\/1\.1 203 Other\r\nx-a: 1\r\n/);
  assertEquals([body, isWhole, errors], ["one two", true, []]);
});

test("a client that leaves a download of a node:stream does not end the process", async () => {
  const { code, stdout } = await run(
    ...scriptCommand("tests/support/abandoned_downloads.ts"),
  );
  assertEquals([code, stdout], [0, "alive\n"]);
});

test("fetch's body is cancelled when the client leaves", async () => {
  const cancelled = Promise.withResolvers<void>();
  const { server, errors } = serving({}, {
    fetch: () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
          cancel: () => cancelled.resolve(),
        }),
      ),
  });
  const client = await tcpConnect(server.addr);
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await client.until(({ length }) => length > 1_000_000, "the body");
  client.reset();
  await deadline(cancelled.promise, 5000, "the cancel");
  assertEquals(errors, []);
});

test("fetch's idle body is cancelled when the client leaves", async () => {
  const cancelled = Promise.withResolvers<void>();
  const { server } = serving({}, {
    fetch: () => new Response(new ReadableStream({ cancel: () => cancelled.resolve() })),
  });
  const client = await tcpConnect(server.addr);
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await client.until(({ text }) => text.endsWith("\r\n\r\n"), "the head");
  client.reset();
  await deadline(cancelled.promise, 5000, "the cancel");
});

for (
  const [request, status] of [
    ["TRACE / HTTP/1.1", 501],
    ["CONNECT a:1 HTTP/1.1", 501],
    ["GET / HTTP/1.1\r\nContent-Length: 3", 400],
    ["GET / HTTP/1.1\r\nTransfer-Encoding: chunked", 400],
  ] as const
) {
  test(`fetch is not called for ${JSON.stringify(request)}: ${status}`, async () => {
    const { text, errors } = await responseTo(() => new Response("no"), request);
    assertMatch(text, new RegExp(`^HTTP/1\\.1 ${status} `));
    assertEquals(errors.length, 1);
  });
}
