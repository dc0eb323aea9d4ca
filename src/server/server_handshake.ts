import { acceptOffers } from "../extensions/negotiation.ts";
import { HandshakeError, internalServerError } from "../http/errors.ts";
import { serializeExtensions } from "../handshake/extensions_header.ts";
import { computeAcceptKey } from "../handshake/accept_key.ts";
import { toRequest } from "../http/request.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import { writeErrorResponse } from "../http/response_writer.ts";
import { writeUpgradeResponse } from "../handshake/upgrade_response_writer.ts";
import { chooseProtocol, selectProtocol } from "../handshake/subprotocol.ts";
import {
  isUpgrade,
  parseUpgradeRequest,
  upgradeRequired,
  validateHttpRequest,
} from "../handshake/upgrade_request.ts";
import type { UpgradeRequest } from "../handshake/upgrade_request.ts";
import type { Addr, Transport } from "../transport/transport.ts";
import type { AcceptConfig, RequestInfo, UpgradeOptions } from "./accept_options.ts";
import { WebSocketConnection } from "../connection/connection.ts";
import type { ConnectionSettings } from "../connection/connection_settings.ts";
import { HttpResponder } from "./http_responder.ts";
import { RequestReader } from "./request_reader.ts";
import type { RequestHandler } from "./request_reader.ts";
import { discardBody, isResponse, prepareResponse, sendResponse } from "./response_sender.ts";
import type { AnyResponse } from "./response_sender.ts";
import { checkUpgradeResult, isThenable } from "./upgrade_result.ts";
import { timers as processTimers } from "../util/timers.ts";
import type { ProxiedClient } from "../proxy/trusted_proxies.ts";

/** Receives the outcome of a {@linkcode ServerHandshake}, and decides what is the server's to decide. */
export interface HandshakeHandler<Data> {
  /** A WebSocket has been made. It is to be started with the 101 response and the early data. */
  open(
    socket: WebSocketConnection<Data>,
    response: Uint8Array<ArrayBuffer>,
    early: Uint8Array,
    handshake: ServerHandshake<Data>,
  ): void;
  /** The request is plain HTTP, and valid. Without this method plain HTTP is refused. */
  fetch?(head: RequestHead, responder: HttpResponder, info: RequestInfo): void;
  /** A proxy has named the client. Returns a refusal if that client has no room. */
  identified?(clientAddr: Addr): HandshakeError | undefined;
  /** Returns a refusal if no WebSocket can be opened. Called before and after `upgrade()`. */
  checkUpgrade?(): HandshakeError | undefined;
  /** The request has been refused, and the response is being sent. */
  refused(error: HandshakeError): void;
  /** The connection is closed, and has not become a WebSocket. */
  closed(error: unknown, handshake: ServerHandshake<Data>): void;
  /** What all connections of the server share. */
  readonly connectionSettings: ConnectionSettings<WebSocketConnection<Data>>;
}

/**
 * The server's side of the opening handshake on one connection.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2 RFC 6455 §4.2}
 */
export class ServerHandshake<Data> implements RequestHandler {
  /** The index in the server's `DenseSet`. */
  index = -1;
  readonly #transport: Transport;
  readonly #config: AcceptConfig<Data>;
  readonly #handler: HandshakeHandler<Data>;
  readonly #reader: RequestReader;
  /** Set if a proxy names the client. */
  readonly #proxiedClient: ProxiedClient | undefined;
  #clientAddr: Addr | undefined;
  #head: RequestHead | undefined;

  /** Starts reading the request. */
  constructor(
    transport: Transport,
    config: AcceptConfig<Data>,
    handler: HandshakeHandler<Data>,
  ) {
    this.#transport = transport;
    this.#config = config;
    this.#handler = handler;
    this.#proxiedClient = config.proxies?.clientBehind(transport.remoteAddr);
    this.#reader = new RequestReader(transport, config.limits, this);
  }

  /** The client; `undefined` until a proxy has named it, and if it has been refused for its address. */
  get clientAddr(): Addr | undefined {
    return this.#proxiedClient === undefined ? this.#transport.remoteAddr : this.#clientAddr;
  }

  /** Drops the connection, unless it is a WebSocket already. */
  abort(): void {
    this.#transport.abort();
  }

  /** RequestReader: data in front of the request. */
  preface(chunk: Uint8Array): Uint8Array | undefined {
    return this.#proxiedClient === undefined ? chunk : this.#proxiedClient.preface(chunk);
  }

