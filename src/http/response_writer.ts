import { checkNames } from "../protocol/options.ts";
import { consistsOf, FIELD_VALUE, quote } from "./characters.ts";
import type { HandshakeError } from "./errors.ts";
import type { ResponseFraming } from "./response_framing.ts";
import { CONNECTION_FIELDS, encodeLatin1, field, pairs } from "./header_writer.ts";

/** The parts of a Web `Response` that its head is made of. */
export interface ResponseLike {
  /** The status, 200 to 599. */
  readonly status: number;
  /** The reason phrase. If it is empty, the standard one of the status is written. */
  readonly statusText: string;
  /** The header fields. */
  readonly headers: Iterable<readonly string[]>;
}

/** Options of {@linkcode writeErrorResponse}. */
export interface ErrorResponseOptions {
  /**
   * The time of the Date field.
   *
   * @default {undefined} no Date
   */
  date?: Date | undefined;
  /**
   * Whether to leave the body out, for a response to HEAD.
   *
   * @default {false}
   */
  omitBody?: boolean | undefined;
}

/** Options of {@linkcode writeResponseHead}. */
export interface ResponseHeadOptions {
  /**
   * The time of the Date field, or its value.
   *
   * @default {undefined} the Date of the response, if any
   */
  date?: Date | string | undefined;
  /**
   * The length of the body in bytes, if known.
   *
   * @default {undefined} the Content-Length of the response, if any
   */
  contentLength?: number | undefined;
  /**
   * Whether the body has the chunked coding (RFC 9112 §7.1), since its length is unknown.
   *
   * @default {false}
   */
  chunked?: boolean | undefined;
  /**
   * The framing of the response. It replaces `contentLength`, `chunked`, and the Content-Length of the
   * response.
   *
   * @default {undefined}
   */
  framing?: ResponseFraming | undefined;
  /**
   * The connection option to send: `"close"` if the connection ends after the response, `"keep-alive"`
   * to a client of HTTP/1.0 if it does not, and `""` for none.
   *
   * @default {"close"}
   */
  connection?: "close" | "keep-alive" | "" | undefined;
}

