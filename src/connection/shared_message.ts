import type { SharedTransform } from "../extensions/extension.ts";
import type { OutgoingMessage } from "../protocol/message.ts";
import { Opcode } from "../protocol/opcode.ts";
import { SharedFrameEncoder } from "../protocol/shared_frame_encoder.ts";
import type { SharedFrame } from "../protocol/shared_frame_encoder.ts";

const encoder = /* @__PURE__ */ new SharedFrameEncoder();

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

  /** The size of its payload, in bytes. */
  get size(): number {
    const { start, end } = this.frame;
    return end - start - headerLength(this.frame);
  }

  /** Returns its frame as a transform changes it. */
  transformedBy(transform: SharedTransform): Transformed {
    const known = this.#transformed;
    if (known !== undefined) {
      for (const each of known) if (each.transform === transform) return each;
    }
    const opcode = typeof this.data === "string" ? Opcode.Text : Opcode.Binary;
    const { frame, context } = transform.transform({ opcode, payload: payloadOf(this.frame) });
    const made = { transform, frame: encoder.encode(frame), context };
    (this.#transformed ??= []).push(made);
    return made;
  }
}

/** Returns the payload of an unmasked frame. */
function payloadOf(frame: SharedFrame): Uint8Array {
  const { block, start, end } = frame;
  return block.subarray(start + headerLength(frame), end);
}

function headerLength({ block, start }: SharedFrame): number {
  const length = block[start + 1]!;
  return length < 126 ? 2 : length === 126 ? 4 : 10;
}
