/** Valid and invalid requests of the opening handshake, and checks of their responses. */

import { assert, assertEquals } from "../harness.ts";
import { upgradeRequest } from "../support/http.ts";
import { frame } from "../support/frames.ts";
import { latin1 } from "../support/bytes.ts";
import { RawClient, type RawResponse } from "./raw_client.ts";
import { assertFrame, echo, type TestOptions, type TestServer } from "./servers.ts";

/** Header fields to replace, in any order. A list makes several lines, `null` removes the field. */
export type Changes = Record<string, string | string[] | null>;

/** Returns the text of an upgrade request with some of its fields replaced. */
export function request(changes: Changes = {}, startLine = "GET /chat HTTP/1.1"): string {
  return upgradeRequest({ Host: "server.example.com", ...changes }, startLine);
}

/** Returns the values of a response's field. */
export function fieldsOf(response: RawResponse, name: string): string[] {
  return response.fields.filter(([other]) => other === name).map(([, value]) => value);
}

/** Sends a request. Returns the head of the response, and the open connection. */
export async function send(
  port: number,
  text: string,
): Promise<{ client: RawClient; head: RawResponse }> {
  const client = await RawClient.connect(port);
  await client.write(latin1(text));
  return { client, head: await client.readHead() };
}

/** Asserts that the response is a 101 and that frames work. Returns the response. */
export async function assertAccepted(
  text: string,
  options: TestOptions = {},
): Promise<RawResponse> {
  await using server = echo("callbacks", options);
  const { client, head } = await send(server.port, text);
  await using _ = client;
  assertEquals(head.statusLine, "HTTP/1.1 101 Switching Protocols");
  // RFC 6455 §4.2.2: "An |Upgrade| header field with value "websocket"", "A |Connection| header field
  // with value "Upgrade"".
  assertEquals(fieldsOf(head, "upgrade"), ["websocket"]);
  assertEquals(fieldsOf(head, "connection"), ["Upgrade"]);
  assertEquals(fieldsOf(head, "sec-websocket-accept").length, 1);
  // RFC 9110 §8.6, RFC 9112 §6.1: a 101 has no body.
  assertEquals(fieldsOf(head, "content-length"), []);
  assertEquals(fieldsOf(head, "transfer-encoding"), []);
  await client.write(frame({ opcode: 1, payload: "Hi" }));
  await assertFrame(client, 1, "48 69");
  return head;
}

/** Asserts that a response is a refusal that is complete, well-formed and the last one. */
export function assertRefusal(response: RawResponse, status: number, omitsBody = false): void {
  assertEquals(response.status, status, `${response.statusLine}\n${response.body}`);
  // The reason phrase is not empty.
  assert(/^HTTP\/1\.1 \d{3} [A-Z][A-Za-z ]+$/.test(response.statusLine), response.statusLine);
  const [connection = ""] = fieldsOf(response, "connection");
  assert(connection.split(/\s*,\s*/).includes("close"), `Connection: ${connection}`);
  const [length] = fieldsOf(response, "content-length");
  assert(/^text\/plain(;|$)/.test(fieldsOf(response, "content-type")[0] ?? ""), "not text");
  assert(!Number.isNaN(Date.parse(fieldsOf(response, "date")[0] ?? "")), "no Date");
  assertEquals(fieldsOf(response, "sec-websocket-accept"), []);
  if (omitsBody) return assertEquals(response.body, "");
  assertEquals(length, `${new TextEncoder().encode(response.body).length}`);
  assert(/^[\x20-\x7e]{10,}\n$/.test(response.body), `not a line of text: ${response.body}`);
}

/**
 * Asserts that the request is refused with this status and a text that matches `why`, that TCP then
 * ends, and that the server continues to serve: `next` is accepted.
 */
export async function assertRefused(
  text: string,
  status: number,
  why: string | RegExp,
  options: TestOptions = {},
  next: string = request(),
): Promise<RawResponse> {
  await using server = echo("callbacks", options);
  const response = await exchange(server, text);
  assertRefusal(response, status);
  assert(response.body.search(why) >= 0, `${why} is not in: ${response.body}`);
  assertEquals(server.server.connections.size, 0);
  const { client, head } = await send(server.port, next);
  await using _ = client;
  assertEquals(head.status, 101);
  return response;
}

/** Sends a request, and reads the response to its end. */
export async function exchange(server: TestServer, text: string): Promise<RawResponse> {
  await using client = await RawClient.connect(server.port);
  await client.write(latin1(text));
  return await client.readResponse();
}
