/**
 * Masking keys are held as 32-bit integers whose lowest byte is the key's first octet, the order in
 * which a little-endian machine, as all of them here are, reads the four octets from memory.
 */

/** Below this many bytes, setting up the aligned loop costs more than it saves. */
const ALIGNED_FROM = 32;

/** The key as it stands `octets` later in the payload. */
export function rotateKey(key: number, octets: number): number {
  const bits = (octets & 3) * 8;
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits));
}

/**
 * Masks or unmasks a range of bytes in place; doing it twice undoes it.
 *
 * RFC 6455 §5.3: "Octet i of the transformed data ("transformed-octet-i") is the XOR of octet i of
 * the original data ("original-octet-i") with octet at index i modulo 4 of the masking key".
 *
 * @param bytes The bytes that the range is of.
 * @param start Where the range starts; the key's first octet applies here.
 * @param end Where the range ends, exclusive.
 * @param key The masking key.
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-5.3 RFC 6455 §5.3}
 */
export function mask(bytes: Uint8Array, start: number, end: number, key: number): void {
  if (end - start < ALIGNED_FROM) {
    maskBytes(bytes, start, end, key);
    return;
  }
  if (bytes !== lastBytes) lookAt(bytes);
  const first = (start - firstWord + 3) >> 2;
  const last = (end - firstWord) >> 2;
  const aligned = firstWord + first * 4;
  maskBytes(bytes, start, aligned, key);
  const rotated = rotateKey(key, aligned - start);
  maskWords(words, first, last, rotated);
  maskBytes(bytes, firstWord + last * 4, end, rotated);
}

/**
 * The bytes that were masked last, as words, and where in them the first of those starts. The frames of a
 * chunk come one after the other: at 1 KiB, to look anew for each takes as long as to mask it.
 */
let lastBytes: Uint8Array | undefined;
let words: Int32Array;
let firstWord: number;

function lookAt(bytes: Uint8Array): void {
  firstWord = -bytes.byteOffset & 3;
  const { buffer, byteOffset, length } = bytes;
  words = new Int32Array(buffer, byteOffset + firstWord, (length - firstWord) >> 2);
  lastBytes = bytes;
}

/** 4 bytes a step: 15 times as fast as a byte a step at 64 KiB; 8 steps a round: a quarter more. */
function maskWords(words: Int32Array, first: number, last: number, key: number): void {
  const rounds = first + ((last - first) & ~7);
  let i = first;
  for (; i < rounds; i += 8) {
    words[i] ^= key;
    words[i + 1] ^= key;
    words[i + 2] ^= key;
    words[i + 3] ^= key;
    words[i + 4] ^= key;
    words[i + 5] ^= key;
    words[i + 6] ^= key;
    words[i + 7] ^= key;
  }
  for (; i < last; i++) words[i] ^= key;
}

function maskBytes(bytes: Uint8Array, start: number, end: number, key: number): void {
  const key1 = key >>> 8;
  const key2 = key >>> 16;
  const key3 = key >>> 24;
  let i = start;
  for (; i + 3 < end; i += 4) {
    bytes[i] ^= key;
    bytes[i + 1] ^= key1;
    bytes[i + 2] ^= key2;
    bytes[i + 3] ^= key3;
  }
  if (i < end) bytes[i] ^= key;
  if (i + 1 < end) bytes[i + 1] ^= key1;
  if (i + 2 < end) bytes[i + 2] ^= key2;
}
