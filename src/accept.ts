import type { PerMessageDeflateOptions } from "./extensions/deflate_options.ts";
import type { Extension } from "./extensions/extension.ts";
import { acceptOffers } from "./extensions/negotiation.ts";
import { HandshakeError } from "./handshake/errors.ts";
import { serializeExtensions } from "./handshake/header_grammar.ts";
import { resolveCompression } from "./compression.ts";
import { computeAcceptKey } from "./handshake/accept_key.ts";
import { createOriginCheck } from "./handshake/origin.ts";
import type { OriginCheck, OriginPolicy } from "./handshake/origin.ts";
import { toRequest } from "./handshake/request.ts";
import type { RequestHead } from "./handshake/request_head_parser.ts";
import { writeErrorResponse, writeUpgradeResponse } from "./handshake/response.ts";
import type { HeaderFields } from "./handshake/response.ts";
import { chooseProtocol, selectProtocol } from "./handshake/subprotocol.ts";
import {
  isUpgrade,
  parseUpgradeRequest,
  upgradeRequired,
  validateHttpRequest,
} from "./handshake/upgrade_request.ts";
import type { UpgradeRequest } from "./handshake/upgrade_request.ts";
import { resolveLimits } from "./protocol/limits.ts";
import type { Limits } from "./protocol/limits.ts";
import { toTransport } from "./transport/runtime.ts";
import type { Conn } from "./transport/runtime.ts";
import type { Addr, Transport } from "./transport/transport.ts";
import { openConnection, startConnection } from "./connection.ts";
import type { ConnectionInit, WebSocketConnection } from "./connection.ts";
import { Farewell } from "./farewell.ts";
import { Opening } from "./opening.ts";
import type { OpeningOwner } from "./opening.ts";
import { sendResponse } from "./plain_http.ts";

/** What is known of a request beside what the `Request` says. */
export interface RequestInfo {
  /** The address of the other end: the proxy's, where there is one. */
  readonly remoteAddr: Addr;
}

/** What `upgrade()` is told beside the `Request`. */
export interface UpgradeInfo extends RequestInfo {
  /** The subprotocols that the client offers, the one it likes best first. */
  readonly protocols: readonly string[];
}

/** What `upgrade()` says of a connection that it lets in. */
export interface UpgradeOptions<Data = unknown> {
  /**
   * The subprotocol: one of those that the client offers.
   *
   * @default {undefined} the first of `protocols` that is offered
   */
  protocol?: string | undefined;
  /** Header fields to add to the 101, such as a cookie. */
  headers?: HeaderFields;
  /** What to attach to the connection, as its `data`. */
  data?: Data;
}

/** What `upgrade()` may give back. */
export type UpgradeResult<Data> = UpgradeOptions<Data> | Response | undefined | void;

/** Options of {@linkcode accept}, and those of `serve()` that are about one connection. */
export interface AcceptOptions<Data = unknown> {
  /**
   * Decides on a request whose handshake is right: gives back what to do with it, or a `Response` that
   * refuses it. Where it throws, the client gets a 500.
   */
  upgrade?: (
    request: Request,
    info: UpgradeInfo,
  ) => UpgradeResult<Data> | Promise<UpgradeResult<Data>>;
  /**
   * The subprotocols that this server speaks, the one it likes best first: the first that the client
   * offers is chosen.
   *
   * @default {[]} none
   */
  protocols?: readonly string[];
  /**
   * Which pages may connect, beside those of this very host: a list of origins such as
   * `"https://example.com"`, a function, or `"*"` for all. A browser sends the origin of its page, and
   * cookies with it: to let all in lets any page act for your users.
   *
   * @default {[]} those of this host, and whatever is not a browser
   * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-10.2 RFC 6455 §10.2}
   */
  origins?: OriginPolicy;
  /**
   * The scheme of the requests' URLs: `"https"` where TLS ends here, or at a proxy in front.
   *
   * @default {"http"} and `"https"` where `serve()` has `tls`
   */
  scheme?: "http" | "https";
  /**
   * Whether, and how, messages are compressed for clients that offer permessage-deflate (RFC 7692);
   * `true` for its defaults: windows of 12 bits (4 KiB), `memLevel` 5, level 1, messages of 1 KiB and
   * more. It costs processor time, and memory: less than 1 KiB a connection until a message comes or
   * goes compressed, then about 10 KiB for what comes (33 KiB from a client whose window can't be
   * limited) and 3 KiB for what goes.
   *
   * Send with `compress: false` what has a secret next to text that somebody else chose: the length on
   * the wire would tell of it (CRIME, BREACH).
   *
   * @default {false}
   */
  compression?: boolean | PerMessageDeflateOptions;
  /** The bounds of a connection; each has a default. */
  limits?: Partial<Limits>;
}

