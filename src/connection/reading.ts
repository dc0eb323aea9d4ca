import type { ExtensionInUse } from "../extensions/extension.ts";
import type { EndpointSettings } from "./connection_settings.ts";
import type { Keepalive } from "./keepalive.ts";
import type { Sender } from "./sender.ts";
import { Receiver } from "./receiver.ts";
import type { ReceiverTarget } from "./receiver.ts";
import type { Transport } from "../transport/transport.ts";

/** The connection that is read. */
export interface ReadingOwner extends ReceiverTarget {
  readonly settings: EndpointSettings;
  readonly transport: Transport;
  readonly outgoing: Sender;
  readonly controlFrames: Keepalive;
  /** Whether our Close frame has not been sent, and the connection is there. */
  readonly isOpen: boolean;
  /** Whether the TCP connection has ended. */
  readonly isClosed: boolean;
  /** Whether it has failed: no more bytes are looked at. */
  readonly hasFailed: boolean;
  /** Whether there is no room for more messages. */
  readonly isFull: boolean;
  /** Whether the server holds too much, and this connection more than its share. */
  readonly isStopped: boolean;
  /** The peer has done something wrong. */
  fail(error: unknown): void;
  /** The peer has ended its direction of TCP, and all that came before has been taken. */
  ended(): void;
}

/**
 * The way in of a connection, and when it's read: not while what has come can't be taken, nor while
 * more of it would be more to hold, of what its owner or the server holds too much.
 */
export class Reading extends Receiver {
  readonly #owner: ReadingOwner;
  #isPaused = false;
  #hasEnded = false;

  constructor(owner: ReadingOwner, extensions: ExtensionInUse | undefined) {
    const { role, limits } = owner.settings;
    super({ role, limits, extensions, lendsChunks: owner.transport.lendsChunks }, owner);
    this.#owner = owner;
  }

  /** Whether reading has stopped. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether it has, and not because the peer does not read. */
  get isHeldBack(): boolean {
    return this.#isPaused && !this.#isBehind;
  }

  /** Whether the peer has ended its direction of TCP. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Transport: bytes. */
  data(chunk: Uint8Array): void {
    const owner = this.#owner;
    const heldBack = this.holdsBack;
    owner.outgoing.hold();
    if (!owner.isClosed && !owner.hasFailed) {
      try {
        this.take(chunk);
      } catch (error) {
        owner.fail(error);
      }
    }
    owner.outgoing.releaseSoon();
    this.#regulate(heldBack);
  }

  /** Transport: the peer's FIN. */
  end(): void {
    this.#hasEnded = true;
    // What came before the end, perhaps a Close, may wait behind a slow owner.
    if (!this.holdsBack) this.#owner.ended();
  }

  /** The budget has changed its mind. */
  regulate(): void {
    this.#regulate(false);
    if (this.#isPaused && !this.#owner.isFull) this.goOn();
  }

  /** There is room again: what has been held back comes now, and more is read. */
  goOn(): void {
    const owner = this.#owner;
    if (this.#isBehind) return;
    if (this.holdsBack && !owner.isClosed && !owner.hasFailed) {
      try {
        this.resume();
      } catch (error) {
        owner.fail(error);
      }
    }
    if (this.holdsBack || owner.isClosed) return;
    if (this.#hasEnded) {
      owner.ended();
    } else if (this.#isPaused && !owner.isStopped) {
      this.#isPaused = false;
      owner.controlFrames.resumed();
      owner.transport.resume();
    }
  }

  /** What comes is of no interest any more, but for its end. */
  ignore(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#owner.transport.resume();
  }

  /**
   * Whether to read would be to write more for a peer that has not read what there is. A server holds
   * such a peer back. A client doesn't, or the two could wait for each other: what it's sent waits in
   * its own incoming queue, which is bounded. After our Close, a full queue must not keep the peer's
   * Close, and its end, from us.
   */
  get #isBehind(): boolean {
    const owner = this.#owner;
    return owner.settings.role === "server" && owner.outgoing.isFull && owner.isOpen;
  }

  /** Reads or doesn't, by what waits on either side. */
  #regulate(heldBack: boolean): void {
    const owner = this.#owner;
    if (this.#isPaused || owner.isClosed) return;
    // What waits in the decoder is a part of one chunk: reading stops when a second joins it, since to
    // stop and go on for each would cost two system calls.
    // Where messages are streamed, all of the chunk has been taken, and is all that's wanted.
    const isEnough = this.isStreaming ? owner.isFull && owner.isOpen : heldBack && this.holdsBack;
    if (this.#isBehind || isEnough || owner.isStopped) {
      this.#isPaused = true;
      owner.controlFrames.paused();
      owner.transport.pause();
    }
  }
}
