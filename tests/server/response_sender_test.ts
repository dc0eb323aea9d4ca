import { HttpResponder } from "../../src/server/http_responder.ts";
import { isResponse, prepareResponse } from "../../src/server/prepared_response.ts";
import type { AnyResponse } from "../../src/server/prepared_response.ts";
import { sendResponse, UnsentError } from "../../src/server/response_sender.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
  test,
} from "../harness.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { turns } from "../support/open.ts";

const GET = { method: "GET", minorVersion: 1 };

/** Sends a response over a fake transport. */
async function send(response: AnyResponse, init = GET, persists = true) {
  const transport = new FakeTransport();
  const responder = new HttpResponder(transport, 1000, () => {});
  responder.start();
  const prepared = prepareResponse(response, init);
  const isPersistent = await sendResponse(responder, prepared, init, () => persists);
  await turns(); // Short responses are written at the end of the turn.
  const texts = transport.writes.map((bytes) => new TextDecoder().decode(bytes));
  responder.abort();
  return { isPersistent, texts, text: texts.join("") };
}

test("sendResponse writes a small response at once, with its length", async () => {
  const { texts, isPersistent } = await send(new Response("body", { headers: { "X-A": "b" } }));
  assertEquals([texts.length, isPersistent], [1, true]);
  assertMatch(texts[0]!, /^HTTP\/1\.1 200 OK\r\n.*\r\nContent-Length: 4\r\n\r\nbody$/s);
});

test("sendResponse says close if the connection does not persist", async () => {
  const { text, isPersistent } = await send(new Response("body"), GET, false);
  assertEquals([isPersistent, /\r\nConnection: close\r\n/.test(text)], [false, true]);
  const asked = await send(new Response("body", { headers: { Connection: "x, close" } }));
  assertEquals([asked.isPersistent, /\r\nConnection: close\r\n/.test(asked.text)], [false, true]);
});

test("sendResponse sends the head of an idle stream before its first data", async () => {
  const transport = new FakeTransport();
  const responder = new HttpResponder(transport, 1000, () => {});
  responder.start();
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({ start: (it) => void (controller = it) });
  const prepared = prepareResponse(new Response(body), GET);
  const sent = sendResponse(responder, prepared, GET, () => true);
  for (let i = 0; i < 5; i++) await turns();
  assertMatch(new TextDecoder().decode(transport.writes[0]), /\r\nTransfer-Encoding: chunked\r\n/);
  controller.enqueue(new Uint8Array([0x61]));
  controller.close();
  assertEquals(await sent, true);
  const rest = transport.writes.slice(1).map((bytes) => new TextDecoder().decode(bytes)).join("");
  assertEquals(rest, "1\r\na\r\n0\r\n\r\n");
  responder.abort();
});

test("prepareResponse refuses what cannot be sent", async () => {
  const used = new Response("body");
  await used.text();
  assertThrows(() => prepareResponse(used, GET), TypeError);
  assertThrows(() => prepareResponse(Response.error(), GET), RangeError);
  assertThrows(() => prepareResponse({ status: 200, body: 1 }, GET), TypeError);
  const headers = { "Content-Length": "1x" };
  assertThrows(() => prepareResponse({ status: 200, headers }, GET), TypeError);
});

test("sendResponse rejects with UnsentError while another response can be sent", async () => {
  const bad: AnyResponse[] = [
    { status: 200, headers: { "X-A": "b\r\nc" } },
    { status: 200, statusText: "a\nb" },
    new Response("too long", { headers: { "Content-Length": "3" } }),
  ];
  for (const response of bad) await assertRejects(() => send(response), UnsentError);
});

test("sendResponse accepts bodies of other classes", async () => {
  async function* parts() {
    yield new Uint8Array([0x61]);
    yield new Uint8Array([0x62]);
  }
  for (const body of ["ab", new Uint8Array([0x61, 0x62]), new Blob(["ab"])]) {
    assert((await send({ status: 200, body })).text.endsWith("\r\n\r\nab"));
  }
  assert(
    (await send({ status: 200, body: parts() })).text.endsWith("1\r\na\r\n1\r\nb\r\n0\r\n\r\n"),
  );
});

test("sendResponse has no body for HEAD, and the length that is announced", async () => {
  const head = { method: "HEAD", minorVersion: 1 };
  const { text } = await send(new Response("body", { headers: { "Content-Length": "4" } }), head);
  assertMatch(text, /\r\nContent-Length: 4\r\n\r\n$/);
});

test("isResponse takes objects with a numeric status for responses", () => {
  assertEquals([new Response(), { status: 1 }].map(isResponse), [true, true]);
  assertEquals(
    [null, undefined, 200, {}, { status: "200" }, []].map(isResponse),
    Array(6).fill(false),
  );
});
