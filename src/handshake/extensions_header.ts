import { COMMA, DQUOTE, EQUALS, isToken, quote, SEMICOLON } from "../http/characters.ts";
import { HeaderScanner } from "../http/header_scanner.ts";
import type { ExtensionOffer } from "../protocol/extension_offer.ts";

/**
 * Parses Sec-WebSocket-Extensions by its whole grammar: parameters with and without a value, quoted
 * values with escapes, whitespace around every separator, empty list elements.
 *
 * Takes one pass, linear in the length of any value.
 *
 * @param value The field's value: all its lines, joined with commas.
 * @returns The extensions in their order, repeated names included: a client may offer one twice.
 * @throws {HandshakeError} If the value does not match the grammar: 400.
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-9.1 RFC 6455 §9.1}
 */
export function parseExtensions(value: string): ExtensionOffer[] {
  const scanner = new HeaderScanner(
    value,
    "Sec-WebSocket-Extensions",
    "ERR_HANDSHAKE_EXTENSIONS",
  );
  const extensions: ExtensionOffer[] = [];
  // RFC 6455 §9.1: "the recipient of such malformed data MUST immediately _Fail the WebSocket
  // Connection_."
  do {
    scanner.skipWhitespace();
    // An empty list element.
    if (isAtSeparator(scanner)) continue;
    extensions.push({ name: scanner.token(), params: scanParams(scanner) });
    if (!isAtSeparator(scanner)) throw scanner.unexpected('";", "," or the end');
  } while (scanner.eat(COMMA));
  if (extensions.length === 0) throw scanner.unexpected("an extension");
  return extensions;
}

function isAtSeparator(scanner: HeaderScanner): boolean {
  return scanner.isAtEnd || scanner.isAt(COMMA);
}

function scanParams(scanner: HeaderScanner): [string, string | true][] {
  const params: [string, string | true][] = [];
  scanner.skipWhitespace();
  while (scanner.eat(SEMICOLON)) {
    scanner.skipWhitespace();
    const name = scanner.token();
    scanner.skipWhitespace();
    let value: string | true = true;
    // RFC 6455 §9.1 takes its grammar from RFC 2616 "including the "implied *LWS rule"", so there
    // may be whitespace on either side of the "=".
    if (scanner.eat(EQUALS)) {
      scanner.skipWhitespace();
      value = scanner.eat(DQUOTE) ? scanQuotedToken(scanner) : scanner.token();
      scanner.skipWhitespace();
    }
    params.push([name, value]);
  }
  return params;
}

function scanQuotedToken(scanner: HeaderScanner): string {
  const start = scanner.at;
  const value = scanner.quotedRest();
  // RFC 6455 §9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF."
  if (!isToken(value)) throw scanner.unexpected("a token in the quoted value", start);
  return value;
}

/**
 * Formats the value of Sec-WebSocket-Extensions.
 *
 * It never has quotes: RFC 6455 §9.1 allows only tokens as values, quoted or not, and some clients
 * cannot read quotes.
 *
 * @param extensions The extensions in order.
 * @returns The field's value. It is empty if there are no extensions: leave the field out then.
 * @throws {TypeError} If a name or a value is not a token.
 *
 * @example
 * ```ts
 * import { serializeExtensions } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * const value = serializeExtensions([
 *   { name: "permessage-deflate", params: [["server_no_context_takeover", true], ["x", "12"]] },
 * ]);
 * assertEquals(value, "permessage-deflate; server_no_context_takeover; x=12");
 * ```
 */
export function serializeExtensions(extensions: Iterable<ExtensionOffer>): string {
  return Array.from(extensions, ({ name, params }) => {
    let text = checked(name);
    for (const [param, value] of params) {
      text += `; ${checked(param)}`;
      if (value !== true) text += `=${checked(value)}`;
    }
    return text;
  }).join(", ");
}

function checked(token: string): string {
  if (isToken(token)) return token;
  throw new TypeError(`Cannot serialize extensions: ${quote(token)} is not a token`);
}
