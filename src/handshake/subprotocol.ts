import { quote } from "../http/characters.ts";
import { HandshakeError } from "../http/errors.ts";
import { parseTokenList } from "../http/token_list.ts";

/**
 * Parses a client's Sec-WebSocket-Protocol.
 *
 * @param value The field's value: all its lines, joined with commas.
 * @returns The subprotocols in the client's order of preference, at least one.
 * @throws {HandshakeError} If one is not a token or is repeated, or there is none: 400.
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.1 RFC 6455 §4.1}
 */
export function parseSubprotocols(value: string): string[] {
  const fail = (reason: string) =>
    new HandshakeError(`Cannot accept Sec-WebSocket-Protocol ${quote(value)}: ${reason}`, {
      code: "ERR_HANDSHAKE_PROTOCOL",
    });
  const protocols = parseTokenList(value);
  // RFC 6455 §4.1: "The elements that comprise this value MUST be non-empty strings with characters
  // in the range U+0021 to U+007E not including separator characters".
  if (protocols === null) throw fail("expected tokens between commas");
  if (protocols.length === 0) throw fail("expected at least one token");
  // RFC 6455 §4.1: they "MUST all be unique strings."
  if (new Set(protocols).size < protocols.length) throw fail("expected each token once");
  return protocols;
}

/**
 * Chooses the subprotocol that the server prefers among those the client offers.
 *
 * @param offered The client's subprotocols.
 * @param supported The server's subprotocols, the preferred one first.
 * @returns The first of `supported` that is offered, or `undefined` if there is none. The connection
 * then has no subprotocol.
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2 RFC 6455 §4.2.2}
 *
 * @example
 * ```ts
 * import { chooseProtocol } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(chooseProtocol(["v1", "v2"], ["v3", "v2", "v1"]), "v2");
 * ```
 */
export function chooseProtocol(
  offered: readonly string[],
  supported: readonly string[],
): string | undefined {
  return supported.find((protocol) => offered.includes(protocol));
}

/**
 * Validates a choice that the application made.
 *
 * @param offered The client's subprotocols.
 * @param chosen The application's choice; `undefined` for none.
 * @returns `chosen`.
 * @throws {TypeError} If the client did not offer the choice: it would have to fail the connection.
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2 RFC 6455 §4.2.2}
 */
export function selectProtocol(
  offered: readonly string[],
  chosen: string | undefined,
): string | undefined {
  // RFC 6455 §4.2.2: "The value chosen MUST be derived from the client's handshake".
  if (chosen === undefined || offered.includes(chosen)) return chosen;
  const list = offered.length === 0 ? "none" : offered.map(quote).join(", ");
  throw new TypeError(`Cannot select subprotocol ${quote(chosen)}: the client offers ${list}`);
}
