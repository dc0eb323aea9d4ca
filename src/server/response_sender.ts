import type { HeaderFields } from "../http/header_writer.ts";
import { writeResponseHead } from "../http/response_writer.ts";
import { cancelLater } from "../util/streams.ts";
import type { HttpResponder } from "./http_responder.ts";

/**
 * A `Response` of any class and realm: of the platform, of undici, of node-fetch. An object with a
 * numeric `status` is taken for one.
 */
export interface AnyResponse {
  readonly status: number;
  readonly statusText?: string;
  readonly headers?: HeaderFields;
  readonly body?: unknown;
  readonly bodyUsed?: boolean;
}

/** Whether a value is a `Response` of any class. */
export function isResponse(value: unknown): value is AnyResponse {
  return typeof value === "object" && value !== null &&
    typeof (value as { status?: unknown }).status === "number";
}

/** A response whose head has been written, and whose body can be read. */
export interface PreparedResponse {
  readonly head: Uint8Array<ArrayBuffer>;
  /** Undefined if the response has no body. */
  readonly body: BodyReader | undefined;
  readonly isChunked: boolean;
}

/** The members of a stream reader that are needed to send a body. */
interface BodyReader {
  read(): Promise<{ done?: boolean; value?: unknown }>;
  cancel(reason?: unknown): Promise<void>;
}

/** The statuses whose responses have no body: RFC 9110 §6.4.1. */
const STATUSES_WITHOUT_BODY = new Set([204, 304]);

const CRLF = /* @__PURE__ */ new Uint8Array([13, 10]);
const LAST_CHUNK = /* @__PURE__ */ new Uint8Array([48, 13, 10, 13, 10]);
const textEncoder = /* @__PURE__ */ new TextEncoder();

/**
 * Prepares a response to be sent.
 *
 * @param response The application's response.
 * @param isHead Whether the request is a HEAD, whose response has no body.
 * @throws {TypeError} If the body has been read, or is no stream of bytes, or a field is invalid.
 * @throws {RangeError} If the status is not 200 to 599, as that of `Response.error()`.
 */
export function prepareResponse(response: AnyResponse, isHead: boolean): PreparedResponse {
  const { status, statusText = "", bodyUsed } = response;
  const body = response.body ?? null;
  const hasBody = body !== null && !isHead && !STATUSES_WITHOUT_BODY.has(status);
  try {
    const headers = toPairs(response.headers);
    // RFC 9112 §6.3: without a length and without chunks, a body that is cut short looks complete.
    const isChunked = hasBody && !headers.some(([name]) => /^content-length$/i.test(name!));
    const head = writeResponseHead({ status, statusText, headers }, {
      date: new Date(),
      chunked: isChunked,
      ...(body === null && !isHead ? { contentLength: 0 } : {}),
    });
    if (!hasBody) {
      discardBody(response);
      return { head, body: undefined, isChunked };
    }
    if (bodyUsed === true) throw new TypeError("Cannot send response: its body has been used");
    return { head, body: readerOf(body), isChunked };
  } catch (error) {
    discardBody(response);
    throw error;
  }
}

/**
 * Sends a response as the last data of a connection.
 *
 * @throws {unknown} The error of the body's stream. The connection is then dropped, so that the client
 * can see that the body is incomplete.
 */
export async function sendResponse(
  responder: HttpResponder,
  { head, body, isChunked }: PreparedResponse,
): Promise<void> {
  const written = responder.write(head);
  if (body !== undefined) {
    await written;
    await sendBody(responder, body, isChunked);
  }
  responder.finish();
}

/** Cancels the body of a response that is not sent. */
export function discardBody(response: unknown): void {
  if (!isResponse(response)) return;
  const body = response.body as Partial<ReadableStream> & { destroy?: () => void } | null;
  if (typeof body?.cancel === "function" && body.locked !== true) {
    cancelLater(body as ReadableStream, closedError());
  } else if (typeof body?.destroy === "function") {
    body.destroy(); // A node:stream.
  }
}

async function sendBody(
  responder: HttpResponder,
  reader: BodyReader,
  isChunked: boolean,
): Promise<void> {
  // The next write would notice a closed connection, but an idle body does not write.
  responder.closed.then(() => cancelLater(reader, closedError()));
  try {
    while (!responder.isClosed) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!ArrayBuffer.isView(value)) {
        throw new TypeError("Cannot send body: expected a stream of Uint8Array");
      }
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      // RFC 9112 §7.1: a chunk of no bytes would be the last one.
      if (bytes.length > 0) await responder.write(isChunked ? toChunk(bytes) : bytes);
    }
    if (isChunked) await responder.write(LAST_CHUNK);
  } catch (error) {
    if (responder.isClosed) return; // The application's stream reacts to the cancellation.
    responder.abort();
    cancelLater(reader, error);
    throw error;
  }
}

function closedError(): DOMException {
  return new DOMException("The client has closed the connection", "AbortError");
}

function toPairs(fields: HeaderFields = []): (readonly string[])[] {
  return Symbol.iterator in fields ? [...fields] : Object.entries(fields);
}

function readerOf(body: unknown): BodyReader {
  if (typeof body === "string" || ArrayBuffer.isView(body) || body instanceof Blob) {
    return new Response(body as BodyInit).body!.getReader();
  }
  const { getReader } = body as Partial<ReadableStream>;
  if (typeof getReader === "function") return getReader.call(body) as BodyReader;
  // node-fetch has a node:stream there.
  const iterate = (body as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator];
  if (typeof iterate !== "function") {
    throw new TypeError("Cannot send response: its body is no stream");
  }
  const iterator = iterate.call(body);
  return {
    read: () => iterator.next(),
    cancel: async () => void await iterator.return?.(),
  };
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
