import type { ExtensionInUse } from "./extensions/extension.ts";
import type { Frame, Role } from "./protocol/frame.ts";
import { FrameDecoder } from "./protocol/frame_decoder.ts";
import type { FrameSink } from "./protocol/frame_decoder.ts";
import type { Limits } from "./protocol/limits.ts";
import type { Message, MessagePart } from "./protocol/message.ts";
import type { MessageSink } from "./protocol/message_sequence.ts";
import { MessageAssembler } from "./protocol/message_assembler.ts";
import { MessagePartDecoder } from "./protocol/message_part_decoder.ts";
import { isControl } from "./protocol/opcode.ts";

/** Up to how many bytes a binary message is copied, on a transport that gives its chunks away. */
const SHORT_COPY = 64;

/** Up to this many bytes, or characters, a part costs its reader's queue more than they do. */
const SMALL_PART = 512;

/** Where a {@linkcode Receiver} hands on what it has received. */
export interface ReceiverTarget {
  /** A control frame has come. */
  control(frame: Frame): void;
  /** A message has come; `false` to be given no further one for now. */
  message(message: Message): boolean;
  /**
   * The next part of a message has come, whose bytes are good until the call returns; `false` to be
   * given no further one for now.
   */
  part(part: MessagePart): boolean;
}

/** What a {@linkcode Receiver} has to know of its connection. */
export interface ReceiverOptions {
  role: Role;
  limits: Readonly<Limits>;
  extensions: ExtensionInUse | undefined;
  /** Whether chunks are the receiver's only until `take()` returns. */
  lendsChunks: boolean;
}

/**
 * The way in: bytes to frames, through the extensions, to messages, in one synchronous call for each
 * chunk; and what is held back of a chunk while its messages can't be taken.
 */
export class Receiver {
  readonly #target: ReceiverTarget;
  readonly #limits: Readonly<Limits>;
  readonly #decoder: FrameDecoder;
  readonly #extensions: ExtensionInUse | undefined;
  readonly #assembler: MessageAssembler;
  /** In the assembler's place, from the next message on, where messages are read as they arrive. */
  #partDecoder: MessagePartDecoder | undefined;
  /** Where the decoder's frames go: through the extensions, where there are any. */
  readonly #decodedSink: FrameSink;
  #frameSink: FrameSink;
  readonly #messageSink: MessageSink<Message>;

  constructor(options: ReceiverOptions, target: ReceiverTarget) {
    const { role, limits, extensions, lendsChunks } = options;
    this.#target = target;
    this.#limits = limits;
    this.#extensions = extensions;
    this.#frameSink = { enqueue: (frame) => this.#takeFrame(frame) };
    this.#messageSink = { enqueue: (message) => this.#takeMessage(message) };
    this.#decodedSink = extensions === undefined
      ? this.#frameSink
      : { enqueue: (frame) => extensions.receive(frame, this.#frameSink) };
    this.#decoder = new FrameDecoder({
      role,
      rsv: extensions?.rsv ?? 0,
      chunks: lendsChunks ? "lent" : "given",
    });
    this.#assembler = new MessageAssembler({ ...limits, copyUpTo: lendsChunks ? 0 : SHORT_COPY });
  }

  /** Whether something that has arrived waits for `resume()`. */
  get holdsBack(): boolean {
    return this.#decoder.isPaused || this.#extensions?.isPaused === true;
  }

  /** How many bytes of memory it holds: what has come and is not a message yet, and what waits. */
  get heldBytes(): number {
    return this.#decoder.heldBytes + this.#assembler.heldBytes +
      (this.#extensions?.heldBytes ?? 0);
  }

  /** How many of those are for a message that has not ended. */
  get unfinishedBytes(): number {
    return this.#assembler.heldBytes + (this.#extensions?.heldBytes ?? 0);
  }

  /** Frees what it holds; what still comes is ignored. */
  discard(): void {
    this.#decoder.discard();
    this.#assembler.discard();
    this.#extensions?.close();
    this.#extensions?.resume(this.#frameSink); // Of nothing: it only ends a pause.
  }

  /**
   * Takes the next bytes.
   *
   * @throws {WebSocketError} where the peer has done something wrong; further bytes are ignored.
   */
  take(chunk: Uint8Array): void {
    this.#decoder.transform(chunk, this.#decodedSink);
  }

  /**
   * Goes on with what has been held back.
   *
   * @throws {WebSocketError} as `take()` does.
   */
  resume(): void {
    try {
      if (this.#extensions?.isPaused) this.#extensions.resume(this.#frameSink);
    } catch (error) {
      // This didn't come by way of the decoder, which would go on.
      this.#decoder.discard();
      throw error;
    }
    if (!this.#extensions?.isPaused) this.#decoder.resume(this.#decodedSink);
  }

  /** From the next message on, messages are handed on in parts, as they arrive. */
  streamMessages(): void {
    this.#frameSink = { enqueue: (frame) => this.#takeFrame(frame), copies: true };
    this.#partDecoder ??= new MessagePartDecoder(this.#limits);
  }

  /** Whether messages are handed on in parts. */
  get isStreaming(): boolean {
    return this.#partDecoder !== undefined;
  }

  /** Whether a message has begun, of which parts have been handed on, and has not ended. */
  get isInStream(): boolean {
    return this.#partDecoder?.isIdle === false;
  }

  #takeFrame(frame: Frame): void {
    if (isControl(frame.opcode)) {
      this.#target.control(frame);
    } else if (this.#partDecoder !== undefined && this.#assembler.isIdle) {
      this.#partDecoder.transform(frame, { enqueue: (part) => this.#takePart(part) });
    } else {
      this.#assembler.transform(frame, this.#messageSink);
    }
  }

  #takeMessage(message: Message): void {
    if (!this.#target.message(message)) this.#holdBack();
  }

  #takePart(part: MessagePart): void {
    if (this.#target.part(part)) return;
    // What is left of a chunk costs less in the reader's queue than put aside, and decoded later; but not
    // what an extension can make a thousand times as much of, nor any number of messages or of parts so
    // small that each costs more than its bytes.
    if (part.fin || part.data.length < SMALL_PART || this.#extensions !== undefined) {
      this.#holdBack();
    }
  }

  #holdBack(): void {
    this.#decoder.pause();
    this.#extensions?.pause();
  }
}
