import type {
  ExtensionInUse,
  ExtensionSendOptions,
  FrameInitSink,
} from "../extensions/extension.ts";
import type { FrameInit } from "../protocol/frame.ts";
import type { Message } from "../protocol/message.ts";
import { Opcode } from "../protocol/opcode.ts";
import type { Sender } from "./sender.ts";

const textEncoder = /* @__PURE__ */ new TextEncoder();

/** The way out of a connection that has extensions. */
export class ExtendedSender implements FrameInitSink {
  readonly extensions: ExtensionInUse;
  readonly #outgoing: Sender;

  constructor(extensions: ExtensionInUse, outgoing: Sender) {
    this.extensions = extensions;
    this.#outgoing = outgoing;
  }

  /** Sends a message, by way of the extensions that would change it. */
  send(message: Message, options: ExtensionSendOptions | undefined): void {
    const isText = typeof message === "string";
    // At most three bytes a character: a rough answer is enough to leave the extensions out.
    if (!this.extensions.changes(isText ? message.length * 3 : message.length)) {
      return this.#outgoing.send(message);
    }
    const payload = isText ? textEncoder.encode(message) : message;
    this.sendFrame({ opcode: isText ? Opcode.Text : Opcode.Binary, payload }, options);
  }

  /** Sends a frame, by way of the extensions. */
  sendFrame(frame: FrameInit, options: ExtensionSendOptions | undefined): void {
    this.extensions.send(frame, this, options);
  }

  /** FrameInitSink: a frame as the extensions have left it. */
  enqueue(frame: FrameInit): void {
    this.#outgoing.send(frame);
  }
}
