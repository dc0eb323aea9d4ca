import { WebSocketConnection } from "../connection/connection.ts";
import { isUpgrade, upgradeRequired, validateHttpRequest } from "../handshake/upgrade_request.ts";
import { type HandshakeError, internalServerError, toRefusal } from "../http/errors.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import type { ProxiedClient } from "../proxy/trusted_proxies.ts";
import type { Addr, Transport } from "../transport/transport.ts";
import { RestartableTimer } from "../util/restartable_timer.ts";
import type { AcceptConfig, RequestInfo } from "./accept_options.ts";
import { FetchHandler } from "./fetch_handler.ts";
import type { FetchConnection } from "./fetch_handler.ts";
import { parseFetchRequest } from "./fetch_request.ts";
import type { ClientConnection, HttpConnectionHandler } from "./http_connection_handler.ts";
import { HttpMemory } from "./http_memory.ts";
import { HttpResponder } from "./http_responder.ts";
import type { RequestBody } from "./request_body.ts";
import { encodeRefusal, incompleteBody, lateRequest, refusedByUpgrade } from "./request_errors.ts";
import { RequestReader } from "./request_reader.ts";
import { closedError, prepareResponse } from "./prepared_response.ts";
import type { AnyResponse } from "./prepared_response.ts";
import { sendResponse, UnsentError } from "./response_sender.ts";
import { ServerHandshake } from "./server_handshake.ts";
import type { AcceptedHandshake, HandshakeConnection } from "./server_handshake.ts";
import { TurnLoop } from "./turn_loop.ts";

/** The maximum time without progress of a response after the client has ended its side, in milliseconds. */
const HALF_CLOSED_PATIENCE = 1500;
const CONTINUE = /* @__PURE__ */ new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

/**
 * A server's HTTP connection, from TCP's accept until it is closed or becomes a WebSocket.
 *
 * ```
 * reading    waits for a request head: handshakeTimeout for the first and for an incomplete one,
 *            keepAliveTimeout for the first byte of another
 *   -> upgrading   upgrade() decides on a WebSocket: what is left of handshakeTimeout
 *   -> answering   fetch() answers; the request's body is read as fast as the application reads it
 * upgrading  -> a WebSocket, or finishing
 * answering  -> reading, if the connection persists, otherwise finishing
 * finishing  the last response is sent, and received data is discarded until the peer's FIN
 * ```
 *
 * Requests are answered one after the other. Data of the next ones is kept, at most 64 KiB and a chunk.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-9 RFC 9112 §9}
 */
