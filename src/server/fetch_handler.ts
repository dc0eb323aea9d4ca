import { internalServerError } from "../http/errors.ts";
import { toRequest } from "../http/request.ts";
import { RequestBodyDecoder } from "../http/request_body.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import type { Limits } from "../connection/limits.ts";
import { turnBudget } from "../transport/turn_budget.ts";
import { show } from "../util/options.ts";
import type { RequestInfo } from "./accept_options.ts";
import type { HttpResponder } from "./http_responder.ts";
import { RequestBody } from "./request_body.ts";
import type { RequestBodySource } from "./request_body.ts";
import {
  discardBody,
  isResponse,
  prepareResponse,
  sendResponse,
  UnsentError,
} from "./response_sender.ts";
import type { AnyResponse } from "./response_sender.ts";

/** The work of a request, in units of {@linkcode TurnBudget.work}. */
const REQUEST_WORK = 32;

/** A function that answers a plain HTTP request: the server's `fetch()`. */
export type FetchFunction = (
  request: Request,
  info: RequestInfo,
) => Response | Promise<Response>;

/** The connection of a {@linkcode FetchHandler}. */
export interface FetchConnection extends HttpResponder, RequestBodySource {
  /** `fetch()` has been called, and its promise is pending until `callEnded()`. */
  callBegan(): void;
  callEnded(): void;
  /** Whether the server allows the connection to persist. */
  mayPersist(): boolean;
  /** The response has been sent. */
  responded(isPersistent: boolean): void;
}

/** The arguments of a {@linkcode FetchHandler}. */
export interface FetchInit {
  readonly head: RequestHead;
  /** The framing of the request's body. */
  readonly bodyLength: number | "chunked";
  /** Whether the client asks to keep the connection. */
  readonly isPersistent: boolean;
  readonly limits: Readonly<Limits>;
  readonly connection: FetchConnection;
  readonly handler: {
    /** An error of `fetch()`, or of the body of its response. */
    failed?(error: unknown): void;
  };
}

/** Answers one plain HTTP request with the result of `fetch()`, or with 500 if it fails. */
export class FetchHandler {
  /** The body of the request; `undefined` if there is none, or it was received with the head. */
  body: RequestBody | undefined;
  readonly #init: FetchInit;
  readonly #decoder: RequestBodyDecoder;
  readonly #abort = new AbortController();
  #hasResponded = false;
  #isDone = false;
  /** Whether data was received after the request. */
  #hasMore = false;
  /** Cancels the wait for the next turn. */
  #cancelWait: (() => void) | undefined;

  /**
   * Prepares the answer.
   *
   * @throws {HandshakeError} If the announced body is over `maxBodySize`: 413.
   */
  constructor(init: FetchInit) {
    this.#init = init;
    this.#decoder = new RequestBodyDecoder(init.bodyLength, init.limits);
  }

  /** Whether the head of the response has been written. */
  get hasResponded(): boolean {
    return this.#hasResponded;
  }

  /**
   * Calls `fetch()`.
   *
   * @param input Data that was received after the head, to be kept.
   * @returns The data after the request's body.
   * @throws {HandshakeError} If the body is malformed, or over a limit.
   */
  begin(
    fetch: FetchFunction,
    info: RequestInfo,
    input: Uint8Array,
    scheme: "http" | "https",
  ): Uint8Array {
    const { head, connection } = this.#init;
    let rest = input;
    let body: ReadableStream<Uint8Array<ArrayBuffer>> | Uint8Array<ArrayBuffer> | null = null;
    if (!this.#decoder.isDone) {
      const used = input.length === 0 ? -1 : this.#decoder.push(input);
      const early = this.#decoder.data as Uint8Array<ArrayBuffer>;
      rest = used === -1 ? input.subarray(input.length) : input.subarray(used);
      if (this.#decoder.isDone) {
        body = early;
      } else {
        this.body = new RequestBody(this.#decoder, early, connection);
        body = this.body.stream;
      }
    }
    this.#hasMore = rest.length > 0;
    const request = toRequest(head, { scheme, signal: this.#abort.signal, body });
    this.#answer(fetch, request, info);
    return rest;
  }

  /** Ends the request without a further response: the client has left, or has been refused. */
  cancel(reason: unknown): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#cancelWait?.();
    this.#abort.abort(reason);
    this.body?.fail(reason);
  }

  async #answer(fetch: FetchFunction, request: Request, info: RequestInfo): Promise<void> {
    const { connection, handler } = this.#init;
    try {
      const response = await this.#call(fetch, request, info);
      if (this.#isDone) return discardBody(response);
      const isPersistent = await this.#send(response);
      if (isPersistent && this.#hasMore) await this.#turn();
      if (this.#isDone) return;
      this.#isDone = true;
      // The unread rest of a body cannot be distinguished from the next request.
      connection.responded(isPersistent && this.body?.isComplete !== false);
    } catch (error) {
      // Nothing has been sent if the request has been refused meanwhile.
      if (!(error instanceof UnsentError)) handler.failed?.(error);
    }
  }

  /** Waits for the next turn if the time for received data is spent: another request has been received. */
  #turn(): Promise<void> | void {
    if (this.#isDone || (turnBudget.work -= REQUEST_WORK) >= 0 || !turnBudget.isSpent()) return;
    return new Promise((resolve) => this.#cancelWait = turnBudget.wait(resolve));
  }

  /** Returns the response, or `undefined` after an error, which has been reported. */
  async #call(
    fetch: FetchFunction,
    request: Request,
    info: RequestInfo,
  ): Promise<AnyResponse | undefined> {
    const { connection, handler } = this.#init;
    connection.callBegan();
    try {
      const response: unknown = await fetch(request, info);
      if (isResponse(response)) return response;
      throw new TypeError(`Cannot answer: fetch() returned ${show(response)}, expected a Response`);
    } catch (error) {
      // The error of `request.signal`: the client has left, or has been refused.
      if (!this.#isDone || error !== this.#abort.signal.reason) handler.failed?.(error);
      return undefined;
    } finally {
      connection.callEnded();
    }
  }

  /** Sends the response, or a 500 if there is none, or if it fails before anything has been sent. */
  async #send(response: AnyResponse | undefined): Promise<boolean> {
    const { head, connection, handler } = this.#init;
    const persists = () => this.#persists();
    if (response !== undefined) {
      try {
        return await sendResponse(connection, prepareResponse(response, head), head, persists);
      } catch (error) {
        const isUnsent = error instanceof UnsentError;
        if (this.#isDone || (this.#hasResponded && !isUnsent)) throw error;
        this.#hasResponded = false;
        handler.failed?.(isUnsent ? error.cause : error);
      }
    }
    const prepared = prepareResponse(internalResponse(), head);
    return await sendResponse(connection, prepared, head, persists);
  }

  /** Called when the head of the response is written. */
  #persists(): boolean {
    if (this.#isDone) throw new UnsentError("Cannot send response: the request has been refused");
    this.#hasResponded = true;
    const { isPersistent, connection } = this.#init;
    if (!isPersistent || !connection.mayPersist()) return false;
    // A body that is being read may be complete when the response is.
    return this.body === undefined || this.body.isComplete || this.body.isUsed;
  }
}

function internalResponse(): Response {
  const headers = { "Content-Type": "text/plain; charset=utf-8" };
  return new Response(`${internalServerError(undefined).message}\n`, { status: 500, headers });
}
