/** Servers of plain HTTP for the tests of RFC 9112, and what their clients receive. */

import { decodeBody } from "../support/http.ts";
import { assert, assertEquals } from "../harness.ts";
import { latin1 } from "../support/bytes.ts";
import { RawClient } from "./raw_client.ts";
import type { RawResponse } from "./raw_client.ts";
import { listen } from "./servers.ts";
import type { TestOptions, TestServer } from "./servers.ts";

/** A server, and the requests that its `fetch()` has received. */
export interface HttpServer extends TestServer {
  /** Method, path and body of each request, such as `"POST /a hello"`. */
  readonly requests: string[];
}

/** Serves plain HTTP: each response repeats the method, the path and the body of its request. */
export function serveHttp(options: TestOptions = {}): HttpServer {
  const requests: string[] = [];
  const fetch = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const index = requests.push(`${request.method} ${pathname} `) - 1;
    const text = `${request.method} ${pathname} ${await request.text()}`;
    requests[index] = text;
    return new Response(text);
  };
  return Object.assign(listen({ fetch, ...options }, {}), { requests });
}

/** Reads a response with a Content-Length, and leaves the bytes after it unread. */
export async function readOne(client: RawClient, hasBody = true): Promise<RawResponse> {
  const head = await client.readHead();
  const length = head.fields.find(([name]) => name === "content-length")?.[1];
  if (!hasBody || length === undefined) return head;
  const body = new TextDecoder().decode(await client.read(Number(length)));
  return { ...head, body };
}

/** Sends bytes, one character each, and reads `count` responses. The connection must then persist. */
export async function talk(
  server: HttpServer,
  text: string,
  count = 1,
): Promise<[client: RawClient, responses: RawResponse[]]> {
  const client = await RawClient.connect(server.port);
  await client.write(latin1(text));
  const responses: RawResponse[] = [];
  for (let i = 0; i < count; i++) responses.push(await readOne(client));
  return [client, responses];
}

/** Asserts that a connection persists: another request on it gets its response. */
export async function assertPersists(client: RawClient): Promise<void> {
  await client.write(latin1("GET /again HTTP/1.1\r\nHost: a\r\n\r\n"));
  assertEquals((await readOne(client)).body, "GET /again ");
}

/** Sends bytes, and reads all responses until the server has ended the connection. */
export async function talkToEnd(server: HttpServer, text: string): Promise<RawResponse[]> {
  await using client = await RawClient.connect(server.port);
  await client.write(latin1(text));
  const { bytes, by } = await client.readToEnd();
  assertEquals(by, "FIN");
  await client.end();
  return parseResponses(new TextDecoder("latin1").decode(bytes));
}

function parseResponses(text: string): RawResponse[] {
  const responses: RawResponse[] = [];
  for (let rest = text; rest !== "";) {
    const end = rest.indexOf("\r\n\r\n");
    const [statusLine = "", ...lines] = rest.slice(0, end).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
    assert(status >= 100, `not a status line: ${statusLine}`);
    const fields = lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    const length = fields.find(([name]) => name === "content-length")?.[1];
    const bodyEnd = length === undefined ? rest.length : end + 4 + Number(length);
    const raw = rest.slice(end + 4, bodyEnd);
    const { body } = decodeBody(lines.join("\n"), raw);
    responses.push({ statusLine, status, fields, body });
    rest = rest.slice(bodyEnd);
  }
  return responses;
}

/** The values of a field. */
export function valuesOf({ fields }: RawResponse, name: string): string[] {
  return fields.filter(([other]) => other === name).map(([, value]) => value);
}

/**
 * Asserts that the request is the last one which its connection has: it gets this status, with
 * `Connection: close`, nothing after it is read as a request, and the server serves on.
 */
export async function assertRejected(
  text: string,
  status: number,
  options: TestOptions = {},
): Promise<void> {
  await using server = serveHttp(options);
  const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
  const responses = await talkToEnd(server, text + smuggled);
  assertEquals(responses.map((response) => response.status), [status], text);
  assert(valuesOf(responses[0]!, "connection").join().includes("close"), text);
  assert(!server.requests.some((request) => request.includes("/smuggled")), text);
  const [client, [next]] = await talk(server, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  await using _ = client;
  assertEquals(next!.body, "GET /next ");
}
