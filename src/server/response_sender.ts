import { acquireBuffer, releaseBuffer } from "../protocol/fast_paths.ts";
import { concat, EMPTY } from "../protocol/bytes.ts";
import { encodeLatin1 } from "../http/header_writer.ts";
import { encodeHeadStart, LENGTH_ROOM, putLength } from "../http/response_head_encoder.ts";
import { ResponseBodyEncoder } from "../http/response_body_encoder.ts";
import { frameResponse } from "../http/response_framing.ts";
import type { ResponseFraming } from "../http/response_framing.ts";
import { responseHeadText } from "../http/response_writer.ts";
import { LoopBudget, turnBudget } from "../transport/turn_budget.ts";
import { cancelLater } from "../util/streams.ts";
import type { HttpResponder } from "./http_responder.ts";
import { closedError } from "./prepared_response.ts";
import type { PreparedResponse, ResponseInit } from "./prepared_response.ts";
import { beginBody, readerOf, toBytes } from "./response_body_reader.ts";
import type { BodyReader } from "./response_body_reader.ts";

/** A body, or a first piece of one, up to this size in bytes is written together with the head. */
const MAX_JOINED = 16_384;
/** A longer string is encoded without a look if it is ASCII. */
const MAX_SCANNED = 1024;
/** A string of ASCII up to this length is written faster by a loop than by a call of the runtime. */
const MAX_LOOPED = 128;

/** The work of a write, in units of {@linkcode TurnBudget.work}. */
const WRITE = 8;

const encoder = /* @__PURE__ */ new TextEncoder();

/** The cause of a response, such as the request that it answers. */
export interface ResponseOwner {
  /** Asked when the head is written: whether the connection may persist. */
  mayPersist(): boolean;
  /** The next response may be sent, or the connection is closed. */
  sent(isPersistent: boolean): void;
}

/** An error before any part of the response has been sent, so that another response can be sent. */
export class UnsentError extends Error {}

/**
 * Sends a response at once, whose body is in memory or that has none.
 *
 * @param responder The connection.
 * @param response The response.
 * @param init The request that it answers.
 * @param owner Decides on the connection, and learns of the end of the response.
 * @returns Whether it is sent; if not, `sendResponse()` has to send it.
 * @throws {UnsentError} If a field is invalid; its cause is the error.
 */
export function sendContent(
  responder: HttpResponder,
  response: PreparedResponse,
  init: ResponseInit,
  owner: ResponseOwner,
): boolean {
  if (response.content === undefined && response.body !== undefined) return false;
  const content = measurable(response.content);
  const framing = frame(response, init, content !== undefined, response.length ?? content?.length);
  const body = framing.sendsBody ? content! : EMPTY;
  // A length of the application's that is wrong is an error, at the place where the body ends.
  if (framing.sendsBody && framing.contentLength !== body.length) return false;
  const isPersistent = !framing.endsByClose && !response.closes && owner.mayPersist();
  if (isPersistent && init.minorVersion > 0) {
    const short = encodeShort(response, framing, body);
    if (short !== undefined) {
      if (responder.writeShort(short.buffer, short.size)) owner.sent(true);
      else responder.whenWritable(() => owner.sent(true));
      return true;
    }
  }
  const onWritten = () => owner.sent(isPersistent);
  const text = headText(response, framing, init, isPersistent);
  const head = typeof body === "string" ? text + body : text;
  if (head.length + body.length <= MAX_JOINED) {
    const buffer = acquireBuffer(head.length + body.length);
    // Nearly all heads are ASCII, which UTF-8 encodes as it is; other text is longer.
    if (encoder.encodeInto(head, buffer).written === head.length) {
      if (typeof body !== "string") buffer.set(body, head.length);
      const size = typeof body === "string" ? head.length : head.length + body.length;
      if (responder.writeShort(buffer, size)) onWritten();
      else responder.whenWritable(onWritten);
      return true;
    }
    releaseBuffer(buffer);
  }
  responder.write(encodeLatin1(text));
  responder.write(typeof body === "string" ? encoder.encode(body) : body).then(onWritten);
  return true;
}

/** Encodes a response of known length into a buffer of the pool; `undefined` if it is too long. */
function encodeShort(
  response: PreparedResponse,
  { contentLength }: ResponseFraming,
  body: string | Uint8Array,
): { buffer: Uint8Array<ArrayBuffer>; size: number } | undefined {
  if (contentLength === undefined) return undefined;
  const start = checked(() => encodeHeadStart(response, httpDate()));
  if (start === undefined) return undefined;
  const room = start.length + LENGTH_ROOM + body.length;
  if (room > MAX_JOINED) return undefined;
  const buffer = acquireBuffer(room);
  buffer.set(start);
  let size = putLength(buffer, start.length, contentLength);
  if (typeof body !== "string") {
    buffer.set(body, size);
  } else if (body.length > MAX_LOOPED) {
    encoder.encodeInto(body, buffer.subarray(size));
  } else {
    for (let i = 0; i < body.length; i++) buffer[size + i] = body.charCodeAt(i);
  }
  size += body.length;
  return { buffer, size };
}

/** Returns content whose length is its number of bytes. */
function measurable(content: string | Uint8Array | undefined): string | Uint8Array | undefined {
  if (typeof content !== "string") return content;
  let isAscii = content.length <= MAX_SCANNED;
  for (let i = 0; isAscii && i < content.length; i++) isAscii = content.charCodeAt(i) < 0x80;
  return isAscii ? content : encoder.encode(content);
}

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
  const sent = Promise.withResolvers<boolean>();
  const owner = { mayPersist: persists, sent: sent.resolve };
  if (sendContent(responder, response, init, owner)) return await sent.promise;
  const body = response.body ?? readerOf(response.content);
  const budget = new LoopBudget(turnBudget);
  responder.onceClosed = () => {
    budget.end();
    cancelLater(body, closedError());
  };
  try {
    return await sendWithBody(responder, response, body, init, persists, budget);
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
  budget: LoopBudget,
): Promise<boolean> {
  const begun = await beginBody(body, response.length).catch((cause) => {
    throw new UnsentError("Cannot send response: its body has failed", { cause });
  });
  let { reading } = begun;
  const framing = frame(response, init, true, begun.length);
  const encoder = new ResponseBodyEncoder(framing);
  const pieces = encodeFirst(encoder, begun.piece);
  const isPersistent = !framing.endsByClose && !response.closes && persists();
  const head = encodeLatin1(headText(response, framing, init, isPersistent));
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
    const piece = toBytes(value);
    await writeAll(responder, encoder.encode(piece));
    // A source that is always ready, and a client that is faster, must not block the event loop.
    await budget.spend(WRITE + (piece.length >>> 12));
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

function frame(
  { status }: PreparedResponse,
  { method, minorVersion }: ResponseInit,
  hasBody: boolean,
  length: number | undefined,
): ResponseFraming {
  return frameResponse({ method, minorVersion, status, hasBody, length });
}

function headText(
  { status, statusText, headers }: PreparedResponse,
  framing: ResponseFraming,
  { minorVersion }: ResponseInit,
  isPersistent: boolean,
): string {
  // RFC 9112 §9.3: HTTP/1.1 persists by default, HTTP/1.0 with "keep-alive" only.
  const connection = !isPersistent ? "close" : minorVersion === 0 ? "keep-alive" : "";
  const options = { framing, connection, date: httpDate() } as const;
  return checked(() => responseHeadText({ status, statusText, headers }, options));
}

/** @throws {UnsentError} If the head is invalid. */
function checked<Result>(encode: () => Result): Result {
  try {
    return encode();
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
