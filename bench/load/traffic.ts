/** The messages of an echo load and the replies that it expects. */

import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import type { Load } from "../loads.ts";
import { concat, FrameCounter, makeFrame, makeKey, makePayload } from "./frames.ts";
import { readFrames, SizeCounter } from "./frames.ts";
import type { Counter } from "./frames.ts";

/** The messages of a load as bytes, for one connection. */
export interface Traffic {
  /** Returns the next `count` messages, at most as many as are in flight. */
  next(count: number): Uint8Array;
  /** Counts the replies. */
  readonly counter: Counter;
  /** Returns the error in the reply to the first messages, or `undefined` if it is correct. */
  check(reply: Uint8Array): string | undefined;
}

/** The first byte of an unfragmented message's frame. */
const FIRST = { binary: 0x82, ascii: 0x81, utf8: 0x81, json: 0x81 } as const;
const RSV1 = 0x40;

/** Returns the frames that each connection of an uncompressed load sends, and those of the replies. */
export function plainFrames(load: Load): { received: Uint8Array; replies: Uint8Array } {
  const payloads = Array.from(
    { length: load.inFlight },
    (_, i) => makePayload(load.payload, load.size, i),
  );
  const first = FIRST[load.payload];
  return {
    received: concat(payloads.map((payload, i) => makeFrame(first, payload, makeKey(i)))),
    replies: concat(payloads.map((payload) => makeFrame(first, payload))),
  };
}

/** Creates the traffic of an uncompressed load. All connections share its bytes. */
export function plainTraffic(load: Load): () => Traffic {
  const { received: batch, replies: expected } = plainFrames(load);
  const size = batch.length / load.inFlight;
  return () => ({
    next: (count) => batch.subarray(0, count * size),
    counter: new SizeCounter(expected.length / load.inFlight),
    check: (reply) => difference(reply, expected),
  });
}

/** The number of different messages a connection sends in turn, so that they are not in a kept context. */
const DOCUMENTS = 64;

/**
 * Creates the compressed traffic. Each message is deflated alone, without references to earlier
 * messages: it is valid in any context, so the same frame can be sent again.
 */
export function compressedTraffic(load: Load, extensions: string): () => Traffic {
  const payloads = Array.from(
    { length: DOCUMENTS },
    (_, i) => makePayload(load.payload, load.size, i),
  );
  // zlib raises 8 to 9 when it deflates. Messages of this size do not need more than 11.
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

/** Inflates the first messages of a server together, in the context that they share. */
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
