import type { OutgoingMessage } from "../protocol/message.ts";
import { SharedFrameEncoder } from "../protocol/shared_frame_encoder.ts";
import type { SharedFrame } from "../protocol/shared_frame_encoder.ts";

const encoder = /* @__PURE__ */ new SharedFrameEncoder();

/** A message for many connections: it is encoded once, when the first of them sends it. */
export class SharedMessage {
  /** The message. Bytes must not be changed as long as it is sent. */
  readonly data: OutgoingMessage;
  #frame: SharedFrame | undefined;

  constructor(data: OutgoingMessage) {
    this.data = data;
  }

  /** Its frame. */
  get frame(): SharedFrame {
    return this.#frame ??= encoder.encode(this.data);
  }
}
