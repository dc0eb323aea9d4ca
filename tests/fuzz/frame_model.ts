/**
 * A simple model of RFC 6455 §5, for all bytes at once, independent of src/. A decoder must find the same,
 * however the bytes are split.
 */

/** A message or control frame in a stream. */
export interface Found {
  kind: "text" | "binary" | "ping" | "pong" | "close";
  bytes: Uint8Array;
}

/** The result of the model. */
export interface Verdict {
  found: Found[];
  /** The close code of the error; 0 if there is none. */
  code: number;
  /** The index of the byte that proves the error. */
  at: number;
  /** Whether a Close frame has ended the stream. */
  isClosed: boolean;
  /** Whether the bytes end inside a frame or a message. */
  isCut: boolean;
}

/** The rules of the receiver. */
export interface Rules {
  isServer: boolean;
  maxMessageSize: number;
  maxFragments: number;
}

class Wrong {
  constructor(readonly code: number, readonly at: number) {}
}

/** Returns the result for the bytes. */
export function judge(bytes: Uint8Array, rules: Rules): Verdict {
  const found: Found[] = [];
  const verdict: Verdict = { found, code: 0, at: -1, isClosed: false, isCut: false };
  try {
    verdict.isCut = read(bytes, rules, verdict);
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    verdict.code = error.code;
    verdict.at = error.at;
  }
  verdict.isClosed = found.at(-1)?.kind === "close";
  return verdict;
}

/** Reads to the end. Returns whether that is inside a frame or a message. */
function read(bytes: Uint8Array, rules: Rules, verdict: Verdict): boolean {
  const { found } = verdict;
  /** The current message so far, and its type; 0 between messages. */
  let type = 0;
  let fragments = 0;
  let content: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const first = bytes[at]!;
    const opcode = first & 0x0f;
    const fin = first >= 0x80;
    // §5.2: RSV1-3 and reserved opcodes; §5.5: control frames are whole; §5.4: the order of frames.
    if ((first & 0x70) !== 0) throw new Wrong(1002, at);
    if (![0, 1, 2, 8, 9, 10].includes(opcode)) throw new Wrong(1002, at);
    if (opcode >= 8 ? !fin : (opcode === 0) !== (type !== 0)) throw new Wrong(1002, at);
    if (++at === bytes.length) return true;
    const second = bytes[at]!;
    // §5.1: a client masks, a server does not.
    if ((second >= 0x80) !== rules.isServer) throw new Wrong(1002, at);
    const short = second & 0x7f;
    if (opcode >= 8 && short > 125) throw new Wrong(1002, at);
    at++;
    const size = short < 126 ? 0 : short === 126 ? 2 : 8;
    const length = readLength(bytes, at, size, short);
    if (length === undefined) return true;
    at += size;
    const key = rules.isServer ? bytes.subarray(at, at + 4) : new Uint8Array(4);
    if (key.length < 4) return true;
    if (rules.isServer) at += 4;
    if (opcode < 8) {
      if (opcode !== 0) type = opcode;
      if (++fragments > rules.maxFragments) throw new Wrong(1008, at - 1);
      if (content.length + length > rules.maxMessageSize) throw new Wrong(1009, at - 1);
    }
    const payload = bytes.slice(at, at + length);
    for (let i = 0; i < payload.length; i++) payload[i] = payload[i]! ^ key[i % 4]!;
    const isCut = payload.length < length;
    if (opcode >= 8) {
      if (isCut) return true;
      at += length;
      if (opcode === 8) {
        const code = judgeClose(payload);
        if (code !== 0) throw new Wrong(code, at - 1);
        found.push({ kind: "close", bytes: payload });
        return false;
      }
      found.push({ kind: opcode === 9 ? "ping" : "pong", bytes: payload });
      continue;
    }
    const before = content.length;
    for (const byte of payload) content.push(byte);
    const isWhole = fin && !isCut;
    if (type === 1) {
      // §8.1: at the first invalid byte, or at an end inside a character.
      const fault = utf8Fault(content);
      if (fault >= 0 && fault < content.length) throw new Wrong(1007, at + fault - before);
      if (fault >= 0 && isWhole) throw new Wrong(1007, at + payload.length - 1);
    }
    if (isCut) return true;
    at += length;
    if (!isWhole) continue;
    found.push({ kind: type === 1 ? "text" : "binary", bytes: Uint8Array.from(content) });
    type = fragments = 0;
    content = [];
  }
  return type !== 0;
}

/**
 * Returns the length; `undefined` if it is cut. The bytes so far leave an interval of possible lengths: it
 * is an error as soon as no valid length is left in it.
 */
function readLength(
  bytes: Uint8Array,
  at: number,
  size: number,
  short: number,
): number | undefined {
  if (size === 0) return short;
  let value = 0;
  for (let i = 0; i < size; i++) {
    if (at + i === bytes.length) return undefined;
    value = value * 256 + bytes[at + i]!;
    const least = value * 256 ** (size - 1 - i);
    const most = (value + 1) * 256 ** (size - 1 - i) - 1;
    if (least >= 2 ** 63) throw new Wrong(1002, at + i);
    if (least > Number.MAX_SAFE_INTEGER) throw new Wrong(1009, at + i);
    if (most < (size === 2 ? 126 : 0x1_0000)) throw new Wrong(1002, at + i);
  }
  return value;
}

/** §5.5.1 and §7.4: returns the close code for an invalid payload of a Close frame, or 0. */
function judgeClose(payload: Uint8Array): number {
  if (payload.length === 0) return 0;
  if (payload.length === 1) return 1002;
  const code = payload[0]! * 256 + payload[1]!;
  const isRegistered = code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code);
  if (!isRegistered && !(code >= 3000 && code <= 4999)) return 1002;
  return utf8Fault(payload.subarray(2)) >= 0 ? 1007 : 0;
}

/**
 * RFC 3629 §4, by its table: returns the index of the first invalid byte, the length if the last character
 * is cut, or -1.
 */
export function utf8Fault(bytes: ArrayLike<number>): number {
  for (let i = 0; i < bytes.length;) {
    const first = bytes[i++]!;
    if (first < 0x80) continue;
    const wanted = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4) return i - 1;
    for (let k = 0; k < wanted; k++, i++) {
      if (i === bytes.length) return i;
      const lowest = k > 0 ? 0x80 : first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
      const highest = k > 0 ? 0xbf : first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
      if (bytes[i]! < lowest || bytes[i]! > highest) return i;
    }
  }
  return -1;
}
