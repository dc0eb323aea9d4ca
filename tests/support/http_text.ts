/**
 * The opening handshake as text, right or as wrong as a test wants it. Nothing of src/ is in it, so that
 * what is tested does not test itself; and nothing of the harness, for an attacker's process has none.
 */

import { createHash } from "node:crypto";

/** Fields by name, in order; several lines for several values, and none for none. */
export type Fields = Record<string, string | readonly string[] | null | undefined>;

/** The fields of a request that opens a WebSocket, but for Host; the key is RFC 6455 §1.3's. */
export const UPGRADE = {
  "Upgrade": "websocket",
  "Connection": "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
} as const;

/** What RFC 6455 §1.3 has the server answer to that key. */
export const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** A head: its first line, its fields, and more lines as they are, each with its end. */
export function headText(startLine: string, fields: Fields, lines = ""): string {
  const text = Object.entries(fields).flatMap(([name, values]) =>
    [values ?? []].flat().map((value) => `${name}: ${value}\r\n`)
  );
  return `${startLine}\r\n${text.join("")}${lines}\r\n`;
}

/** The value of a field in a head; empty where it isn't there. */
export function fieldOf(head: string, name: string): string {
  return head.match(new RegExp(`^${name}: *(.*?)\r$`, "im"))?.[1] ?? "";
}

/** The right answer to a request, with more fields, each with its CRLF. */
export function switching(head: string, fields = ""): string {
  const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const key = fieldOf(head, "Sec-WebSocket-Key");
  const accept = createHash("sha1").update(key + guid).digest("base64");
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${accept}\r\n${fields}\r\n`;
}
