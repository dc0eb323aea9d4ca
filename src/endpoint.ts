import { CloseCode, decodeClosePayload, encodeClosePayload } from "./protocol/close_code.ts";
import type { ClosePayload } from "./protocol/close_code.ts";
import { closeCodeOf, WebSocketError } from "./protocol/errors.ts";
import type { Frame, FrameInit, Role } from "./protocol/frame.ts";
import { FrameEncoder } from "./protocol/frame_encoder.ts";
import type { Limits } from "./protocol/limits.ts";
import type { Message, MessagePart } from "./protocol/message.ts";
import { Opcode } from "./protocol/opcode.ts";
import type {
  ExtensionInUse,
  ExtensionSendOptions,
  FrameInitSink,
} from "./extensions/extension.ts";
import { MemoryAccount, STEP } from "./budget.ts";
import type { MemoryBudget, MemoryHolder } from "./budget.ts";
import { holdsTooMuch, PART_OVERHEAD } from "./held.ts";
import { Outgoing } from "./outgoing.ts";
import type { OutgoingOwner } from "./outgoing.ts";
import { Pings } from "./pings.ts";
import { Receiver } from "./receiver.ts";
import type { ReceiverTarget } from "./receiver.ts";
import type { Transport, TransportHandler } from "./transport/transport.ts";

/** How a connection ended. */
export interface CloseInfo extends ClosePayload {
  /**
   * The code of the Close frame that came; 1005 where it had none, 1006 where none came (RFC 6455
   * §7.1.5).
   */
  closeCode: number;
  /** The reason in the Close frame that came, or empty. */
  reason: string;
  /** Whether both Close frames were exchanged before the TCP connection ended (RFC 6455 §7.1.4). */
  wasClean: boolean;
  /** What went wrong, where something did: the peer's fault, or the transport's. */
  error?: unknown;
}

/** Who an {@linkcode Endpoint} works for. */
export interface EndpointOwner {
  /** A message has come; `false` where the owner can take no more for now. */
  message(message: Message): boolean;
  /** The next part of a message has come, after `streamMessages()`; `false` as of `message()`. */
  part(part: MessagePart): boolean;
  /** The message whose parts have come will not end. */
  cut(): void;
  /** Whether the owner can take no more messages for now. */
  readonly isFull: boolean;
  /** Whether the owner is done with every message so far, so that a Close may be answered. */
  readonly isSettled: boolean;
  /** How many bytes of memory the owner holds of messages that have come, or wait to be sent. */
  readonly heldBytes: number;
  /** How many of those wait to be sent. */
  readonly queuedBytes: number;
  /** The outgoing queue is below its mark again. */
  drain(): void;
  /** The peer, or the transport, has broken the connection; `closed()` follows. */
  failed(error: unknown): void;
  /** The connection is gone. */
  closed(info: CloseInfo): void;
}

const textEncoder = /* @__PURE__ */ new TextEncoder();

/** What the closing handshake waits for: first for the owner, then for the peer. */
type Wait = "turn" | "answer" | "close" | "end";

/**
 * One end of an open connection, of either role: bytes to messages and back, pings answered, and the
 * closing handshake of RFC 6455 §7. It has no API of its own: that is WebSocketConnection's.
 */
export class Endpoint implements TransportHandler, ReceiverTarget, OutgoingOwner, MemoryHolder {
  readonly outgoing: Outgoing;
  readonly #role: Role;
  readonly #transport: Transport;
  readonly #limits: Readonly<Limits>;
  readonly #owner: EndpointOwner;
  readonly #receiver: Receiver;
  readonly #extensions: ExtensionInUse | undefined;
  /** Where the extensions hand on what is to be sent; made when it's first needed. */
  #sendSink: FrameInitSink | undefined;

