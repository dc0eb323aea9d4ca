import { writeResponseHead } from "../http/response_writer.ts";
import type { HttpResponder } from "./http_responder.ts";

/** Statuses whose answers have no body: RFC 9110 §6.4.1. */
const NO_BODY = new Set([204, 304]);

const CRLF = /* @__PURE__ */ new Uint8Array([13, 10]);
const LAST_CHUNK = /* @__PURE__ */ new Uint8Array([48, 13, 10, 13, 10]);
const textEncoder = /* @__PURE__ */ new TextEncoder();

/**
 * Sends a Web `Response` as the last thing on a connection.
 *
 * @param farewell The connection.
 * @param response The answer.
 * @param isHead Whether it answers a HEAD, which has no body.
 * @throws {unknown} what the body's stream throws: the connection is then dropped, so that the client
 * can tell that the body is cut short.
 */
export async function sendResponse(
  farewell: HttpResponder,
  response: Response,
  isHead: boolean,
): Promise<void> {
  const { body, headers, status } = response;
  const hasBody = body !== null && !isHead && !NO_BODY.has(status);
  // RFC 9112 §6.3: without a length and without chunks, a body that is cut short looks complete.
  const chunked = hasBody && !headers.has("content-length");
  await farewell.write(writeResponseHead(response, {
    date: new Date(),
    chunked,
    ...(body === null && !isHead ? { contentLength: 0 } : {}),
  }));
  if (hasBody) await sendBody(farewell, body, chunked);
  else await body?.cancel();
  farewell.finish();
}

async function sendBody(
  farewell: HttpResponder,
  body: ReadableStream<Uint8Array>,
  chunked: boolean,
): Promise<void> {
  const reader = body.getReader();
  const cancel = (reason?: unknown) => reader.cancel(reason).catch(() => {});
  // A body that has nothing to say for now would not notice that nobody listens any more.
  farewell.gone.then(() => cancel());
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!(value instanceof Uint8Array)) {
        throw new TypeError("Cannot send body: expected a stream of Uint8Array");
      }
      // RFC 9112 §7.1: a chunk of no bytes would be the last one.
      if (value.length > 0) await farewell.write(chunked ? toChunk(value) : value);
    }
    if (chunked) await farewell.write(LAST_CHUNK);
  } catch (error) {
    farewell.abort();
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
