import { frameResponse } from "../http/response_framing.ts";
import { pairs } from "../http/header_writer.ts";
import type { HeaderFields } from "../http/header_writer.ts";
import { includesToken } from "../http/token_list.ts";
import { takeMemoryContent } from "../transport/bun_response.ts";
import { takeStaticContent } from "../transport/deno_response.ts";
import { cancelLater } from "../util/streams.ts";
import { readerOf } from "./response_body_reader.ts";
import type { BodyReader } from "./response_body_reader.ts";

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
  readonly url?: string;
}

/** Whether a value is a `Response` of any class. */
export function isResponse(value: unknown): value is AnyResponse {
  return typeof value === "object" && value !== null &&
    typeof (value as { status?: unknown }).status === "number";
}

/** The parts of a request that determine how its response is sent. */
export interface ResponseInit {
  readonly method: string;
  readonly minorVersion: number;
}

/** A response that has been checked, and whose body can be read. */
export interface PreparedResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The length of the body that the application announces. */
  readonly length: number | undefined;
  /** The body, if it is in memory. It is not sent in a response without a body. */
  readonly content: string | Uint8Array<ArrayBuffer> | undefined;
  /** The body, if it is a stream; `undefined` if no body is sent. */
  readonly body: BodyReader | undefined;
  /** Whether the application asks to close the connection. */
  readonly closes: boolean;
}

/** The Content-Type of a response made of a string, as Fetch has it. */
const TEXT_TYPE = "text/plain;charset=UTF-8";

/** The codings that `fetch()` of the runtimes decodes. */
const DECODED = /^(?:gzip|x-gzip|deflate|br|zstd)$/i;

/**
 * Checks a response before anything of it is sent.
 *
 * @param response The application's response.
 * @param init The request that it answers.
 * @throws {TypeError} If the body has been read, or is not a stream.
 * @throws {RangeError} If the status is not 200 to 599, for example that of `Response.error()`.
 */
export function prepareResponse(response: AnyResponse, init: ResponseInit): PreparedResponse {
  try {
    const { status, statusText = "" } = response;
    if (!(Number.isInteger(status) && status >= 200 && status <= 599)) {
      throw new RangeError(`Cannot send response: status ${status}, expected 200 to 599`);
    }
    const fixed = takeStaticContent(response);
    // Before the body: on Bun, a Response derives its Content-Type when its headers are first read.
    let headers = fixed?.onlyType === undefined
      ? toPairs(response.headers)
      : [["Content-Type", fixed.onlyType] as const];
    let length: number | undefined;
    let closes = false;
    let isDecoded = false;
    let hasType = false;
    for (const [name, value] of headers) {
      // Each of these names has a length of its own among the usual fields, which is cheap to compare.
      if (name.length === 14 && name.toLowerCase() === "content-length") {
        length = parseLength(value);
      } else if (name.length === 12 && !hasType) {
        hasType = name.toLowerCase() === "content-type";
      } else if (name.length === 10 && name.toLowerCase() === "connection") {
        closes ||= includesToken(value, "close");
      } else if (name.length === 16 && name.toLowerCase() === "content-encoding") {
        // The runtime has decoded the body of a response that it has fetched.
        isDecoded = (response.url ?? "") !== "" && DECODED.test(value);
      }
    }
    if (isDecoded) {
      headers = headers.filter(([name]) => !/^content-(?:encoding|length)$/i.test(name));
      length = undefined;
    }
    let content = fixed?.content;
    if (content === undefined) {
      const memory = takeMemoryContent(response, hasType);
      if (memory?.isText) headers.push(["Content-Type", TEXT_TYPE]);
      content = memory?.content;
    }
    const body = content === undefined ? bodyReader(response, init, length) : undefined;
    return { status, statusText, headers, length, content, body, closes };
  } catch (error) {
    discardBody(response);
    throw error;
  }
}

/** Returns the reader of a body that is a stream and is sent; otherwise the body is cancelled. */
function bodyReader(
  response: AnyResponse,
  { method, minorVersion }: ResponseInit,
  length: number | undefined,
): BodyReader | undefined {
  const { status, body } = response;
  const hasBody = body !== undefined && body !== null;
  const { sendsBody } = frameResponse({ method, minorVersion, status, hasBody, length });
  if (!sendsBody) {
    discardBody(response);
    return undefined;
  }
  if (response.bodyUsed === true) {
    throw new TypeError("Cannot send response: its body has been used");
  }
  return hasBody ? readerOf(body) : undefined;
}

/** Cancels the body of a response that is not sent. */
export function discardBody(response: unknown): void {
  if (!isResponse(response)) return;
  const body = response.body as Partial<ReadableStream> & { destroy?: () => void } | null;
  if (typeof body?.cancel === "function") {
    if (body.locked !== true) cancelLater(body as ReadableStream, closedError());
  } else if (typeof body?.destroy === "function") {
    body.destroy(); // A node:stream.
  }
}

/** The reason of a signal and of a cancellation when the client has left. */
export function closedError(): DOMException {
  return new DOMException("The client has closed the connection", "AbortError");
}

function toPairs(fields: HeaderFields = []): (readonly [name: string, value: string])[] {
  if (fields instanceof Headers) {
    // On Deno this takes a third of the time of the iterator.
    const list: [name: string, value: string][] = [];
    fields.forEach((value, name) => list.push([name, value]));
    return list;
  }
  return [...pairs(fields)];
}

function parseLength(text: string): number {
  const length = /^\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(length)) return length;
  throw new TypeError(`Cannot send response: Content-Length "${text}", expected digits`);
}
