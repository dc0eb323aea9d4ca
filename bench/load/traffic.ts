/** What an echo load sends, and what has to come back. */

import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import type { Load } from "../loads.ts";
import { concat, FrameCounter, makeFrame, makeKey, makePayload } from "./frames.ts";
import { readFrames, SizeCounter } from "./frames.ts";
import type { Counter } from "./frames.ts";

/** The messages of a load, ready to be sent; one for each connection. */
export interface Traffic {
  /** The next `count` messages, at most as many as are in flight. */
  next(count: number): Uint8Array;
  /** Counts the replies. */
  readonly counter: Counter;
  /** What is wrong with the reply to the first messages; nothing where it's right. */
  check(reply: Uint8Array): string | undefined;
}

/** The first byte of a whole message's frame. */
const FIRST = { binary: 0x82, ascii: 0x81, utf8: 0x81, json: 0x81 } as const;
const RSV1 = 0x40;

/** Makes the plain traffic of a load; each connection may share its bytes. */
export function plainTraffic(load: Load, websocket: boolean): () => Traffic {
  const payloads = Array.from(
    { length: load.inFlight },
    (_, i) => makePayload(load.payload, load.size, i),
  );
  const first = FIRST[load.payload];
  const batch = concat(payloads.map((payload, i) => makeFrame(first, payload, makeKey(i))));
  // Who speaks no WebSocket gives back what came, mask and all.
  const expected = websocket ? concat(payloads.map((each) => makeFrame(first, each))) : batch;
  const size = batch.length / load.inFlight;
  return () => ({
    next: (count) => batch.subarray(0, count * size),
    counter: new SizeCounter(expected.length / load.inFlight),
    check: (reply) => difference(reply, expected),
  });
}

/** How many different messages a connection sends in turn, so that a kept context doesn't know them. */
const DOCUMENTS = 64;

/**
 * Makes the compressed traffic. Each message is deflated alone and refers to nothing before it: that
 * is valid where the server keeps the context of what it inflates, so that the same frame can be
 * sent again.
 */
export function compressedTraffic(load: Load, extensions: string): () => Traffic {
  const payloads = Array.from(
    { length: DOCUMENTS },
    (_, i) => makePayload(load.payload, load.size, i),
  );
  // zlib turns 8 into 9 when it deflates; messages of this size have no use for more than 11.
  const bits = Number(/client_max_window_bits=(\d+)/.exec(extensions)?.[1] ?? 15);
  const frames = payloads.map((payload, i) => {
    const deflated = deflateRawSync(payload, {
      windowBits: Math.min(11, bits),
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    // RFC 7692 §7.2.1: "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end".
    return makeFrame(FIRST[load.payload] | RSV1, deflated.subarray(0, -4), makeKey(i));
  });
  const offsets = [0];
  for (const frame of [...frames, ...frames]) offsets.push(offsets.at(-1)! + frame.length);
  const twice = concat([...frames, ...frames]);
  const expected = concat(payloads.slice(0, load.inFlight));
  return () => {
    let cursor = 0;
    return {
      next(count) {
        const from = cursor;
        cursor = (cursor + count) % DOCUMENTS;
        return twice.subarray(offsets[from], offsets[from + count]);
      },
      counter: new FrameCounter(),
      check: (reply) => difference(inflate(reply), expected),
    };
  };
}

/** What the first messages of a server are, inflated in one go, in the context that they share. */
function inflate(reply: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const { first, payload } of readFrames(reply)) {
    if ((first & 0x0f) >= 8) continue;
    if ((first & 0x0f) !== 0 && (first & RSV1) === 0) throw new Error("A reply is not compressed");
    pieces.push(payload);
    if ((first & 0x80) !== 0) pieces.push(new Uint8Array([0, 0, 0xff, 0xff]));
  }
  return inflateRawSync(concat(pieces), { finishFlush: constants.Z_SYNC_FLUSH });
}

function difference(actual: Uint8Array, expected: Uint8Array): string | undefined {
  const end = Math.min(actual.length, expected.length);
  for (let i = 0; i < end; i++) {
    if (actual[i] !== expected[i]) {
      return `byte ${i} of the reply is ${actual[i]}, expected ${expected[i]}`;
    }
  }
  if (actual.length === expected.length) return undefined;
  return `the reply has ${actual.length} bytes, expected ${expected.length}`;
}
