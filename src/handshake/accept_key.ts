import { createHash } from "node:crypto";

/** RFC 6455 §1.3: the GUID that only a WebSocket server would append to a key. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/**
 * The value of Sec-WebSocket-Accept that answers a Sec-WebSocket-Key.
 *
 * It proves to the client that the server read this handshake and speaks WebSocket. The digest is
 * SHA-1 because the RFC says so; nothing is kept secret by it.
 *
 * @param key The Sec-WebSocket-Key, without whitespace around it.
 * @returns The base64 of the digest: 28 characters.
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
 *
 * @example
 * ```ts
 * import { computeAcceptKey } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(computeAcceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
 * ```
 */
export function computeAcceptKey(key: string): string {
  // Text in, text out: by way of bytes, as `@std/crypto` and `@std/encoding` have it, it takes 2 to 3
  // times as long, most of it for what is allocated.
  return createHash("sha1").update(key + GUID).digest("base64");
}

/**
 * Whether a Sec-WebSocket-Key is one: the base64 of 16 bytes, with its padding, and nothing else.
 *
 * The four bits that the last character has too many may be anything: RFC 4648 §3.5 leaves it to
 * the decoder, the key is never decoded, and there are clients that choose 22 characters at random.
 *
 * @param key The field's value.
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
 */
export function isValidKey(key: string): boolean {
  return /^[A-Za-z0-9+/]{22}==$/.test(key);
}