  #closeSent = false;
  #closeReceived: ClosePayload | undefined;
  #hasEnded = false;
  #isClosed = false;
  #isShutdown = false;
  #error: unknown;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waitsFor: Wait = "answer";
  #isPaused = false;
  /** The payload of a Ping whose Pong waits until the peer reads again. */
  #pong: Uint8Array | undefined;
  readonly #pings = new Pings();
  readonly #budget: MemoryBudget | undefined;
  /** Made when there is first something to tell the budget. */
  #account: MemoryAccount | undefined;

  constructor(
    role: Role,
    transport: Transport,
    limits: Readonly<Limits>,
    owner: EndpointOwner,
    extensions?: ExtensionInUse,
    budget?: MemoryBudget,
  ) {
    this.#role = role;
    this.#transport = transport;
    this.#limits = limits;
    this.#owner = owner;
    this.#extensions = extensions;
    this.#budget = budget;
    budget?.join();
    const { lendsChunks } = transport;
    this.#receiver = new Receiver({ role, limits, extensions, lendsChunks }, this);
    this.outgoing = new Outgoing(
      transport,
      new FrameEncoder({ role }),
      limits,
      this,
    );
  }

  /** Whether data may be sent: our Close frame has not been, and the connection is there. */
  get isOpen(): boolean {
    return !this.#closeSent && !this.#isClosed;
  }

  /** Whether the TCP connection has ended. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** How many bytes of memory the connection holds. */
  get heldBytes(): number {
    return this.#receiver.heldBytes + this.outgoing.heldBytes + this.#owner.heldBytes +
      this.#pings.size * PART_OVERHEAD + (this.#transport.heldBytes ?? 0);
  }