  /** RequestReader: the request head. */
  head(head: RequestHead): void {
    this.#head = head;
    try {
      this.#identify(head);
      if (!isUpgrade(head)) return this.#fetch(head);
      const request = parseUpgradeRequest(head);
      this.#config.checkOrigin(request.origin, request.host);
      this.#checkUpgrade();
      const { upgrade, scheme } = this.#config;
      if (upgrade === undefined) return this.#decide(request, undefined);
      const result = upgrade(toRequest(head, { scheme }), {
        ...this.#info,
        protocols: request.protocols,
      });
      if (!isThenable(result)) return this.#decide(request, result);
      Promise.resolve(result).then((result) => this.#decide(request, result))
        .catch((error) => this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** RequestReader: the request is not acceptable. */
  refuse(error: HandshakeError): void {
    const omitBody = this.#head?.method === "HEAD";
    const responder = this.#respond();
    if (this.#proxiedClient?.expectsHeader === true) {
      this.#handler.refused(error);
      // Only after its PROXY header is a proxy known to relay HTTP.
      return responder.abort();
    }
    responder.write(writeErrorResponse(error, { date: new Date(), omitBody }));
    responder.finish();
    this.#handler.refused(error);
  }

  /** RequestReader: the connection is closed. */
  closed(error: unknown): void {
    this.#handler.closed(error, this);
  }

  #fetch(head: RequestHead): void {
    validateHttpRequest(head);
    if (this.#handler.fetch === undefined) throw upgradeRequired();
    this.#reader.finish();
    this.#handler.fetch(head, this.#respond(), this.#info);
  }

  get #info(): RequestInfo {
    return { remoteAddr: this.#transport.remoteAddr, clientAddr: this.clientAddr! };
  }

  #identify({ headers }: RequestHead): void {
    if (this.#proxiedClient === undefined) return;
    const addr = this.#proxiedClient.find(headers);
    const refusal = this.#handler.identified?.(addr);
    if (refusal !== undefined) throw refusal;
    this.#clientAddr = addr;
  }

  #checkUpgrade(): void {
    const refusal = this.#handler.checkUpgrade?.();
    if (refusal !== undefined) throw refusal;
  }

  #decide(request: UpgradeRequest, result: unknown): void {
    // The client has left, or has been refused for the time it took.
    if (this.#reader.isDone) return discardBody(result);
    if (isResponse(result)) return this.#refuseWith(result);
    this.#accept(request, checkUpgradeResult<Data>(result));
  }

  #accept(request: UpgradeRequest, options: UpgradeOptions<Data>): void {
    if (this.#config.upgrade !== undefined) this.#checkUpgrade(); // Time may have passed.
    const { key, protocols: offered } = request;
    const protocol = selectProtocol(
      offered,
      options.protocol ?? chooseProtocol(offered, this.#config.protocols),
    );
    const agreements = acceptOffers(this.#config.extensions, request.extensions);
    const extensions = agreements.length === 0
      ? ""
      : serializeExtensions(agreements.map(({ response }) => response));
    const response = writeUpgradeResponse({
      acceptKey: computeAcceptKey(key),
      extensions: extensions || undefined,
      protocol,
      headers: options.headers,
    });
    this.#reader.finish();
    const socket = new WebSocketConnection<Data>({
      settings: this.#handler.connectionSettings,
      transport: this.#transport,
      clientAddr: this.#clientAddr,
      protocol: protocol ?? "",
      extensions,
      agreements,
      data: options.data as Data,
      headText: this.#reader.headText,
    });
    this.#handler.open(socket, response, this.#reader.early, this);
  }

  #refuseWith(response: AnyResponse): void {
    const prepared = prepareResponse(response, false); // Throws before anything is sent.
    this.#reader.finish();
    const error = new HandshakeError(`upgrade() refused with status ${response.status}`, {
      code: "ERR_HANDSHAKE_REFUSED",
      status: response.status,
    });
    this.#handler.refused(error);
    sendResponse(this.#respond(), prepared).catch((error) => {
      this.#handler.refused(internalServerError(error));
    });
  }

  #fail(error: unknown): void {
    if (this.#reader.isDone) return;
    this.#reader.finish();
    this.refuse(error instanceof HandshakeError ? error : internalServerError(error));
  }

  /** Frees the request, up to 16 KiB, since the response can take long. */
  #respond(): HttpResponder {
    this.#reader.release();
    this.#head = undefined;
    const { closeTimeout } = this.#config.limits;
    return new HttpResponder(
      this.#transport,
      closeTimeout,
      () => this.#handler.closed(undefined, this),
    );
  }
}

/** Makes the settings that all connections with these options share. */
export function connectionSettings<Data>(
  { limits, overflow, makeRequest, timers = processTimers }: AcceptConfig<Data>,
  server: Pick<ConnectionSettings<WebSocketConnection<Data>>, "budget" | "onError" | "onClosed">,
): ConnectionSettings<WebSocketConnection<Data>> {
  const { budget, onError, onClosed } = server;
  return { role: "server", limits, timers, budget, overflow, makeRequest, onError, onClosed };
}
