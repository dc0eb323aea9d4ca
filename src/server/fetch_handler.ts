import { internalServerError } from "../http/errors.ts";
import { toRequest } from "../http/request.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import { writeResponseHead } from "../http/response_writer.ts";
import type { RequestInfo } from "./accept_options.ts";
import type { HttpResponder } from "./http_responder.ts";

/** The statuses whose responses have no body: RFC 9110 §6.4.1. */
const STATUSES_WITHOUT_BODY = new Set([204, 304]);

const CRLF = /* @__PURE__ */ new Uint8Array([13, 10]);
const LAST_CHUNK = /* @__PURE__ */ new Uint8Array([48, 13, 10, 13, 10]);
const textEncoder = /* @__PURE__ */ new TextEncoder();

/** A plain HTTP request, and what it is answered with. */
export interface FetchInit {
  /** The server's `fetch()`. */
  fetch: (request: Request, info: RequestInfo) => Response | Promise<Response>;
  /** The request head, which has been validated. */
  head: RequestHead;
  responder: HttpResponder;
  info: RequestInfo;
  scheme: "http" | "https";
  /** Receives the errors of `fetch()` and of the stream of its response. */
  report: (error: unknown) => void;
}

/** Answers a plain HTTP request with the result of `fetch()`, or with 500 if it throws. Never rejects. */
export async function answerWithFetch(init: FetchInit): Promise<void> {
  const { fetch, head, responder, info, scheme, report } = init;
  const isHead = head.method === "HEAD";
  try {
    let response: Response;
    try {
      response = await fetch(toRequest(head, { scheme }), info);
      if (!(response instanceof Response)) {
        throw new TypeError(`Cannot answer: expected fetch() to give a Response`);
      }
    } catch (error) {
      report(error);
      response = new Response(`${internalServerError(error).message}\n`, { status: 500 });
    }
    await sendResponse(responder, response, isHead);
  } catch (error) {
    responder.abort();
    report(error);
  }
}

/**
 * Sends a Web `Response` as the last data of a connection.
 *
 * @param responder The writer of the connection.
 * @param response The response.
 * @param isHead Whether the request is a HEAD, whose response has no body.
 * @throws {unknown} The error of the body's stream. The connection is then dropped, so that the client
 * can see that the body is incomplete.
 */
export async function sendResponse(
  responder: HttpResponder,
  response: Response,
  isHead: boolean,
): Promise<void> {
  const { body, headers, status } = response;
  const hasBody = body !== null && !isHead && !STATUSES_WITHOUT_BODY.has(status);
  // RFC 9112 §6.3: without a length and without chunks, a body that is cut short looks complete.
  const chunked = hasBody && !headers.has("content-length");
  await responder.write(writeResponseHead(response, {
    date: new Date(),
    chunked,
    ...(body === null && !isHead ? { contentLength: 0 } : {}),
  }));
  if (hasBody) await sendBody(responder, body, chunked);
  else await body?.cancel();
  responder.finish();
}

async function sendBody(
  responder: HttpResponder,
  body: ReadableStream<Uint8Array>,
  chunked: boolean,
): Promise<void> {
  const reader = body.getReader();
  const cancel = (reason?: unknown) => reader.cancel(reason).catch(() => {});
  // The next write would notice a closed connection, but an idle body does not write.
  responder.closed.then(() => cancel());
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!(value instanceof Uint8Array)) {
        throw new TypeError("Cannot send body: expected a stream of Uint8Array");
      }
      // RFC 9112 §7.1: a chunk of no bytes would be the last one.
      if (value.length > 0) await responder.write(chunked ? toChunk(value) : value);
    }
    if (chunked) await responder.write(LAST_CHUNK);
  } catch (error) {
    responder.abort();
    cancel(error);
    throw error;
  }
}

/** RFC 9112 §7.1: `chunk = chunk-size CRLF chunk-data CRLF`. */
function toChunk(bytes: Uint8Array): Uint8Array {
  const size = textEncoder.encode(bytes.length.toString(16));
  const chunk = new Uint8Array(size.length + bytes.length + 4);
  chunk.set(size);
  chunk.set(CRLF, size.length);
  chunk.set(bytes, size.length + 2);
  chunk.set(CRLF, chunk.length - 2);
  return chunk;
}