/** The options, checked once for all connections. */
export interface AcceptSettings<Data> {
  readonly upgrade: AcceptOptions<Data>["upgrade"];
  readonly protocols: readonly string[];
  readonly checkOrigin: OriginCheck;
  readonly scheme: "http" | "https";
  readonly extensions: readonly Extension[];
  readonly limits: Readonly<Limits>;
}

/**
 * Checks the options of {@linkcode accept}.
 *
 * @throws {TypeError} where an origin is malformed.
 * @throws {RangeError} where a limit is.
 */
export function resolveAcceptOptions<Data>(options: AcceptOptions<Data>): AcceptSettings<Data> {
  return {
    upgrade: options.upgrade,
    protocols: options.protocols ?? [],
    checkOrigin: createOriginCheck(options.origins),
    scheme: options.scheme ?? "http",
    extensions: resolveCompression(options.compression),
    limits: resolveLimits(options.limits),
  };
}

/** What becomes of a {@linkcode Handshake}. */
export interface HandshakeOutcome<Data> {
  /** It's a WebSocket: to be started with the answer to send and the bytes that came early. */
  open(
    socket: WebSocketConnection<Data>,
    answer: Uint8Array<ArrayBuffer>,
    early: Uint8Array,
    handshake: Handshake<Data>,
  ): void;
  /** It's plain HTTP; without this, that is refused. The head has been validated. */
  plain?(head: RequestHead, farewell: Farewell, remoteAddr: Addr): void;
  /** It has been refused, and is being answered. */
  refused(error: HandshakeError): void;
  /** The TCP connection is gone, and it was no WebSocket. */
  gone(error: unknown, handshake: Handshake<Data>): void;
  /** Who is told what goes wrong with the WebSocket. */
  onError: ConnectionInit<Data>["onError"];
  /** Who is told that the WebSocket has ended. */
  onClosed?: ConnectionInit<Data>["onClosed"];
}

/**
 * The server's half of the opening handshake on one connection.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2 RFC 6455 §4.2}
 */
export class Handshake<Data> implements OpeningOwner {
  readonly #transport: Transport;
  readonly #settings: AcceptSettings<Data>;
  readonly #outcome: HandshakeOutcome<Data>;
  readonly #opening: Opening;
  #head: RequestHead | undefined;

  constructor(
    transport: Transport,
    settings: AcceptSettings<Data>,
    outcome: HandshakeOutcome<Data>,
  ) {
    this.#transport = transport;
    this.#settings = settings;
    this.#outcome = outcome;
    this.#opening = new Opening(transport, settings.limits, this);
  }

  /** Drops the connection, if it's not a WebSocket yet. */
  abort(): void {
    this.#transport.abort();
  }

