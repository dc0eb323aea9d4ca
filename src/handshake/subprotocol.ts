import { quote } from "../http/characters.ts";
import { HandshakeError } from "../http/errors.ts";
import { parseTokenList } from "../http/token_list.ts";

/**
 * Reads a client's Sec-WebSocket-Protocol.
 *
 * @param value The field's value, all its lines joined with commas.
 * @returns The subprotocols, by the client's preference; at least one.
 * @throws {HandshakeError} 400, when one is not a token, one is repeated, or there is none.
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.1
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
 * The subprotocol that the server likes best among those the client offers.
 *
 * @param offered The client's, as {@linkcode parseSubprotocols} gives them.
 * @param supported The server's, the best first.
 * @returns The first of `supported` that is offered, or `undefined`: the socket then has none.
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
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
 * Checks a choice that the server's own code made.
 *
 * @param offered The client's, as {@linkcode parseSubprotocols} gives them.
 * @param chosen The server's choice; `undefined` for none.
 * @returns `chosen`.
 * @throws {TypeError} When the choice was not offered: the client would have to refuse it.
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
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
