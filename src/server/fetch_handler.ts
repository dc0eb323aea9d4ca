import { EMPTY } from "../protocol/bytes.ts";
import { internalServerError } from "../http/errors.ts";
import { toRequest } from "../http/request.ts";
import { RequestBodyDecoder } from "../http/request_body.ts";
import type { Limits } from "../connection/limits.ts";
import { show } from "../util/options.ts";
import { isThenable } from "../util/promises.ts";
import type { RequestInfo } from "./accept_options.ts";
import type { HttpResponder } from "./http_responder.ts";
import type { FetchRequest } from "./fetch_request.ts";
import { lazyRequestMaker } from "./lazy_request.ts";
import { discardBody, isResponse, prepareResponse } from "./prepared_response.ts";
import type { PreparedResponse } from "./prepared_response.ts";
import type { ResponseOwner } from "./response_sender.ts";
import { RequestBody } from "./request_body.ts";
import type { RequestBodySource } from "./request_body.ts";
import { sendContent, sendResponse, UnsentError } from "./response_sender.ts";

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
  readonly request: FetchRequest;
  /** The scheme of the request's URL. */
  readonly scheme: "http" | "https";
  readonly limits: Readonly<Limits>;
  readonly connection: FetchConnection;
  readonly handler: {
    /** An error of `fetch()`, or of the body of its response. */
    failed?(error: unknown): void;
  };
}

/** Answers one plain HTTP request with the result of `fetch()`, or with 500 if it fails. */
export class FetchHandler implements ResponseOwner {
  /** The body of the request; `undefined` if there is none, or it was received with the head. */
  body: RequestBody | undefined;
  readonly #init: FetchInit;
  #bytes: Uint8Array<ArrayBuffer> | null = null;
  #abort: AbortController | undefined;
  /** The reason for which the signal has aborted, or aborts when it is first read. */
  #reason: unknown;
  #hasResponded = false;
  #isDone = false;

  /** Prepares the answer. */
  constructor(init: FetchInit) {
    this.#init = init;
  }

  /** Whether the head of the response has been written. */
  get hasResponded(): boolean {
    return this.#hasResponded;
  }

  /** The signal of the request, which aborts when the client has left, or has been refused. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#reason !== undefined) this.#abort.abort(this.#reason);
    }
    return this.#abort.signal;
  }

  /**
   * Takes data that was received after the head.
   *
   * @param input The data, which is this object's to keep.
   * @returns The data after the request's body.
   * @throws {HandshakeError} If the body is malformed, or over a limit, also one that is announced.
   */
  receive(input: Uint8Array): Uint8Array {
    const { request: { bodyLength }, limits, connection } = this.#init;
    if (bodyLength === 0) return input;
    const decoder = new RequestBodyDecoder(bodyLength, limits);
    const used = input.length === 0 ? -1 : decoder.push(input);
    const early = decoder.data as Uint8Array<ArrayBuffer>;
    if (decoder.isDone) this.#bytes = early;
    else this.body = new RequestBody(decoder, early, connection);
    return used === -1 ? EMPTY : input.subarray(used);
  }

  /** Calls `fetch()`, and answers with its result, at once or when it is there. */
  begin(fetch: FetchFunction, info: RequestInfo): void {
    const { connection } = this.#init;
    connection.callBegan();
    let result: unknown;
    try {
      result = fetch(this.#request(), info);
    } catch (error) {
      connection.callEnded();
      return this.#failed(error);
    }
    if (isThenable(result)) {
      this.#wait(result);
    } else {
      connection.callEnded();
      this.#respond(result);
    }
  }

  /** Ends the request without a further response: the client has left, or has been refused. */
  cancel(reason: unknown): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#reason = reason;
    this.#abort?.abort(reason);
    this.body?.fail(reason);
  }

  #request(): Request {
    const { request: { head, target }, scheme } = this.#init;
    const makeLazy = lazyRequestMaker();
    if (makeLazy !== null) {
      return makeLazy({ head, scheme, target, body: this.body ?? this.#bytes, source: this });
    }
    const body = this.body?.stream ?? this.#bytes;
    return toRequest(head, { scheme, signal: this.signal, body });
  }

  async #wait(result: PromiseLike<unknown>): Promise<void> {
    let response: unknown;
    try {
      response = await result;
    } catch (error) {
      this.#init.connection.callEnded();
      return this.#failed(error);
    }
    this.#init.connection.callEnded();
    this.#respond(response);
  }

  /** `fetch()` has failed. */
  #failed(error: unknown): void {
    const { handler } = this.#init;
    if (!this.#isDone) {
      handler.failed?.(error);
      this.#sendError();
    } else if (error !== this.#reason) {
      handler.failed?.(error); // Not the error of `request.signal`.
    }
  }

  #respond(response: unknown): void {
    if (this.#isDone) return discardBody(response);
    const { request: { head }, connection } = this.#init;
    let prepared: PreparedResponse;
    try {
      if (!isResponse(response)) {
        throw new TypeError(
          `Cannot answer: fetch() returned ${show(response)}, expected a Response`,
        );
      }
      prepared = prepareResponse(response, head);
      if (sendContent(connection, prepared, head, this)) return;
    } catch (error) {
      return this.#unsent(error);
    }
    this.#send(prepared);
  }

  /** Sends a response whose body is a stream, or of another length than it says. */
  async #send(response: PreparedResponse): Promise<void> {
    const { request: { head }, connection, handler } = this.#init;
    try {
      this.sent(await sendResponse(connection, response, head, () => this.mayPersist()));
    } catch (error) {
      // Nothing has been sent if the request has been refused meanwhile.
      if (!(error instanceof UnsentError)) handler.failed?.(error);
      else if (!this.#isDone) this.#unsent(error);
    }
  }

  /** A response has failed before anything of it has been sent. */
  #unsent(error: unknown): void {
    if (this.#isDone) return;
    this.#hasResponded = false;
    this.#init.handler.failed?.(error instanceof UnsentError ? error.cause : error);
    this.#sendError();
  }

  #sendError(): void {
    const { request: { head }, connection } = this.#init;
    const prepared = prepareResponse(internalResponse(), head);
    sendContent(connection, prepared, head, this);
  }

  /** ResponseOwner: the response has been sent. */
  sent(isPersistent: boolean): void {
    if (this.#isDone) return;
    this.#isDone = true;
    const { body } = this;
    // The unread rest of a body cannot be distinguished from the next request.
    const isComplete = body?.isComplete !== false;
    if (!isComplete) body.fail(new DOMException("The response has been sent", "AbortError"));
    this.#init.connection.responded(isPersistent && isComplete);
  }

  /** ResponseOwner: whether the connection may persist. Called when the head of the response is written. */
  mayPersist(): boolean {
    if (this.#isDone) throw new UnsentError("Cannot send response: the request has been refused");
    this.#hasResponded = true;
    const { request: { isPersistent }, connection } = this.#init;
    if (!isPersistent || !connection.mayPersist()) return false;
    // A body that is being read may be complete when the response is.
    return this.body === undefined || this.body.isComplete || this.body.isUsed;
  }
}

function internalResponse(): Response {
  const headers = { "Content-Type": "text/plain; charset=utf-8" };
  return new Response(`${internalServerError(undefined).message}\n`, { status: 500, headers });
}
