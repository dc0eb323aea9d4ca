/** Generates the parts of streams: frames by the grammar of RFC 6455, text of every plane, and damage. */

import { join } from "../support/bytes.ts";
import type { Random } from "./random.ts";

/** A growing array of bytes. */
export class Bytes {
  #bytes = new Uint8Array(512);
  #length = 0;

  /** The number of bytes. */
  get length(): number {
    return this.#length;
  }

  /** Appends bytes. */
  push(...bytes: number[]): void {
    this.add(bytes);
  }

  /** Appends an array of bytes. */
  add(bytes: ArrayLike<number>): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(length, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
  }

  /** Returns a copy of all bytes. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
}

/** The first and the last code point of each length of UTF-8, and those next to the surrogates. */
const EDGES = [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfeff, 0xfffd, 0xffff, 0x1_0000];
const LAST = 0x10_ffff;

/** Returns a code point of any plane. */
export function codePoint(random: Random): number {
  switch (random.below(5)) {
    case 0:
      return random.pick(EDGES);
    case 1:
      return 0x80 + random.below(0x780);
    case 2:
      return 0xe000 + random.below(0x2000);
    case 3:
      return LAST - random.below(0x10_0000);
    default:
      return random.below(0x80);
  }
}

/** Appends the UTF-8 of a code point. */
export function encodePoint(point: number): number[] {
  if (point < 0x80) return [point];
  const tail = (shift: number) => 0x80 | ((point >> shift) & 0x3f);
  if (point < 0x800) return [0xc0 | (point >> 6), tail(0)];
  if (point < 0x1_0000) return [0xe0 | (point >> 12), tail(6), tail(0)];
  return [0xf0 | (point >> 18), tail(12), tail(6), tail(0)];
}

/** Returns about `size` bytes of UTF-8, sometimes only ASCII. */
export function text(random: Random, size: number): Uint8Array<ArrayBuffer> {
  const isAscii = random.once(3);
  const bytes = new Bytes();
  while (bytes.length < size) {
    bytes.add(isAscii ? [0x20 + random.below(0x5f)] : encodePoint(codePoint(random)));
  }
  return bytes.take();
}

/** Bytes that are not valid UTF-8, or not everywhere. */
const NOT_UTF8 = [
  [0x80],
  [0xc0, 0x80],
  [0xc1, 0xbf],
  [0xe0, 0x9f, 0xbf],
  [0xed, 0xa0, 0x80],
  [0xf0, 0x8f, 0xbf, 0xbf],
  [0xf4, 0x90, 0x80, 0x80],
  [0xf5],
  [0xff],
  [0xe2, 0x82],
  [0xf0, 0x9f, 0x98],
];

/** Returns bytes of text, which may contain invalid UTF-8. */
export function badText(random: Random, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Bytes();
  bytes.add(text(random, random.small(size + 1)));
  bytes.add(random.pick(NOT_UTF8));
  if (random.once(2)) bytes.add(text(random, random.small(size + 1)));
  return bytes.take();
}

/** Returns a payload size: small, or at an edge of the header's format or of a limit of the targets. */
export function size(random: Random): number {
  if (random.once(12)) return random.pick([124, 125, 126, 127, 255, 256, 499, 500, 501]);
  if (random.once(4000)) return random.pick([65534, 65535, 65536, 65537]);
  return random.once(4) ? random.small(140) : random.small(24);
}

/** Appends a frame, by RFC 6455 §5.2. */
export function frame(
  random: Random,
  first: number,
  payload: ArrayLike<number>,
  masked: boolean,
  into: Bytes,
): void {
  const { length } = payload;
  const bit = masked ? 0x80 : 0;
  if (length < 126) into.push(first, bit | length);
  else if (length < 0x1_0000) into.push(first, bit | 126, length >> 8, length & 0xff);
  else {into.push(
      first,
      bit | 127,
      0,
      0,
      0,
      0,
      0,
      length >> 16,
      (length >> 8) & 0xff,
      length & 0xff,
    );}
  if (!masked) return into.add(payload);
  const key = random.once(8) ? [0, 0, 0, 0] : [...random.bytes(4)];
  into.add(key);
  const bytes = Uint8Array.from(payload);
  for (let i = 0; i < length; i++) bytes[i] = bytes[i]! ^ key[i & 3]!;
  into.add(bytes);
}

/** Returns a valid payload of a Close frame. */
export function closePayload(random: Random): Uint8Array {
  if (random.once(4)) return new Uint8Array(0);
  const code = random.pick([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1014, 3000, 4000, 4999]);
  const reason = text(random, random.small(110));
  return Uint8Array.from([code >> 8, code & 0xff, ...reason]);
}

/** Appends a Ping or a Pong. */
export function ping(random: Random, masked: boolean, into: Bytes): void {
  const length = random.once(6) ? 125 : random.small(20);
  frame(random, random.pick([0x89, 0x8a]), random.bytes(length), masked, into);
}

/** Appends a message in one frame or in several, with Pings between them. */
export function message(
  random: Random,
  opcode: number,
  payload: Uint8Array,
  masked: boolean,
  into: Bytes,
): void {
  const fragments = random.once(2) ? 1 : 1 + random.small(5);
  for (let i = 0, start = 0; i < fragments; i++) {
    const isLast = i === fragments - 1;
    const end = isLast ? payload.length : start + random.below(payload.length - start + 1);
    const first = (isLast ? 0x80 : 0) | (i === 0 ? opcode : 0);
    frame(random, first, payload.subarray(start, end), masked, into);
    start = end;
    if (random.once(4)) ping(random, masked, into);
  }
}

/** Returns a valid stream: messages, Pings and Pongs, perhaps a Close frame and data after it. */
export function validStream(random: Random, masked: boolean, into: Bytes): void {
  for (let count = random.small(5) + 1; count > 0; count--) {
    const isText = random.once(2);
    const payload = isText ? text(random, size(random)) : random.bytes(size(random));
    message(random, isText ? 1 : 2, payload, masked, into);
  }
  if (!random.once(4)) return;
  frame(random, 0x88, closePayload(random), masked, into);
  if (random.once(3)) into.add(random.bytes(random.small(20)));
}

/** Extended lengths at every edge, which do not match the payload that follows. */
const LENGTHS = [
  [126, 0, 0],
  [126, 0, 125],
  [126, 0, 126],
  [126, 0xff, 0xff],
  [127, 0, 0, 0, 0, 0, 0, 0, 0],
  [127, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
  [127, 0, 0, 0, 0, 0, 1, 0, 0],
  [127, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff],
  [127, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
  [127, 0, 0, 0, 1, 0, 0, 0, 0],
  [127, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [127, 0, 0x20, 0, 0, 0, 0, 0, 0],
  [127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [127, 0x80, 0, 0, 0, 0, 0, 0, 0],
  [127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
];

/** Appends a frame that violates a rule, whole or cut. */
export function badFrame(random: Random, masked: boolean, into: Bytes): void {
  const first = random.pick([0x81, 0x82, 0x01, 0x02, 0x80, 0x00, 0x88, 0x89, 0x8a]);
  const bit = masked ? 0x80 : 0;
  switch (random.below(10)) {
    case 0: // Any first byte: reserved bits and opcodes, control frames without FIN.
      return frame(random, random.below(256), random.bytes(random.small(20)), masked, into);
    case 1:
      return frame(random, first, random.bytes(random.small(20)), !masked, into);
    case 2:
    case 9: {
      const [form, ...length] = random.pick(LENGTHS);
      into.push(first, bit | form!, ...length);
      return into.add(random.bytes(random.small(30)));
    }
    case 3: // A form that is too long for its length.
      into.push(first, bit | 126, 0, random.below(126));
      return into.add(random.bytes(random.small(30)));
    case 4:
      return frame(random, 0x89, random.bytes(126 + random.small(20)), masked, into);
    case 5: {
      const code = random.pick([0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535]);
      return frame(random, 0x88, [code >> 8, code & 0xff], masked, into);
    }
    case 6: {
      const code = [random.pick([0x03, 0x0c, 0x0f, 0x13, 0xff]), random.below(256)];
      return frame(random, 0x88, code.slice(0, 1 + random.below(2)), masked, into);
    }
    case 7:
      return frame(random, 0x88, [3, 0xe8, ...badText(random, 10)], masked, into);
    default:
      return message(random, 1, badText(random, random.small(60)), masked, into);
  }
}

/** Changes the bytes as an attacker might. */
export function damage(random: Random, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes;
  const at = random.below(bytes.length);
  const length = random.small(Math.min(16, bytes.length - at)) + 1;
  switch (random.below(7)) {
    case 0: // A bit.
      bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 1: // A byte.
      bytes[at] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
      return bytes;
    case 2: // A slice again.
      return join(bytes.subarray(0, at + length), bytes.subarray(at));
    case 3: // A slice less.
      return join(bytes.subarray(0, at), bytes.subarray(at + length));
    case 4: // A slice elsewhere.
      bytes.copyWithin(random.below(bytes.length), at, at + length);
      return bytes;
    case 5: // Bytes between.
      return join(bytes.subarray(0, at), random.bytes(length), bytes.subarray(at));
    default: // The end.
      return bytes.slice(0, at);
  }
}
