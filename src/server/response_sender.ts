import { concat } from "../protocol/bytes.ts";
import { ResponseBodyEncoder } from "../http/response_body_encoder.ts";
import { frameResponse } from "../http/response_framing.ts";
import type { ResponseFraming } from "../http/response_framing.ts";
import type { HeaderFields } from "../http/header_writer.ts";
import { includesToken } from "../http/token_list.ts";
import { writeResponseHead } from "../http/response_writer.ts";
import { lengthInMemory } from "../transport/bun_response.ts";
import { cancelLater } from "../util/streams.ts";
import { isText, TEXT_TYPE } from "./content_type.ts";
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
  /** Undefined if no body is sent. With HEAD the body is only read for its Content-Type. */
  readonly body: BodyReader | undefined;
  /** Whether the application asks to close the connection. */
  readonly closes: boolean;
  /** Whether the body needs the Content-Type of a string if it is text. */
  readonly lacksType: boolean;
}

/** The result of a read of a stream. */
interface ReadResult {
  done?: boolean;
  value?: unknown;
}

/** The members of a stream reader that are needed to send a body. */
interface BodyReader {
  /** Returns the length of a body that is in memory, in bytes. */
  length?(): Promise<number>;
  read(): Promise<ReadResult>;
  cancel(reason?: unknown): Promise<void>;
}

/** The number of microtasks to wait for a body that is available, but must be read as a stream. */
const READY_MICROTASKS = 8;
/** A first piece of the body up to this size, in bytes, is written together with the head. */
const MAX_JOINED = 16_384;

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
    const { status, statusText = "", bodyUsed, url = "" } = response;
    if (!(Number.isInteger(status) && status >= 200 && status <= 599)) {
      throw new RangeError(`Cannot send response: status ${status}, expected 200 to 599`);
    }
    // Before the body: on Bun, a Response derives its Content-Type when its headers are first read.
    let headers = toPairs(response.headers);
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
        isDecoded = url !== "" && DECODED.test(value);
      }
    }
    if (isDecoded) {
      headers = headers.filter(([name]) => !/^content-(?:encoding|length)$/i.test(name));
      length = undefined;
    }
    // Also before the body, which becomes a stream when it is first read.
    const inMemory = bodyUsed === true ? 0 : lengthInMemory(response);
    const lacksType = !hasType && inMemory > 0;
    const held = inMemory > 0 ? memoryReader(response as Response) : undefined;
    const body = held ?? response.body ?? undefined;
    const framing = frameResponse({ ...init, status, hasBody: body !== undefined, length });
    const isRead = framing.sendsBody || (lacksType && init.method === "HEAD");
    if (!isRead) discardBody(response);
    else if (bodyUsed === true) throw new TypeError("Cannot send response: its body has been used");
    const reader = isRead ? held ?? readerOf(body) : undefined;
    return { status, statusText, headers, length, body: reader, closes, lacksType };
  } catch (error) {
    discardBody(response);
    throw error;
  }
}

/** An error before any part of the response has been sent, so that another response can be sent. */
export class UnsentError extends Error {}

/**
 * Sends a response.
 *
 * @param responder The connection.
 * @param response The response.
 * @param init The request that it answers.
 * @param persists Asked when the head is written: whether the connection may persist.
 * @returns Whether the connection persists.
 * @throws {UnsentError} If the body fails before anything has been sent, or a field is invalid; its
 * cause is the error.
 * @throws {unknown} The error of the body's stream. The connection is then dropped, so that the client
 * can see that the body is incomplete.
 */
export async function sendResponse(
  responder: HttpResponder,
  response: PreparedResponse,
  init: ResponseInit,
  persists: () => boolean,
): Promise<boolean> {
  const { body } = response;
  if (body === undefined || init.method === "HEAD") {
    const framing = frameFor(response, init, false, response.length);
    const piece = body === undefined ? undefined : (await body.read()).value;
    if (body !== undefined) cancelLater(body, undefined);
    const { head, isPersistent } = writeHead(response, framing, init, persists, piece);
    await responder.write(head);
    return isPersistent;
  }
  responder.onceClosed = () => cancelLater(body, closedError());
  try {
    return await sendWithBody(responder, response, body, init, persists);
  } catch (error) {
    if (responder.isClosed) return false; // The application's stream reacts to the cancellation.
    cancelLater(body, error);
    if (!(error instanceof UnsentError)) responder.abort();
    throw error;
  } finally {
    responder.onceClosed = undefined;
  }
}

async function sendWithBody(
  responder: HttpResponder,
  response: PreparedResponse,
  body: BodyReader,
  init: ResponseInit,
  persists: () => boolean,
): Promise<boolean> {
  const begun = await beginBody(body, response.length).catch((cause) => {
    throw new UnsentError("Cannot send response: its body has failed", { cause });
  });
  let { reading } = begun;
  const framing = frameFor(response, init, true, begun.length);
  const encoder = new ResponseBodyEncoder(framing);
  const pieces = encodeFirst(encoder, begun.piece);
  const { head, isPersistent } = writeHead(response, framing, init, persists, begun.piece);
  const [start] = pieces;
  if (pieces.length === 1 && start!.length <= MAX_JOINED) {
    await responder.write(concat(head, start!));
  } else {
    responder.write(head);
    await writeAll(responder, pieces);
  }
  while (!responder.isClosed) {
    const { done, value } = await reading;
    if (done) {
      await responder.write(encoder.finish());
      return isPersistent;
    }
    await writeAll(responder, encoder.encode(toBytes(value)));
    // After the write: a closed connection has no use of the next piece.
    if (!responder.isClosed) reading = body.read();
  }
  return false;
}

