import { timingSafeEqual as nodeTimingSafeEqual } from "node:crypto";

/** Whether two byte sequences are equal, in a time that tells nothing of where they differ. */
export function timingSafeEqual(
  a: ArrayBufferView | ArrayBufferLike,
  b: ArrayBufferView | ArrayBufferLike,
): boolean {
  // Two lengths are no secret, and node:crypto throws on them.
  if (a.byteLength !== b.byteLength) return false;
  return nodeTimingSafeEqual(toBytes(a), toBytes(b));
}

function toBytes(data: ArrayBufferView | ArrayBufferLike): Uint8Array {
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  return new Uint8Array(data);
}
