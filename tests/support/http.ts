/**
 * HTTP as text, correct or with any fault that a test needs. Imports nothing of src/, so that the code
 * under test does not test itself, and not the harness, which an attacker's process does not have.
 */

import { createHash } from "node:crypto";

/** Header fields by name, in order; several lines for several values, and none for none. */
export type Fields = Record<string, string | readonly string[] | null | undefined>;

/** The fields of a request that opens a WebSocket, except Host; the key is RFC 6455 §1.3's. */
export const UPGRADE = {
  "Upgrade": "websocket",
  "Connection": "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
} as const;

/** The value of Sec-WebSocket-Accept for that key, by RFC 6455 §1.3. */
export const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** A head: its first line, its fields, and `lines` unchanged, each with its CRLF. */
export function headText(startLine: string, fields: Fields, lines = ""): string {
  const text = Object.entries(fields).flatMap(([name, values]) =>
    [values ?? []].flat().map((value) => `${name}: ${value}\r\n`)
  );
  return `${startLine}\r\n${text.join("")}${lines}\r\n`;
}

/**
 * A request that opens a WebSocket.
 *
 * @param fields Further fields, or other values for some of them; `null` omits a field.
 * @param lines Further lines, unchanged, each with its CRLF.
 */
export function upgradeRequest(
  fields: Fields = {},
  startLine = "GET /chat HTTP/1.1",
  lines = "",
): string {
  return headText(startLine, { Host: "example.com", ...UPGRADE, ...fields }, lines);
}

/** The value of a field in a head; empty if the field is missing. */
export function fieldOf(head: string, name: string): string {
  return head.match(new RegExp(`^${name}: *(.*?)\r$`, "im"))?.[1] ?? "";
}

/** The correct answer to a request, with more fields, each with its CRLF. */
export function switching(head: string, fields = ""): string {
  const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const key = fieldOf(head, "Sec-WebSocket-Key");
  const accept = createHash("sha1").update(key + guid).digest("base64");
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${accept}\r\n${fields}\r\n`;
}

/**
 * Decodes the body of a response: joins its chunks if it is chunked (RFC 9112 §7.1). A chunked body
 * without its last chunk is not whole.
 */
export function decodeBody(head: string, body: string): { body: string; isWhole: boolean } {
  if (!/^transfer-encoding: chunked$/im.test(head.replaceAll("\r", ""))) {
    return { body, isWhole: true };
  }
  let rest = body;
  let whole = "";
  while (true) {
    const [, size] = /^([0-9a-f]+)\r\n/.exec(rest) ?? [];
    if (size === undefined) return { body: whole, isWhole: false };
    const length = parseInt(size, 16);
    const start = size.length + 2;
    whole += rest.slice(start, start + length);
    if (length === 0) return { body: whole, isWhole: rest === "0\r\n\r\n" };
    if (rest.slice(start + length, start + length + 2) !== "\r\n") {
      return { body: whole, isWhole: false };
    }
    rest = rest.slice(start + length + 2);
  }
}