/** The reason phrases of common statuses. Other statuses are written without one. */
const REASONS: ReadonlyMap<number, string> = /* @__PURE__ */ new Map([
  [200, "OK"],
  [201, "Created"],
  [202, "Accepted"],
  [204, "No Content"],
  [205, "Reset Content"],
  [206, "Partial Content"],
  [301, "Moved Permanently"],
  [302, "Found"],
  [303, "See Other"],
  [304, "Not Modified"],
  [307, "Temporary Redirect"],
  [308, "Permanent Redirect"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [406, "Not Acceptable"],
  [408, "Request Timeout"],
  [409, "Conflict"],
  [410, "Gone"],
  [411, "Length Required"],
  [412, "Precondition Failed"],
  [413, "Content Too Large"],
  [414, "URI Too Long"],
  [415, "Unsupported Media Type"],
  [416, "Range Not Satisfiable"],
  [417, "Expectation Failed"],
  [422, "Unprocessable Content"],
  [426, "Upgrade Required"],
  [429, "Too Many Requests"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
  [501, "Not Implemented"],
  [502, "Bad Gateway"],
  [503, "Service Unavailable"],
  [504, "Gateway Timeout"],
  [505, "HTTP Version Not Supported"],
]);

/** The second of the last Date, since 1970, and its text: formatting takes longer than all else. */
let lastSecond = -1;
let lastDate = "";

function formatDate(date: Date): string {
  const second = Math.floor(date.getTime() / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastDate = date.toUTCString();
  }
  return lastDate;
}

const utf8: TextEncoder = new TextEncoder();

/**
 * Encodes the whole HTTP response to a refused handshake. The connection closes after it.
 *
 * @param error The status, the fields, and the message, which becomes the body.
 * @param options The date, and whether to leave the body out.
 * @throws {TypeError} If one of the error's header fields is invalid, or an option is unknown.
 *
 * @example
 * ```ts
 * import { upgradeRequired, writeErrorResponse } from "@sluice/websocket/handshake";
 * import { assert } from "@std/assert";
 *
 * const bytes = writeErrorResponse(upgradeRequired(), { date: new Date() });
 * assert(new TextDecoder().decode(bytes).startsWith("HTTP/1.1 426 Upgrade Required\r\n"));
 * ```
 */
export function writeErrorResponse(
  error: HandshakeError,
  options: ErrorResponseOptions = {},
): Uint8Array<ArrayBuffer> {
  checkNames("writeErrorResponse()", options, ["date", "omitBody"]);
  const body = utf8.encode(`${error.message}\n`);
  const headers = [...error.headers, ["Content-Type", "text/plain; charset=utf-8"]];
  // RFC 9110 §10.2.3: "how long the user agent ought to wait before making a follow-up request".
  if (error.retryAfter !== undefined) headers.push(["Retry-After", `${error.retryAfter}`]);
  const response = { status: error.status, statusText: "", headers };
  const head = writeResponseHead(response, { date: options.date, contentLength: body.length });
  if (options.omitBody === true) return head;
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

/**
 * Encodes the head of a response to a plain HTTP request. The caller sends the body after it and
 * closes the connection, which ends a body of unknown length.
 *
 * Fields that describe the connection, such as Connection, Transfer-Encoding and Keep-Alive, are not
 * copied from the response. Set-Cookie keeps one line for each cookie.
 *
 * @param response A Web `Response`, or an object with the same members.
 * @param options The date and the length of the body.
 * @throws {RangeError} If the status is not 200 to 599.
 * @throws {TypeError} If the reason phrase, or a field's name or value, is invalid.
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-4 RFC 9112 §4}
 */
export function writeResponseHead(
  response: ResponseLike,
  options: ResponseHeadOptions = {},
): Uint8Array<ArrayBuffer> {
  return encodeLatin1(responseHeadText(response, options));
}

/** Returns the head as {@linkcode writeResponseHead} encodes it: one byte for each character. */
export function responseHeadText(
  response: ResponseLike,
  options: ResponseHeadOptions,
): string {
  const { status } = response;
  if (!(Number.isInteger(status) && status >= 200 && status <= 599)) {
    throw new RangeError(`Cannot write response: status ${status}, expected 200 to 599`);
  }
  const reason = response.statusText || REASONS.get(status) || "";
  if (!consistsOf(FIELD_VALUE, reason)) {
    throw new TypeError(`Cannot write response: reason phrase ${quote(reason)}`);
  }
  const { framing } = options;
  let length = (framing ?? options).contentLength?.toString();
  let date = typeof options.date === "object" ? formatDate(options.date) : options.date;
  let connection: string = options.connection ?? "close";
  let fields = "";
  const add = (value: string, name: string) => {
    const lower = name.toLowerCase();
    if (CONNECTION_FIELDS.has(lower)) return;
    if (lower === "content-length") {
      if (framing === undefined) length ??= value;
      return;
    }
    if (lower === "date") {
      date ??= value;
      return;
    }
    // RFC 9110 §7.8: "A sender of Upgrade MUST also send an "Upgrade" connection option".
    if (lower === "upgrade") connection = connection === "" ? "Upgrade" : `Upgrade, ${connection}`;
    fields += field(name, value);
  };
  // Iterating over `Headers` takes several times as long as `forEach()`.
  if (response.headers instanceof Headers) response.headers.forEach(add);
  else for (const [name, value] of pairs(response.headers)) add(value, name);
  // RFC 9110 §6.6.1: an origin server with a clock "MUST generate a Date header field".
  if (date !== undefined) {
    fields += date === options.date ? `Date: ${date}\r\n` : field("Date", date);
  }
  // RFC 9110 §8.6: "A server MUST NOT send a Content-Length header field in any response with a
  // status code of 1xx (Informational) or 204 (No Content)."
  if (framing?.isChunked ?? options.chunked) fields += "Transfer-Encoding: chunked\r\n";
  else if (length !== undefined && status !== 204) fields += field("Content-Length", length);
  if (connection !== "") fields += `Connection: ${connection}\r\n`;
  // RFC 9112 §4: the SP after the status is sent "even when the reason-phrase is absent".
  return `HTTP/1.1 ${status} ${reason}\r\n${fields}\r\n`;
}
