import type { ExtensionInUse, SharedTransform } from "../extensions/extension.ts";
import type { OutgoingMessage } from "../protocol/message.ts";
import { Opcode } from "../protocol/opcode.ts";
import { SharedFrameEncoder } from "../protocol/shared_frame_encoder.ts";
import type { SharedFrame } from "../protocol/shared_frame_encoder.ts";

const encoder = /* @__PURE__ */ new SharedFrameEncoder();
/** One for each transform, so that its frames lie one behind the other. */
const encoders = /* @__PURE__ */ new Map<SharedTransform, SharedFrameEncoder>();
const textEncoder = /* @__PURE__ */ new TextEncoder();

function encoderOf(transform: SharedTransform): SharedFrameEncoder {
  let encoder = encoders.get(transform);
  if (encoder === undefined) encoders.set(transform, encoder = new SharedFrameEncoder());
  return encoder;
}

/** A frame that an extension has transformed, for all connections with the same transform. */
interface Transformed {
  readonly transform: SharedTransform;
  readonly frame: SharedFrame;
  readonly context: Uint8Array;
}

/** A message for many connections: it is encoded once, when the first of them sends it. */
export class SharedMessage {
  /** The message. Bytes must not be changed as long as it is sent. */
  readonly data: OutgoingMessage;
  /** Whether connections with compression compress it. */
  readonly compress: boolean;
  #frame: SharedFrame | undefined;
  /** The bytes of a text. */
  #bytes: Uint8Array | undefined;
  /** The transformed frames: one for each setting of compression that the connections have. */
  #transformed: Transformed[] | undefined;

  constructor(data: OutgoingMessage, compress = true) {
    this.data = data;
    this.compress = compress;
  }

  /** Its frame. */
  get frame(): SharedFrame {
    return this.#frame ??= encoder.encode(this.data);
  }

  /** The payload. */
  get payload(): Uint8Array {
    const { data } = this;
    return typeof data === "string" ? this.#bytes ??= textEncoder.encode(data) : data;
  }

  /** Whether a connection's extensions would change it. */
  isChangedBy(extensions: ExtensionInUse): boolean {
    return this.compress && extensions.changes(this.payload.length);
  }

  /** Returns its frame as a transform changes it. */
  transformedBy(transform: SharedTransform): Transformed {
    const known = this.#transformed;
    if (known !== undefined) {
      for (const each of known) if (each.transform === transform) return each;
    }
    const opcode = typeof this.data === "string" ? Opcode.Text : Opcode.Binary;
    const { frame, context } = transform.transform({ opcode, payload: this.payload });
    const made = { transform, frame: encoderOf(transform).encode(frame), context };
    (this.#transformed ??= []).push(made);
    return made;
  }
}