function encodeFirst(
  encoder: ResponseBodyEncoder,
  piece: Uint8Array | undefined,
): readonly Uint8Array[] {
  try {
    return piece === undefined ? [] : encoder.encode(piece);
  } catch (cause) {
    throw new UnsentError("Cannot send response: its body is too long", { cause });
  }
}

/**
 * Reads the first piece of a body, if it is available. The head must not wait for the first data of a
 * stream, for example of server-sent events.
 */
async function beginBody(body: BodyReader, announced: number | undefined): Promise<{
  piece: Uint8Array | undefined;
  reading: Promise<ReadResult>;
  length: number | undefined;
}> {
  if (body.length !== undefined) {
    const length = announced ?? await body.length();
    const { value } = await body.read();
    return { piece: toBytes(value), reading: body.read(), length };
  }
  const reading = body.read();
  const first = await settledSoon(reading);
  if (first === undefined) return { piece: undefined, reading, length: announced };
  if (first.done) return { piece: undefined, reading, length: announced ?? 0 };
  const piece = toBytes(first.value);
  const next = body.read();
  next.catch(() => {}); // It is awaited after the first piece has been written.
  // A body that ends with its first piece, as one made of a string, is sent with its length.
  const second = announced === undefined ? await settledSoon(next) : undefined;
  return { piece, reading: next, length: second?.done ? piece.length : announced };
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

function frameFor(
  { status }: PreparedResponse,
  { method, minorVersion }: ResponseInit,
  hasBody: boolean,
  length: number | undefined,
): ResponseFraming {
  return frameResponse({ method, minorVersion, status, hasBody, length });
}

function writeHead(
  { status, statusText, headers, closes, lacksType }: PreparedResponse,
  framing: ResponseFraming,
  { minorVersion }: ResponseInit,
  persists: () => boolean,
  piece: unknown,
): { head: Uint8Array<ArrayBuffer>; isPersistent: boolean } {
  const isPersistent = !framing.endsByClose && !closes && persists();
  // RFC 9112 §9.3: HTTP/1.1 persists by default, HTTP/1.0 with "keep-alive" only.
  const connection = !isPersistent ? "close" : minorVersion === 0 ? "keep-alive" : "";
  try {
    const options = { framing, connection } as const;
    // Of two Date fields the first one is sent.
    const fields: [name: string, value: string][] = [["Date", httpDate()]];
    if (lacksType && piece instanceof Uint8Array && isText(piece)) {
      fields.push(["Content-Type", TEXT_TYPE]);
    }
    const response = { status, statusText, headers: [...fields, ...headers] };
    return { head: writeResponseHead(response, options), isPersistent };
  } catch (cause) {
    throw new UnsentError("Cannot send response: its head is invalid", { cause });
  }
}

/** The time of `dateText`, in seconds. */
let dateSeconds = 0;
let dateText = "";

/** Returns the value of a Date field, which has a resolution of a second. */
function httpDate(): string {
  const now = Date.now();
  const seconds = Math.floor(now / 1000);
  if (seconds !== dateSeconds) {
    dateSeconds = seconds;
    dateText = new Date(now).toUTCString();
  }
  return dateText;
}

function writeAll(responder: HttpResponder, pieces: readonly Uint8Array[]): Promise<void> {
  let written: Promise<void> = Promise.resolve();
  for (const piece of pieces) written = responder.write(piece);
  return written;
}

/** Returns the result of a promise that settles within a few microtasks, otherwise `undefined`. */
async function settledSoon(reading: Promise<ReadResult>): Promise<ReadResult | undefined> {
  let result: ReadResult | undefined;
  let isRejected = false;
  reading.then((value) => result = value, () => isRejected = true);
  for (let i = 0; i < READY_MICROTASKS && result === undefined && !isRejected; i++) await null;
  return isRejected ? await reading : result;
}

function toBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (!ArrayBuffer.isView(value)) {
    throw new TypeError("Cannot send body: expected a stream of Uint8Array");
  }
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

function toPairs(fields: HeaderFields = []): (readonly [name: string, value: string])[] {
  if (fields instanceof Headers) {
    // On Deno this takes a third of the time of the iterator.
    const pairs: [name: string, value: string][] = [];
    fields.forEach((value, name) => pairs.push([name, value]));
    return pairs;
  }
  const list = Symbol.iterator in fields ? [...fields] : Object.entries(fields);
  return list.map((pair) => {
    if (pair.length === 2) return [String(pair[0]), String(pair[1])] as const;
    throw new TypeError(`Cannot send response: a header of ${pair.length} items`);
  });
}

function parseLength(text: string): number {
  const length = /^\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(length)) return length;
  throw new TypeError(`Cannot send response: Content-Length "${text}", expected digits`);
}

/**
 * Returns a reader of a body in memory. To read a short one as a stream takes 5 us on Bun. The body is one
 * piece, so that all of it counts as queued bytes while the client reads.
 */
function memoryReader(response: Response): BodyReader {
  let bytes: Uint8Array | undefined;
  let isRead = false;
  return {
    length: async () => (bytes ??= await response.bytes()).length,
    async read() {
      bytes ??= await response.bytes();
      if (isRead || bytes.length === 0) return { done: true };
      isRead = true;
      return { done: false, value: bytes };
    },
    cancel: () => Promise.resolve(),
  };
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