  /** Opening: the request is there. */
  head(head: RequestHead): void {
    this.#head = head;
    try {
      if (!isUpgrade(head)) return this.#plain(head);
      const request = parseUpgradeRequest(head);
      this.#settings.checkOrigin(request.origin, request.host);
      const { upgrade, scheme } = this.#settings;
      if (upgrade === undefined) return this.#decide(request, undefined);
      const { remoteAddr } = this.#transport;
      const result = upgrade(toRequest(head, { scheme }), {
        remoteAddr,
        protocols: request.protocols,
      });
      if (!(result instanceof Promise)) return this.#decide(request, result);
      result.then((result) => this.#decide(request, result)).catch((error) => this.#failed(error));
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Opening: there is no request. */
  refuse(error: HandshakeError): void {
    const farewell = this.#farewell();
    farewell.write(writeErrorResponse(error, {
      date: new Date(),
      omitBody: this.#head?.method === "HEAD",
    }));
    farewell.finish();
    this.#outcome.refused(error);
  }

  /** Opening: the peer has left. */
  left(error: unknown): void {
    this.#outcome.gone(error, this);
  }

  #plain(head: RequestHead): void {
    validateHttpRequest(head);
    const { plain } = this.#outcome;
    if (plain === undefined) throw upgradeRequired();
    this.#opening.done();
    plain.call(this.#outcome, head, this.#farewell(), this.#transport.remoteAddr);
  }

  #decide(request: UpgradeRequest, result: UpgradeResult<Data>): void {
    if (this.#opening.isDone) return; // Too late: the client is gone, or has been told to go.
    if (result instanceof Response) return this.#refuseWith(result);
    const { head, key, protocols: offered } = request;
    const protocol = selectProtocol(
      offered,
      result?.protocol ?? chooseProtocol(offered, this.#settings.protocols),
    );
    const agreements = acceptOffers(this.#settings.extensions, request.extensions);
    const answer = writeUpgradeResponse({
      acceptKey: computeAcceptKey(key),
      extensions: serializeExtensions(agreements.map(({ response }) => response)),
      ...(protocol === undefined ? {} : { protocol }),
      ...(result?.headers === undefined ? {} : { headers: result.headers }),
    });
    const { limits, scheme } = this.#settings;
    this.#opening.done();
    const socket = openConnection<Data>({
      role: "server",
      transport: this.#transport,
      limits,
      protocol: protocol ?? "",
      agreements,
      data: result?.data as Data,
      request: () => toRequest(head, { scheme }),
      onError: this.#outcome.onError,
      onClosed: this.#outcome.onClosed,
    });
    this.#outcome.open(socket, answer, this.#opening.early, this);
  }

  #refuseWith(response: Response): void {
    this.#opening.done();
    const error = new HandshakeError(`upgrade() refused with status ${response.status}`, {
      code: "ERR_HANDSHAKE_REFUSED",
      status: response.status,
    });
    this.#outcome.refused(error);
    const farewell = this.#farewell();
    sendResponse(farewell, response, false).catch((error) => {
      farewell.abort();
      this.#outcome.refused(internal(error));
    });
  }

  #failed(error: unknown): void {
    if (this.#opening.isDone) return;
    this.#opening.done();
    this.refuse(error instanceof HandshakeError ? error : internal(error));
  }

  #farewell(): Farewell {
    const { closeTimeout } = this.#settings.limits;
    return new Farewell(this.#transport, closeTimeout, () => this.#outcome.gone(undefined, this));
  }
}

/** The server's own code has failed; what it said is not for the client. */
export function internal(cause: unknown): HandshakeError {
  return new HandshakeError("The server has met an unexpected condition", {
    code: "ERR_HANDSHAKE_INTERNAL",
    status: 500,
    cause,
  });
}

/**
 * Makes a WebSocket of a TCP connection of your own, from your own listener: does the opening
 * handshake on it as a server.
 *
 * @param conn A `Deno.Conn`, or a {@linkcode Transport}: on Bun, listen with `bunSocketHandler()`.
 * @param options What `serve()` takes for one connection.
 * @returns the connection, once it's open.
 * @throws {HandshakeError} where the request was refused; the client has been answered.
 * @throws {WebSocketError} where the peer left before that, with code `ERR_HANDSHAKE_LEFT`.
 *
 * @example
 * ```ts ignore
 * import { accept } from "@sluice/websocket";
 *
 * for await (const conn of Deno.listen({ port: 8080 })) {
 *   accept(conn).then((socket) => socket.send("hello"), console.error);
 * }
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2 RFC 6455 §4.2}
 */
export function accept<Data = unknown>(
  conn: Conn,
  options: AcceptOptions<Data> = {},
): Promise<WebSocketConnection<Data>> {
  const settings = resolveAcceptOptions(options);
  return new Promise((resolve, reject) => {
    new Handshake<Data>(toTransport(conn), settings, {
      open(socket, answer, early) {
        startConnection(socket, { answer, early });
        resolve(socket);
      },
      refused: reject,
      gone(cause) {
        reject(
          new HandshakeError("The peer left before the opening handshake was done", {
            code: "ERR_HANDSHAKE_LEFT",
            cause,
          }),
        );
      },
      onError() {}, // It's in `closed`, for who wants to know.
    });
  });
}