  /**
   * Starts.
   *
   * @param answer Bytes to send before all others: the answer to the opening handshake.
   * @param early Bytes that came with the opening handshake.
   * @param opened Called before the first message is taken: what it sends goes out with the answer.
   */
  start(answer: Uint8Array<ArrayBuffer>, early: Uint8Array, opened: () => void): void {
    this.#transport.handler = this;
    this.outgoing.hold();
    this.outgoing.sendRaw(answer);
    opened();
    this.outgoing.release();
    if (early.length > 0) this.data(early);
    if (!this.#isPaused && !this.#isClosed) this.#transport.resume();
  }

  /** Sends a message, by way of the extensions that would change it. */
  send(message: Message, options?: ExtensionSendOptions): void {
    const extensions = this.#extensions;
    const isText = typeof message === "string";
    // At most three bytes a character: a rough answer is enough to leave the extensions out.
    if (!extensions?.changes(isText ? message.length * 3 : message.length)) {
      this.outgoing.send(message);
      return;
    }
    const payload = isText ? textEncoder.encode(message) : message;
    const opcode = isText ? Opcode.Text : Opcode.Binary;
    extensions.send({ opcode, payload }, this.#sink, options);
  }

  /** Sends a frame of the owner's own making, by way of the extensions. */
  sendFrame(frame: FrameInit, options?: ExtensionSendOptions): void {
    if (this.#extensions === undefined) this.outgoing.send(frame);
    else this.#extensions.send(frame, this.#sink, options);
  }

  get #sink(): FrameInitSink {
    return this.#sendSink ??= { enqueue: (frame) => this.outgoing.send(frame) };
  }

  /** From the next message on, messages are handed over in parts, as they arrive. */
  streamMessages(): void {
    this.#receiver.streamMessages();
  }

  /** What the owner has begun to send can't be ended: 1011. */
  giveUp(): void {
    this.sendClose(encodeClosePayload(CloseCode.InternalError));
  }

  /** Sends a Ping; resolves to the milliseconds until its Pong. */
  ping(): Promise<number> {
    const { frame, roundTrip } = this.#pings.make();
    this.outgoing.send(frame);
    this.queued();
    return roundTrip;
  }

  /**
   * Starts the closing handshake; whoever calls has checked the payload.
   *
   * RFC 6455 §7.1.2: "an endpoint MUST send a Close control frame with a status code and reason".
   */
  sendClose(payload: Uint8Array): void {
    if (!this.isOpen) return;
    this.outgoing.send({ opcode: Opcode.Close, payload });
    this.#closeSent = true;
    this.outgoing.flush();
    if (this.#isClosed) return;
    this.#advance();
    this.wanted();
  }

  /** The owner is done: the peer's Close is answered, where it has come, or ours is sent. */
  finish(): void {
    if (!this.isOpen) return;
    if (this.#closeReceived !== undefined) this.#answerClose();
    else this.sendClose(encodeClosePayload(CloseCode.NormalClosure));
  }

  /** Ends the connection at once, without a closing handshake. */
  abort(error?: unknown): void {
    this.#error ??= error;
    this.#transport.abort();
  }

  /**
   * The owner wants more: what was held back comes now.
   */
  wanted(): void {
    const isFull = this.#owner.isFull && this.isOpen;
    if (!isFull && (this.#isPaused || this.#receiver.holdsBack)) this.#resume();
    if (!this.#owner.isSettled) return;
    // A turn's sends are done when its messages are: no need to wait for a quiet microtask.
    this.outgoing.flush();
    // Whoever took the last message may yet answer it, within this turn.
    if (this.#closeReceived !== undefined && this.isOpen) this.#wait("turn", 0);
    if (this.#account !== undefined) this.queued();
  }

  /** Outgoing, and who queues more: looks at what is held, after it has changed. */
  queued(): void {
    if (this.#isClosed) return;
    const all = this.heldBytes;
    if (this.#budget !== undefined && (all >= STEP || this.#account !== undefined)) {
      this.#account ??= new MemoryAccount(this, this.#budget);
      this.#account.note(all);
    }
    const max = this.#limits.maxConnectionMemory;
    if (all <= max || this.#error !== undefined) return;
    const outgoing = this.outgoing.heldBytes + this.#owner.queuedBytes +
      this.#pings.size * PART_OVERHEAD;
    this.#fail(holdsTooMuch({ all, outgoing, unfinished: this.#receiver.unfinishedBytes }, max));
  }

  /** MemoryAccount: reads, or doesn't. */
  regulate(): void {
    this.#regulate(false);
    if (this.#isPaused && !this.#owner.isFull) this.#resume();
  }

  /** MemoryBudget: frees what is held. */
  evict(error: unknown): void {
    const isSecond = this.#error !== undefined;
    this.#fail(error);
    // A Close frame behind what the peer doesn't read would free nothing.
    if (isSecond || this.outgoing.isFull) this.#transport.abort();
    else this.queued();
  }

  /** Transport: bytes. */
  data(chunk: Uint8Array): void {
    const heldBack = this.#receiver.holdsBack;
    this.outgoing.hold();
    this.#receive(() => this.#receiver.take(chunk));
    this.outgoing.release();
    this.#regulate(heldBack);
    this.queued();
  }

  /** Transport: the last write is done. */
  drain(): void {
    // A peer that reads is alive: a long queue may take its time to go out.
    if (this.#timer !== undefined && this.#closeSent) this.#wait(this.#waitsFor);
    this.outgoing.drained();
    if (this.#pong !== undefined && !this.outgoing.isFull) {
      const payload = this.#pong;
      this.#pong = undefined;
      this.#sendPong(payload);
    }
    if (this.#account !== undefined) this.queued();
  }

  /** Transport: the peer's FIN. */
  end(): void {
    this.#hasEnded = true;
    // What came before the end, perhaps a Close, may wait behind a slow owner.
    if (!this.#receiver.holdsBack) this.#takeEnd();
  }

  /** Transport: gone. */
  close(error?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const received = this.#closeReceived;
    const info: CloseInfo = {
      closeCode: received?.closeCode ?? CloseCode.AbnormalClosure,
      reason: received?.reason ?? "",
      // Our Close may be written and not be sent: the peer has stopped reading.
      wasClean: received !== undefined && this.#closeSent && this.#error === undefined &&
        this.outgoing.bufferedAmount === 0,
    };
    const cause = this.#error ?? (info.wasClean ? undefined : error);
    if (cause !== undefined) info.error = cause;
    const gone = notOpen("The connection was closed");
    this.outgoing.close(gone);
    this.#pings.close(gone);
    this.#receiver.discard();
    this.#account?.close();
    this.#budget?.leave();
    this.#owner.closed(info);
  }

  #receive(run: () => void): void {
    if (this.#isClosed || this.#error !== undefined) return;
    try {
      run();
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * Whether to read would be to write more for a peer that has not read what there is. A server holds
   * such a peer back. A client doesn't, or the two could wait for each other: what it's sent waits in
   * its own incoming queue, which is bounded. After our Close, a full queue must not keep the peer's
   * Close, and its end, from us.
   */
  get #isBehind(): boolean {
    return this.#role === "server" && this.outgoing.isFull && this.isOpen;
  }

  /** Whether the server holds too much, and this connection more than its share. */
  get #isStopped(): boolean {
    return this.#account?.isStopped === true && this.isOpen;
  }

  /** Reads or doesn't, by what waits on either side. */
  #regulate(heldBack: boolean): void {
    if (this.#isPaused || this.#isClosed) return;
    // What waits in the decoder is a part of one chunk: reading stops when a second joins it, since to
    // stop and go on for each would cost two system calls.
    // Where messages are streamed, all of the chunk has been taken, and is all that's wanted.
    const isEnough = this.#receiver.isStreaming
      ? this.#owner.isFull && this.isOpen
      : heldBack && this.#receiver.holdsBack;
    if (this.#isBehind || isEnough || this.#isStopped) {
      this.#isPaused = true;
      this.#transport.pause();
    }
  }

  #resume(): void {
    if (this.#isBehind) return;
    if (this.#receiver.holdsBack) this.#receive(() => this.#receiver.resume());
    if (this.#receiver.holdsBack || this.#isClosed) return;
    if (this.#hasEnded) {
      this.#takeEnd();
    } else if (this.#isPaused && !this.#isStopped) {
      this.#isPaused = false;
      this.#transport.resume();
    }
  }

  /** Receiver: a message. */
  message(message: Message): boolean {
    // Once our own Close is sent, to wait for a slow owner would keep the peer's Close from us.
    return this.#isClosed || this.#owner.message(message) || !this.isOpen;
  }

  /** Receiver: a part of a message. */
  part(part: MessagePart): boolean {
    return this.#isClosed || this.#owner.part(part) || !this.isOpen;
  }

  /** Receiver: a control frame. */
  control({ opcode, payload }: Frame): void {
    if (opcode === Opcode.Ping) this.#takePing(payload);
    else if (opcode === Opcode.Pong) this.#takePong(payload);
    else this.#takeClose(payload);
  }

  #takePing(payload: Uint8Array): void {
    if (this.#isClosed) return;
    // RFC 6455 §5.5.3: "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in
    // response to previous Ping frame(s), the endpoint MAY elect to send a Pong frame for only the
    // most recently processed Ping frame." So a flood of pings by a peer that reads nothing costs no
    // more than the queue's mark.
    if (this.outgoing.isFull) this.#pong = payload.slice();
    else this.#sendPong(payload);
  }

  #sendPong(payload: Uint8Array): void {
    // RFC 6455 §5.5.2: "an endpoint MUST send a Pong frame in response, unless it already received a
    // Close frame."
    if (this.#closeReceived !== undefined) return;
    // RFC 6455 §5.5.3: "identical "Application data" as found in the message body of the Ping frame".
    this.outgoing.send({ opcode: Opcode.Pong, payload });
  }

  #takePong(payload: Uint8Array): void {
    // RFC 6455 §5.5.3: an unsolicited Pong is fine: "A response to an unsolicited Pong frame is not
    // expected."
    this.#pings.pong(payload);
  }

  #takeClose(payload: Uint8Array): void {
    this.#closeReceived = decodeClosePayload(payload);
    if (this.#receiver.isInStream) this.#owner.cut();
    if (!this.isOpen) return this.#advance();
    if (this.#owner.isSettled) return this.#answerClose();
    // The messages before the Close are delivered first, and may be answered.
    this.#wait("answer");
  }

  /**
   * RFC 6455 §5.5.1: "If an endpoint receives a Close frame and did not previously send a Close frame,
   * the endpoint MUST send a Close frame in response." It "typically echos the status code it
   * received".
   */
  #answerClose(): void {
    const { closeCode } = this.#closeReceived!;
    this.sendClose(
      closeCode === CloseCode.NoStatusReceived ? new Uint8Array(0) : encodeClosePayload(closeCode),
    );
  }

  /**
   * RFC 6455 §7.1.7: _Fail the WebSocket Connection_: "the endpoint SHOULD send a Close frame with an
   * appropriate status code before proceeding to _Close the WebSocket Connection_." "An endpoint MUST
   * NOT continue to attempt to process data".
   */
  #fail(error: unknown): void {
    if (this.#isClosed || this.#error !== undefined) return;
    this.#error = error;
    this.#receiver.discard();
    const isOpen = this.isOpen;
    if (isOpen) {
      this.outgoing.send({
        opcode: Opcode.Close,
        payload: encodeClosePayload(closeCodeOf(error)),
      });
      this.#closeSent = true;
    }
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#transport.resume();
    }
    this.#owner.failed(error);
    this.#advance();
  }

  #takeEnd(): void {
    // RFC 6455 §7.1.5: no Close frame came, so the code is 1006. With one, the answer still goes out.
    if (this.#closeReceived === undefined) {
      this.#error ??= new WebSocketError("The peer ended the connection without a Close frame", {
        code: "ERR_NO_CLOSE_FRAME",
        closeCode: CloseCode.AbnormalClosure,
      });
      this.#transport.close();
    } else {
      this.#advance();
    }
  }

  /** Outgoing: everything has been written, or there is room again. */
  written(wasFull: boolean): void {
    if (this.#isClosed) return;
    if (this.#closeSent) return this.#advance();
    if (wasFull) this.#owner.drain();
    const { isFull, isSettled } = this.#owner;
    if (!isFull && (isSettled || this.#isPaused)) this.#resume();
  }

  /** Takes the next step of the closing handshake, once our Close frame is on its way. */
  #advance(): void {
    if (!this.#closeSent || this.#isClosed) return;
    if (this.#closeReceived === undefined && this.#error === undefined) return this.#wait("close");
    if (this.outgoing.bufferedAmount > 0) return this.#wait("end");
    // RFC 6455 §7.1.1: "the underlying TCP connection, in most normal cases, SHOULD be closed first by
    // the server". A half-close, then read until the peer's end: to close at once with something
    // unread would reset the connection, and could destroy our Close frame on its way.
    if ((this.#role === "server" || this.#error !== undefined) && !this.#isShutdown) {
      this.#isShutdown = true;
      this.#transport.shutdown();
    }
    if (this.#hasEnded) this.#transport.close();
    else this.#wait("end");
  }

  /** Bounds the wait for the next step; a wait that begins ends the one before. */
  #wait(wait: Wait, ms: number = this.#limits.closeTimeout): void {
    clearTimeout(this.#timer);
    this.#waitsFor = wait;
    this.#timer = setTimeout(() => this.#late(wait), ms);
  }

  #late(wait: Wait): void {
    this.#timer = undefined;
    if (wait === "turn" && !this.#owner.isSettled) this.#wait("answer");
    else if (wait === "turn" || wait === "answer") this.#answerClose();
    else this.#transport.abort();
  }
}

/** The error of whoever wants to use a connection that is no longer open. */
export function notOpen(what: string): DOMException {
  return new DOMException(`${what}: the WebSocket is not open`, "InvalidStateError");
}
