import { acceptOffers } from "../extensions/negotiation.ts";
import type { ExtensionAgreement } from "../extensions/extension.ts";
import { HandshakeError, internalServerError } from "../http/errors.ts";
import { serializeExtensions } from "../handshake/extensions_header.ts";
import { computeAcceptKey } from "../handshake/accept_key.ts";
import { toRequest } from "../http/request.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import { writeUpgradeResponse } from "../handshake/upgrade_response_writer.ts";
import { chooseProtocol, selectProtocol } from "../handshake/subprotocol.ts";
import { parseUpgradeRequest } from "../handshake/upgrade_request.ts";
import type { UpgradeRequest } from "../handshake/upgrade_request.ts";
import type { AcceptConfig, RequestInfo, UpgradeOptions } from "./accept_options.ts";
import { isThenable } from "../util/promises.ts";
import { discardBody, isResponse } from "./prepared_response.ts";
import type { AnyResponse } from "./prepared_response.ts";
import { checkUpgradeResult } from "./upgrade_result.ts";

/** The agreement of both sides, and the 101 response that states it. */
export interface AcceptedHandshake<Data> {
  readonly protocol: string;
  /** The extensions in use, as in Sec-WebSocket-Extensions; empty if there are none. */
  readonly extensions: string;
  readonly agreements: readonly ExtensionAgreement[];
  /** The `data` of the result of `upgrade()`. */
  readonly data: Data;
  /** The 101 response. */
  readonly response: Uint8Array<ArrayBuffer>;
}

/** The check of the server that applies to all WebSockets. */
export interface UpgradeChecker {
  /** Returns a refusal if no WebSocket can be opened. Called before and after `upgrade()`. */
  checkUpgrade?(): HandshakeError | undefined;
}

/** The connection that a {@linkcode ServerHandshake} is performed on. */
export interface HandshakeConnection<Data> {
  /** Facts about the request, for `upgrade()`. To read it creates objects. */
  readonly info: RequestInfo;
  /** `upgrade()` has been called, and its promise is pending until `callEnded()`. */
  callBegan(): void;
  callEnded(): void;
  /** The handshake is accepted. If it throws, nothing has been sent, and the request is refused. */
  open(accepted: AcceptedHandshake<Data>): void;
  /** The handshake is refused by an error. */
  refuse(error: HandshakeError): void;
  /** The handshake is refused by a response of `upgrade()`. */
  refuseWith(response: AnyResponse): void;
}

/**
 * The server's side of one opening handshake, from the head of the request to the decision.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2 RFC 6455 §4.2}
 */
export class ServerHandshake<Data> {
  readonly #config: AcceptConfig<Data>;
  readonly #connection: HandshakeConnection<Data>;
  readonly #server: UpgradeChecker;
  #isDone = false;
  #abort: AbortController | undefined;

  /** Prepares a handshake. */
  constructor(
    config: AcceptConfig<Data>,
    connection: HandshakeConnection<Data>,
    server: UpgradeChecker,
  ) {
    this.#config = config;
    this.#connection = connection;
    this.#server = server;
  }

  /** Decides on a request, at once or when `upgrade()` has. */
  begin(head: RequestHead): void {
    try {
      const request = parseUpgradeRequest(head);
      this.#config.checkOrigin(request.origin, request.host);
      this.#checkUpgrade();
      const { upgrade, scheme } = this.#config;
      if (upgrade === undefined) return this.#accept(request, {});
      this.#abort = new AbortController();
      const { signal } = this.#abort;
      const result: unknown = upgrade(toRequest(head, { scheme, signal }), {
        ...this.#connection.info,
        protocols: request.protocols,
      });
      if (isThenable(result)) this.#wait(request, result);
      else this.#decide(request, result);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Ends the handshake without a decision, since the client has left or the time is over. */
  cancel(reason: unknown): void {
    this.#isDone = true;
    this.#abort?.abort(reason);
  }

  async #wait(request: UpgradeRequest, pending: PromiseLike<unknown>): Promise<void> {
    this.#connection.callBegan();
    try {
      let result: unknown;
      try {
        result = await pending;
      } finally {
        this.#connection.callEnded();
      }
      this.#decide(request, result);
    } catch (error) {
      this.#fail(error);
    }
  }

  #decide(request: UpgradeRequest, result: unknown): void {
    if (this.#isDone) return discardBody(result);
    if (!isResponse(result)) return this.#accept(request, checkUpgradeResult<Data>(result));
    this.#connection.refuseWith(result);
    this.#isDone = true;
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
    const data = options.data as Data;
    this.#connection.open({ protocol: protocol ?? "", extensions, agreements, data, response });
    this.#isDone = true;
  }

  #checkUpgrade(): void {
    const refusal = this.#server.checkUpgrade?.();
    if (refusal !== undefined) throw refusal;
  }

  #fail(error: unknown): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#connection.refuse(error instanceof HandshakeError ? error : internalServerError(error));
  }
}
