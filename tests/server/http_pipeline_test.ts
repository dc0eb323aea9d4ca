// Streams of pipelined requests, cut at random places, against a model that knows what was sent.
import { resolveAcceptOptions } from "../../src/server/accept_options.ts";
import type { FetchFunction } from "../../src/server/fetch_handler.ts";
import { HttpConnection } from "../../src/server/http_connection.ts";
import { connectionSettings } from "../../src/server/http_connection_handler.ts";
import { assert, assertEquals, deadline, delay, test } from "../harness.ts";
import { Random } from "../fuzz/random.ts";
import { latin1 } from "../support/bytes.ts";
import { block } from "../support/block.ts";
import { HttpPeer } from "../support/http_peer.ts";
import { setTurnBudget } from "../support/turn_budget.ts";

/** A request, and the response that a model expects. */
interface Exchange {
  request: string;
  /** The body of the response, or the status of a refusal. */
  expected: string;
}

function makeRequest(random: Random, index: number): Exchange {
  const body = "abcdefgh".repeat(random.below(400 + 1)).slice(0, random.below(3000 + 1));
  const path = `/${index}/${random.pick(["text", "stream", "slow"])}`;
  const head = `${path} HTTP/1.1\r\nHost: a\r\n`;
  const kind = random.pick(["GET", "length", "chunked", "trailers"]);
  if (kind === "GET") return { request: `GET ${head}\r\n`, expected: `${path}:` };
  const expected = `${path}:${body}`;
  if (kind === "length") {
    const request = `POST ${head}Content-Length: ${body.length}\r\n\r\n${body}`;
    return { request, expected };
  }
  let chunks = "";
  for (let rest = body; rest !== "";) {
    const size = Math.min(1 + random.below(700), rest.length);
    const extension = random.pick(["", ";a", ';a="b;c"']);
    chunks += `${size.toString(16)}${extension}\r\n${rest.slice(0, size)}\r\n`;
    rest = rest.slice(size);
  }
  const trailers = kind === "trailers" ? "X-A: b\r\nX-C: d\r\n" : "";
  const request = `POST ${head}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n${trailers}\r\n`;
  return { request, expected };
}

const BROKEN = [
  "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
  "POST /0/text HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
  "\0",
];

async function answer(request: Request): Promise<Response> {
  const path = new URL(request.url).pathname;
  if (path.endsWith("/slow")) await delay(0);
  if (!path.endsWith("/stream")) return new Response(`${path}:${await request.text()}`);
  const body = request.body;
  async function* parts() {
    yield latin1(`${path}:`);
    for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) yield chunk;
  }
  const iterator = parts();
  return new Response(
    new ReadableStream({
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    }),
  );
}

/** Reads all responses of a stream, by their framing. */
function parseResponses(text: string): string[] {
  const bodies: string[] = [];
  let rest = text;
  while (rest !== "") {
    const end = rest.indexOf("\r\n\r\n");
    const head = rest.slice(0, end);
    rest = rest.slice(end + 4);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    let body = "";
    if (length !== undefined) {
      body = rest.slice(0, Number(length));
      rest = rest.slice(Number(length));
    } else {
      while (true) {
        const line = rest.slice(0, rest.indexOf("\r\n"));
        const size = parseInt(line, 16);
        body += rest.slice(line.length + 2, line.length + 2 + size);
        rest = rest.slice(line.length + 2 + size + 2);
        if (size === 0) break;
      }
    }
    const status = head.split(" ")[1]!;
    bodies.push(status === "200" ? body : status);
  }
  return bodies;
}

/** Starts to answer a peer, and returns the errors. */
function start(peer: HttpPeer, fetch: FetchFunction): unknown[] {
  const config = resolveAcceptOptions({});
  const errors: unknown[] = [];
  const connection = new HttpConnection(peer.conn, config, {
    fetch,
    open() {},
    refused() {},
    failed: (error) => void errors.push(error),
    closed() {},
    connectionSettings: connectionSettings(config, {
      budget: undefined,
      onError() {},
      onClosed: undefined,
    }),
  });
  connection.start();
  return errors;
}

for (const leaves of [false, true]) {
  test(`timers have their turn between pipelined requests${leaves ? ", whose client leaves" : ""}`, async () => {
    const peer = new HttpPeer({});
    let answered = 0;
    const errors = start(peer, () => {
      answered++;
      block(0.2);
      return Promise.resolve(new Response("Hello"));
    });
    const before = Promise.withResolvers<number>();
    const count = 500;
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(count));
    setTimeout(() => {
      before.resolve(answered);
      if (leaves) peer.transport.abort();
    }, 1);
    assert(await before.promise < count / 2);
    if (leaves) {
      const sofar = answered;
      await delay(20);
      assert(answered <= sofar + 1);
    } else {
      peer.transport.shutdown();
      await deadline(peer.until(() => peer.hasEnded, "the end"), 10_000, "the end");
      assertEquals([answered, errors], [count, []]);
    }
  });
}

for (const lendsChunks of [false, true]) {
  for (let seed = 1; seed <= 40; seed++) {
    test(`pipelined requests are answered in order (${lendsChunks ? "lent" : "own"} chunks, seed ${seed})`, async () => {
      const random = new Random(seed);
      const exchanges = Array.from(
        { length: 1 + random.below(12) },
        (_, index) => makeRequest(random, index),
      );
      const isBroken = random.below(2 + 1) === 0;
      const broken = isBroken ? random.pick(BROKEN) + "GET /never HTTP/1.1\r\n\r\n" : "";
      const expected = exchanges.map((exchange) => exchange.expected);
      if (isBroken) expected.push("400");

      // On a busy machine, the requests would wait for turns, and Deno's jobs for these outlive the test.
      setTurnBudget(Infinity);
      const peer = new HttpPeer({ lendsChunks });
      const errors = start(peer, answer);
      let text = exchanges.map(({ request }) => request).join("") + broken;
      while (text !== "") {
        const size = 1 + random.below(random.pick([3, 50, 3000, 100_000]));
        peer.send(text.slice(0, size));
        text = text.slice(size);
        if (random.below(3 + 1) === 0) await delay(0);
      }
      peer.transport.shutdown();
      await deadline(
        peer.until(() => peer.hasEnded || peer.isClosed, "the end"),
        10_000,
        "the end",
      );
      assertEquals(parseResponses(peer.text), expected);
      // A body that is cut by the refusal fails in the handler.
      if (!isBroken) assertEquals(errors, []);
    });
  }
}

test("5,000 pipelined requests are answered in order if each is answered at once", async () => {
  const peer = new HttpPeer();
  const errors = start(peer, (request) => new Response(new URL(request.url).pathname));
  const count = 5000;
  const paths = Array.from({ length: count }, (_, i) => `/${i}`);
  peer.send(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));
  peer.transport.shutdown();
  await deadline(peer.until(() => peer.hasEnded, "the end"), 20_000, "the end");
  const bodies = [...peer.text.matchAll(/\r\n\r\n(\/\d+)/g)].map(([, body]) => body);
  assertEquals([bodies, errors], [paths, []]);
});
