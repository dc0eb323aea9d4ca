// A message in many fragments allocates memory in proportion to its size, not to its square.
import "../../src/protocol/provide_fast_paths.ts";
import type { Frame } from "../../src/protocol/frame.ts";
import type { Message } from "../../src/protocol/message.ts";
import { MessageAssembler } from "../../src/protocol/message_assembler.ts";
import { assert, assertEquals, test } from "../harness.ts";

/** Returns the number of bytes of arrays and of transferred buffers that are allocated while it runs. */
function allocated(run: () => void): number {
  const Real = globalThis.Uint8Array;
  const { transfer } = ArrayBuffer.prototype;
  let bytes = 0;
  ArrayBuffer.prototype.transfer = function (this: ArrayBuffer, length = this.byteLength) {
    bytes += length;
    return transfer.call(this, length);
  };
  globalThis.Uint8Array = new Proxy(Real, {
    construct(target, args) {
      if (typeof args[0] === "number") bytes += args[0];
      return Reflect.construct(target, args);
    },
  });
  try {
    run();
  } finally {
    globalThis.Uint8Array = Real;
    ArrayBuffer.prototype.transfer = transfer;
  }
  return bytes;
}

function part(payload: Uint8Array, init: Partial<Frame>): Frame {
  return {
    fin: false,
    rsv1: false,
    rsv2: false,
    rsv3: false,
    opcode: 0,
    payloadLength: payload.length,
    payloadOffset: 0,
    ...init,
    payload,
  };
}

const COUNT = 1000;
const SIZE = 1000;

/** `pieces` is the number of parts in which each fragment arrives. */
function assemble(pieces: number): { messages: Message[]; bytes: number } {
  const assembler = new MessageAssembler();
  const messages: Message[] = [];
  const sink = { enqueue: (message: Message) => void messages.push(message) };
  const payload = new Uint8Array(SIZE).fill(7);
  const step = SIZE / pieces;
  const bytes = allocated(() => {
    for (let i = 0; i < COUNT; i++) {
      const init = { opcode: i === 0 ? 2 : 0, payloadLength: SIZE, fin: i === COUNT - 1 } as const;
      for (let at = 0; at < SIZE; at += step) {
        const frame = part(payload.subarray(at, at + step), { ...init, payloadOffset: at });
        assembler.transform(frame, sink);
      }
    }
  });
  return { messages, bytes };
}

for (const pieces of [1, 2, 10]) {
  test(`MessageAssembler does not copy a message for each of its fragments, of ${pieces} parts`, () => {
    const { messages, bytes } = assemble(pieces);
    assertEquals(messages, [new Uint8Array(COUNT * SIZE).fill(7)]);
    assert(bytes < 4 * COUNT * SIZE, `${bytes} bytes for a message of ${COUNT * SIZE}`);
  });
}