export class HttpConnection<Data> extends HttpResponder
  implements ClientConnection, HandshakeConnection<Data>, FetchConnection {
  /** The size in bytes of the head that has opened a WebSocket. */
  headSize = 0;
  readonly #config: AcceptConfig<Data>;
  readonly #handler: HttpConnectionHandler<Data>;
  /** The client, if a proxy has named it. */
  readonly #proxiedClient: ProxiedClient | undefined;
  readonly #readTimer: RestartableTimer;
  #clientAddr: Addr | undefined;
  readonly #reader: RequestReader;
  /** The request that is being upgraded or answered. */
  #head: RequestHead | undefined;
  #handshake: ServerHandshake<Data> | undefined;
  #fetching: FetchHandler | undefined;
  #isFirst = true;
  /** Whether the client waits for a 100 before it sends the body. */
  #expectsContinue = false;
  #isOpened = false;
  #isShuttingDown = false;
  /** Reads requests that were received before their turn. */
  #kept: TurnLoop | undefined;
  #pendingCalls = 0;
  readonly #memory: HttpMemory;

  /** Prepares to read requests, after `start()`. */
  constructor(
    transport: Transport,
    config: AcceptConfig<Data>,
    handler: HttpConnectionHandler<Data>,
  ) {
    const { limits, timers, counters } = config;
    super(transport, limits.closeTimeout, (error) => handler.closed(error, this), timers, counters);
    this.#config = config;
    this.#handler = handler;
    this.#proxiedClient = config.proxies?.clientBehind(transport.remoteAddr);
    this.#readTimer = new RestartableTimer(() => this.#readTimeUp(), timers);
    this.#memory = new HttpMemory(this, transport, handler.connectionSettings.budget);
    this.#reader = new RequestReader(limits, handler.fetch !== undefined, this.#proxiedClient);
  }

  /** The client; `undefined` until a proxy has named it, and if it has been refused for its address. */
  get clientAddr(): Addr | undefined {
    return this.#proxiedClient === undefined ? this.transport.remoteAddr : this.#clientAddr;
  }

  /** Takes over the transport. */
  override start(): void {
    this.#readTimer.start(this.#config.limits.handshakeTimeout);
    super.start();
  }

  /** Closes the connection after the response that is being sent, or at once if there is none. */
  shutDown(): void {
    this.#isShuttingDown = true;
    if (this.#fetching !== undefined) return;
    if (this.queuedBytes > 0) return this.#head === undefined ? this.finish() : undefined;
    const isIdle = !this.#isFirst && !this.#reader.hasBegun;
    if (isIdle || this.isFinishing) this.transport.close();
    else this.abort();
  }

  /** Transport: received data. */
  override data(chunk: Uint8Array): void {
    super.data(chunk);
    if (this.isFinishing || this.isClosed || this.#isOpened) return;
    const isOwn = !this.transport.lendsChunks;
    const body = this.#fetching?.body;
    if (body?.isWanted) this.#receiveBody(body, chunk, isOwn);
    else if (this.#head !== undefined || this.#kept?.isRunning) this.#reader.keep(chunk, isOwn);
    else this.#readHead(chunk, isOwn);
    this.#update();
  }

  /** Transport: the peer's FIN. */
  override end(): void {
    super.end();
    if (this.isFinishing || this.isClosed || this.#isOpened) return;
    if (this.#kept?.isRunning) return;
    if (this.#head === undefined) return this.finish();
    if (this.#fetching?.body?.isComplete === false && this.#reader.inputSize === 0) {
      return this.refuse(incompleteBody());
    }
    // A peer may end its side after its last request, or after its Close frame, and still read.
    this.#startHalfClosedTimer();
  }

  /** Transport: the last write has completed. */
  override drain(): void {
    super.drain();
    this.#update();
  }

  /** Transport: the connection is closed. */
  override close(error?: unknown): void {
    if (this.isClosed || this.#isOpened) return;
    this.#reset(closedError());
    super.close(error);
    this.#memory.close();
    if (this.#pendingCalls === 0) this.#handler.released?.(this);
  }

  /** Ends the last response: received data is discarded after this. */
  override finish(): void {
    super.finish();
    this.#reader.take();
    this.#update();
  }

  /** Bytes of a response have been written, or are queued. */
  protected override queued(): void {
    if (this.hasPeerEnded && this.#fetching !== undefined) this.#startHalfClosedTimer();
    this.#update();
  }

  /** FetchConnection: whether the connection may persist after the response. */
  mayPersist(): boolean {
    const isLast = this.hasPeerEnded && this.#reader.inputSize === 0;
    return !isLast && !this.#isShuttingDown && this.#handler.mayPersist?.() !== false;
  }

  /** FetchConnection: the response has been sent. */
  responded(isPersistent: boolean): void {
    this.#fetching = undefined;
    this.#head = undefined;
    this.#expectsContinue = false;
    this.#readTimer.stop();
    if (!isPersistent || this.#isShuttingDown) {
      this.finish();
    } else if (this.#reader.inputSize > 0) {
      this.#kept ??= new TurnLoop(() => this.#readKept(), () => this.#endKept());
      this.#kept.run();
    } else if (this.hasPeerEnded) {
      this.finish();
    } else {
      this.#readTimer.start(this.#config.limits.keepAliveTimeout);
    }
    this.#update();
  }

  /** RequestBodySource: the application reads the body. */
  bodyWanted(): void {
    const body = this.#fetching?.body;
    if (body === undefined) return;
    // RFC 9110 §10.1.1: the 100 says "that the server wishes to receive the request content".
    if (this.#expectsContinue && !this.#fetching!.hasResponded) this.write(CONTINUE);
    this.#expectsContinue = false;
    if (this.#reader.inputSize > 0) this.#receiveBody(body, this.#reader.take(), true);
    else this.#readTimer.start(this.#config.limits.bodyTimeout);
    if (body.isWanted && this.hasPeerEnded) return this.refuse(incompleteBody());
    this.#update();
  }

  /** RequestBodySource: the application has cancelled the body. */
  bodyCancelled(): void {
    if (!this.hasPeerEnded) this.#readTimer.stop();
  }

  /** A call of `upgrade()` or `fetch()` is pending. It is counted as a connection. */
  callBegan(): void {
    this.#pendingCalls++;
  }

  /** That call has settled. */
  callEnded(): void {
    if (--this.#pendingCalls === 0 && this.isClosed) this.#handler.released?.(this);
  }

  /** HandshakeConnection: turns the connection into a WebSocket. */
  open(accepted: AcceptedHandshake<Data>): void {
    const { response, ...agreed } = accepted;
    const { headText } = this.#reader;
    // Before anything else changes: an extension may throw, and then the request is refused.
    const socket = new WebSocketConnection<Data>({
      ...agreed,
      settings: this.#handler.connectionSettings,
      transport: this.transport,
      clientAddr: this.#clientAddr,
      headText,
    });
    this.#readTimer.stopTimer();
    this.stopTimer();
    this.#memory.close();
    this.#isOpened = true;
    this.headSize = headText.length;
    const early = this.#reader.take();
    this.#reader.finishHead();
    this.#head = undefined;
    this.#handler.open(socket, response, early, this);
    if (this.hasPeerEnded) this.transport.handler?.end();
  }

  /** Refuses the request, or malformed data in its place, and closes the connection. */
  refuse(error: HandshakeError): void {
    if (this.isFinishing || this.isClosed) return;
    if (this.#isOpened) { // The WebSocket could not start. Its 101 may have been sent.
      this.#handler.failed?.(error.cause ?? error);
      return this.abort();
    }
    const omitBody = this.#head?.method === "HEAD";
    const hasResponded = this.#fetching?.hasResponded === true;
    this.#reset(error);
    // Only after its PROXY header is a proxy known to relay HTTP. A begun response cannot be replaced.
    if (this.#proxiedClient?.expectsHeader === true || hasResponded) {
      this.#handler.refused(error);
      return this.abort();
    }
    const { sent, response } = encodeRefusal(error, omitBody);
    this.write(response);
    this.finish();
    this.#handler.refused(sent);
  }

  /** HandshakeConnection: refuses the request by the response of `upgrade()`. */
  refuseWith(response: AnyResponse): void {
    const head = this.#head!;
    const prepared = prepareResponse(response, head); // Throws before anything is sent.
    this.#readTimer.stopTimer();
    this.#handshake = undefined;
    this.#handler.refused(refusedByUpgrade(response.status));
    sendResponse(this, prepared, head, () => false).then(
      () => this.finish(),
      (error) => {
        if (error instanceof UnsentError) return this.refuse(internalServerError(error.cause));
        this.#handler.refused(internalServerError(error));
      },
    );
  }

  /** MemoryHolder: frees the memory. */
  evict(): void {
    this.abort();
  }

  #readHead(chunk: Uint8Array, isOwn: boolean): void {
    const hadBegun = this.#reader.hasBegun;
    try {
      const head = this.#reader.read(chunk, isOwn);
      const isNew = !this.#isFirst && !hadBegun && this.#reader.hasBegun;
      if (isNew && (head === undefined || isUpgrade(head))) {
        this.#readTimer.start(this.#config.limits.handshakeTimeout);
      }
      if (head === undefined) return;
      this.#head = head;
    } catch (error) {
      return this.refuse(toRefusal(error));
    }
    this.#begin(this.#head);
    if (this.hasPeerEnded && this.#head !== undefined) this.#startHalfClosedTimer();
  }

  /** Reads the head of a request that was received before its turn. Returns whether there is another. */
  #readKept(): boolean {
    if (this.#reader.inputSize > 0) this.#readHead(this.#reader.take(), true);
    return this.#head === undefined && this.#reader.inputSize > 0 && !this.isFinishing;
  }

  #endKept(): void {
    // Data after the last complete request can never become complete.
    if (this.hasPeerEnded && this.#head === undefined && !this.#isOpened) this.finish();
    this.#update();
  }

  #begin(head: RequestHead): void {
    const isUpgrading = isUpgrade(head);
    // The WebSocket writes to the transport itself, after the responses to earlier requests.
    if (isUpgrading && !this.flush()) {
      return this.whenWritable(() => this.#head === head && this.#begin(head));
    }
    try {
      this.#identify(head);
      this.#isFirst = false;
      if (isUpgrading) {
        this.#handshake = new ServerHandshake(this.#config, this, this.#handler);
        this.#handshake.begin(head);
      } else {
        this.#fetch(head);
      }
    } catch (error) {
      this.refuse(toRefusal(error));
    }
  }

  #fetch(head: RequestHead): void {
    const { fetch } = this.#handler;
    if (fetch === undefined) {
      validateHttpRequest(head);
      throw upgradeRequired();
    }
    const request = parseFetchRequest(head);
    this.#expectsContinue = request.expectsContinue;
    this.#fetching = new FetchHandler({
      request,
      scheme: this.#config.scheme,
      limits: this.#config.limits,
      connection: this,
      handler: this.#handler,
    });
    this.#readTimer.stop();
    this.#reader.finishHead();
    if (request.bodyLength !== 0) {
      this.#reader.keep(this.#fetching.receive(this.#reader.take()), true);
    }
    this.#fetching.begin(fetch, this.info);
  }

  #receiveBody(body: RequestBody, chunk: Uint8Array, isOwn: boolean): void {
    try {
      this.#reader.keep(body.receive(chunk, isOwn), isOwn);
    } catch (error) {
      return this.refuse(toRefusal(error));
    }
    if (this.hasPeerEnded) this.#startHalfClosedTimer();
    else if (body.isWanted) this.#readTimer.start(this.#config.limits.bodyTimeout);
    else this.#readTimer.stop();
  }

  /** HandshakeConnection: facts about the request. */
  get info(): RequestInfo {
    return { remoteAddr: this.transport.remoteAddr, clientAddr: this.clientAddr! };
  }

  #identify({ headers }: RequestHead): void {
    if (this.#proxiedClient === undefined) return;
    const addr = this.#proxiedClient.find(headers);
    const refusal = this.#handler.identified?.(addr, this.#clientAddr);
    if (refusal !== undefined) throw refusal;
    this.#clientAddr = addr;
  }

  /** Ends pending operations, and frees the request. */
  #reset(reason: unknown): void {
    this.#readTimer.stopTimer();
    this.#kept?.cancel();
    const [handshake, fetching] = [this.#handshake, this.#fetching];
    this.#handshake = this.#fetching = undefined;
    this.#reader.finishHead();
    this.#reader.take();
    this.#head = undefined;
    handshake?.cancel(reason);
    fetching?.cancel(reason);
  }

  #startHalfClosedTimer(): void {
    const { closeTimeout } = this.#config.limits;
    const isSending = this.#fetching?.hasResponded === true;
    const patience = isSending ? Math.min(HALF_CLOSED_PATIENCE, closeTimeout) : closeTimeout;
    this.#readTimer.start(patience);
  }

  #readTimeUp(): void {
    const { handshakeTimeout, bodyTimeout } = this.#config.limits;
    // While the peer reads slowly, the timeout of the write applies.
    if (this.hasPeerEnded) {
      return this.queuedBytes > 0 ? this.#startHalfClosedTimer() : this.abort();
    }
    if (this.#fetching !== undefined) {
      // The peer is not late while reading is paused.
      if (this.#memory.isPaused) this.#readTimer.start(bodyTimeout);
      else this.refuse(lateRequest("body", bodyTimeout));
    } else if (this.#handshake !== undefined) this.refuse(lateRequest("upgrade", handshakeTimeout));
    else if (this.#isFirst || this.#reader.hasBegun) {
      this.refuse(lateRequest("head", handshakeTimeout));
    } else this.finish(); // Idle since the last response.
  }

  /** Updates the memory usage, and reads or pauses reading. */
  #update(): void {
    if (this.isClosed || this.#isOpened) return;
    const buffered = this.#fetching?.body?.bufferedBytes ?? 0;
    const { inputSize, memoryUsage } = this.#reader;
    const usage = memoryUsage + this.queuedBytes + buffered;
    this.#memory.update(usage, inputSize, this.isFinishing);
  }
}
