import type { ExtensionInUse } from "../extensions/extension.ts";
import { DecodedFrame } from "../protocol/decoded_frame.ts";
import type { Frame, Role } from "../protocol/frame.ts";
import { FrameDecoder } from "../protocol/frame_decoder.ts";
import type { FrameSink } from "../protocol/frame_sink.ts";
import type { Limits } from "./limits.ts";
import type { Message, MessagePart } from "../protocol/message.ts";
import type { MessageOptions, MessageSink } from "../protocol/message_sequence.ts";
import { MessageAssembler } from "../protocol/message_assembler.ts";
import { MessagePartDecoder } from "../protocol/message_part_decoder.ts";
import { isControl } from "../protocol/opcode.ts";

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

/** An assembler whose messages go to the receiver that it's of: its own sink, so that it costs no other. */
class Assembler extends MessageAssembler implements MessageSink<Message> {
  readonly #receiver: Receiver;

  constructor(receiver: Receiver, options: MessageOptions, copyUpTo: number) {
    super(options, copyUpTo);
    this.#receiver = receiver;
  }

  enqueue(message: Message): void {
    this.#receiver.takeMessage(message);
  }
}

/**
 * The way in: bytes to frames, through the extensions, to messages, in one synchronous call for each
 * chunk; and what is held back of a chunk while its messages can't be taken.
 */
export class Receiver implements FrameSink {
  readonly #target: ReceiverTarget;
  readonly #limits: Readonly<Limits>;
  readonly #role: Role;
  readonly #lendsChunks: boolean;
  /** Made with the first chunk. */
  #decoder: FrameDecoder | undefined;
  readonly #extensions: ExtensionInUse | undefined;
  /** Made with the first message. */
  #assembler: Assembler | undefined;
  /** In the assembler's place, from the next message on, where messages are read as they arrive. */
  #partDecoder: MessagePartDecoder | undefined;
  /** Where the decoder's frames go: through the extensions, where there are any. */
  readonly #decodedSink: FrameSink;

  constructor(options: ReceiverOptions, target: ReceiverTarget) {
    const { role, limits, extensions, lendsChunks } = options;
    this.#target = target;
    this.#limits = limits;
    this.#extensions = extensions;
    this.#role = role;
    this.#lendsChunks = lendsChunks;
    this.#decodedSink = extensions === undefined
      ? this
      : { enqueue: (frame) => extensions.receive(frame, this) };
  }

  /** Whether something that has arrived waits for `resume()`. */
  get holdsBack(): boolean {
    return this.#decoder?.isPaused === true || this.#extensions?.isPaused === true;
  }

  /** How many bytes of memory it holds: what has come and is not a message yet, and what waits. */
  get heldBytes(): number {
    return (this.#decoder?.heldBytes ?? 0) + (this.#assembler?.heldBytes ?? 0) +
      (this.#extensions?.heldBytes ?? 0);
  }

  /** How many of those are for a message that has not ended. */
  get unfinishedBytes(): number {
    return (this.#assembler?.heldBytes ?? 0) + (this.#extensions?.heldBytes ?? 0);
  }

  /** Frees what it holds; what still comes is ignored. */
  discard(): void {
    (this.#decoder ??= this.#makeDecoder()).discard();
    this.#assembler?.discard();
    this.#extensions?.close();
    this.#extensions?.resume(this); // Of nothing: it only ends a pause.
  }

  /**
   * Takes the next bytes.
   *
   * @throws {WebSocketError} where the peer has done something wrong; further bytes are ignored.
   */
  take(chunk: Uint8Array): void {
    (this.#decoder ??= this.#makeDecoder()).transform(chunk, this.#decodedSink);
  }

  /**
   * Goes on with what has been held back.
   *
   * @throws {WebSocketError} as `take()` does.
   */
  resume(): void {
    try {
      if (this.#extensions?.isPaused) this.#extensions.resume(this);
    } catch (error) {
      // This didn't come by way of the decoder, which would go on.
      this.#decoder?.discard();
      throw error;
    }
    if (!this.#extensions?.isPaused) this.#decoder?.resume(this.#decodedSink);
  }

  /** From the next message on, messages are handed on in parts, as they arrive. */
  streamMessages(): void {
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

  /** FrameSink: a part of a message is copied by its reader before `enqueue()` returns. */
  get copies(): boolean {
    return this.isStreaming;
  }

  /** FrameSink: the next frame, as the extensions have left it. */
  enqueue(frame: Frame): void {
    if (isControl(frame.opcode)) {
      this.#target.control(frame);
    } else if (this.#partDecoder !== undefined && this.#assembler?.isIdle !== false) {
      this.#partDecoder.transform(frame, { enqueue: (part) => this.#takePart(part) });
    } else {
      const assembler = this.#assembler ??= this.#makeAssembler();
      assembler.transform(frame, assembler);
    }
  }

  /** FrameSink: a message that is one frame, where no extension has a say. */
  enqueueWhole(first: 0x81 | 0x82, bytes: Uint8Array, start: number, end: number): void {
    if (this.#partDecoder !== undefined) {
      return this.enqueue(new DecodedFrame(first, end - start, 0, bytes, start, end));
    }
    const assembler = this.#assembler ??= this.#makeAssembler();
    assembler.takeWhole(first === 0x81, bytes, start, end, assembler);
  }

  #makeDecoder(): FrameDecoder {
    return new FrameDecoder({
      role: this.#role,
      rsv: this.#extensions?.rsv ?? 0,
      chunks: this.#lendsChunks ? "lent" : "given",
    });
  }

  #makeAssembler(): Assembler {
    const copyUpTo = this.#lendsChunks ? 0 : SHORT_COPY;
    return new Assembler(this, this.#limits, copyUpTo);
  }

  /** Assembler: a message. */
  takeMessage(message: Message): void {
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
    this.#decoder?.pause();
    this.#extensions?.pause();
  }
}
