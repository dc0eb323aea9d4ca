import { consistsOf, PLAIN_TARGET, quote } from "./characters.ts";
import { HandshakeError } from "./errors.ts";
import { parseHost, parseTarget } from "./host.ts";
import type { HeaderList } from "./header_list.ts";
import type { RequestHead } from "./request_head_parser.ts";

/** Options of {@linkcode toRequest}. */
export interface ToRequestOptions {
  /**
   * The scheme of the request's URL, which is that of the listener.
   *
   * @default {"http"}
   */
  scheme?: "http" | "https" | undefined;
  /**
   * The signal of the request, which aborts when the client has left.
   *
   * @default {undefined} a signal that never aborts
   */
  signal?: AbortSignal | undefined;
  /**
   * The body of the request. A GET or HEAD must have none.
   *
   * @default {null}
   */
  body?: ReadableStream<Uint8Array<ArrayBuffer>> | Uint8Array<ArrayBuffer> | null | undefined;
}

/** The parts of a valid request's URL. */
export interface RequestTarget {
  /** The host, with an optional port. */
  readonly host: string;
  /** The path and the query. That of the asterisk-form is `/*`. */
  readonly path: string;
}

/** Methods that `Request` refuses. CONNECT is for proxies, and TRACE would send cookies back. */
const REFUSED_METHODS: ReadonlySet<string> = /* @__PURE__ */ new Set(["CONNECT", "TRACE", "TRACK"]);

/**
 * Validates a plain HTTP request with a body of any length, for {@linkcode toRequest}. The framing of
 * the body is validated by `requestBodyLength`.
 *
 * @param head The request's head.
 * @returns The parts of its URL, for {@linkcode requestUrl}.
 * @throws {HandshakeError} If the request is invalid: 501 for a method that is not implemented,
 * otherwise 400.
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-3.2 RFC 9112 §3.2}
 */
export function validateRequest(head: RequestHead): RequestTarget {
  const host = parseHost(head);
  const { method } = head;
  // RFC 9110 §9.1: "An origin server that receives a request method that is unrecognized or not
  // implemented SHOULD respond with the 501 (Not Implemented) status code."
  // Upper case is made of few methods only, for it takes long.
  const { length } = method;
  if ((length === 5 || length === 7) && REFUSED_METHODS.has(method.toUpperCase())) {
    throw new HandshakeError(`Cannot accept request: method ${quote(method)} is not implemented`, {
      code: "ERR_HANDSHAKE_METHOD",
      status: 501,
    });
  }
  return { host, path: requestPath(head, host) };
}

/** Characters of a query that the URL parser encodes. It leaves a valid path as it is. */
const ENCODED = /["'<>]/;
/** The last host, with its scheme, and the origin that the URL parser makes of them. */
let lastHost = "";
let lastScheme = "";
let lastOrigin = "";

/** Returns the URL of a request that is valid, as `Request` has it. */
export function requestUrl(scheme: "http" | "https", { host, path }: RequestTarget): string {
  if (host !== lastHost || scheme !== lastScheme) {
    lastOrigin = new URL(`${scheme}://${host}/`).origin;
    lastHost = host;
    lastScheme = scheme;
  }
  const isEncoded = !consistsOf(PLAIN_TARGET, path) && ENCODED.test(path);
  return isEncoded ? new URL(lastOrigin + path).href : lastOrigin + path;
}

/**
 * Returns the Web `Request` that the application is given.
 *
 * Its URL is made of the Host and the target. It has every header field, those of the handshake
 * included. A head that `parseUpgradeRequest` or `validateHttpRequest` has validated never fails, so
 * the `Request` may be made late, or not at all.
 *
 * @param head The request's head.
 * @param options The scheme and the signal.
 * @throws {HandshakeError} If the head has no valid Host or target, or a method that `Request`
 * refuses: 400.
 */
export function toRequest(head: RequestHead, options: ToRequestOptions = {}): Request {
  const { scheme = "http", signal, body = null } = options;
  const host = parseHost(head);
  const url = `${scheme}://${host}${requestPath(head, host)}`;
  const init: RequestInit & { duplex?: "half" } = { method: head.method };
  if (signal !== undefined) init.signal = signal;
  if (body !== null) {
    init.body = body;
    init.duplex = "half";
  }
  try {
    const request = new Request(url, init);
    // Fields in `init` would take two to five times as long.
    appendFields(request.headers, head.headers);
    // RFC 9110 §9.1: methods are case-sensitive, and any token is one. `Request` writes some in upper
    // case, and on Bun it takes GET for those that it does not know.
    if (request.method !== head.method) {
      Object.defineProperty(request, "method", { value: head.method, configurable: true });
    }
    return request;
  } catch (cause) {
    throw new HandshakeError(`Cannot make a Request: ${cause}`, {
      code: "ERR_HANDSHAKE_REQUEST",
      cause,
    });
  }
}

/** Returns the path and the query of a request-target. That of the asterisk-form is `/*`. */
function requestPath({ method, target }: RequestHead, host: string): string {
  // RFC 9112 §3.2.4: "The "asterisk-form" of request-target is only used for a server-wide OPTIONS
  // request".
  if (target === "*" && method === "OPTIONS") return "/*";
  return parseTarget(target, host);
}

/** Appends all field lines. Cookie lines are joined with "; ", since `Headers` would use ", ". */
export function appendFields(to: Headers, headers: HeaderList): void {
  let cookies: string | undefined;
  for (const [name, value] of headers) {
    if (name !== "cookie") to.append(name, value);
    else cookies = cookies === undefined ? value : `${cookies}; ${value}`;
  }
  if (cookies !== undefined) to.append("cookie", cookies);
}
