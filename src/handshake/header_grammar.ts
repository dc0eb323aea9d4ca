import {
  BACKSLASH,
  COMMA,
  DQUOTE,
  EQUALS,
  FIELD_VALUE,
  isToken,
  isWhitespace,
  quote,
  SEMICOLON,
  TOKEN,
  trimWhitespace,
} from "./characters.ts";
import { HandshakeError } from "./errors.ts";

/**
 * One element of Sec-WebSocket-Extensions: an extension that is offered, or that was agreed to.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-9.1
 */
export interface ExtensionOffer {
  /** The extension's name, as it came, such as `"permessage-deflate"`. */
  readonly name: string;
  /**
   * The parameters in their order, with repeated names kept: whether those are allowed is the
   * extension's to say. The value is `true` for a parameter that has none.
   */
  readonly params: readonly (readonly [name: string, value: string | true])[];
}

/**
 * Whether a comma-separated list has an element that equals `token` in any case.
 *
 * Other elements are not looked into, as `Upgrade: h2c, websocket` and `Connection: keep-alive,
 * Upgrade` name things that are none of the handshake's business.
 *
 * @param value The field's value, or `null` for a field that isn't there.
 * @param token The element to look for.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1
 *
 * @example
 * ```ts
 * import { includesToken } from "@sluice/websocket/handshake";
 * import { assert } from "@std/assert";
 *
 * assert(includesToken("keep-alive, upgrade", "Upgrade"));
 * assert(!includesToken("not-upgrade", "Upgrade"));
 * ```
 */
export function includesToken(value: string | null, token: string): boolean {
  if (value === null) return false;
  const wanted = token.toLowerCase();
  return value.split(",").some((element) => trimWhitespace(element).toLowerCase() === wanted);
}

/**
 * Reads a comma-separated list of tokens.
 *
 * @param value The field's value.
 * @returns The tokens in their order, or `null` where an element is not a token.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1
 *
 * @example
 * ```ts
 * import { parseTokenList } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseTokenList("chat, ,superchat")?.join(), "chat,superchat");
 * assertEquals(parseTokenList("super chat"), null);
 * ```
 */
export function parseTokenList(value: string): string[] | null {
  const tokens: string[] = [];
  for (const element of value.split(",")) {
    const token = trimWhitespace(element);
    // RFC 9110 §5.6.1.2: "A recipient MUST parse and ignore a reasonable number of empty list
    // elements"; the head's size is what bounds them here.
    if (token === "") continue;
    if (!isToken(token)) return null;
    tokens.push(token);
  }
  return tokens;
}

/**
 * Reads Sec-WebSocket-Extensions by the whole grammar: parameters with and without a value, quoted
 * values with escapes, whitespace around every separator, empty list elements.
 *
 * One pass, linear in the length of the value, whatever it is.
 *
 * @param value The field's value, all its lines joined with commas.
 * @returns The extensions in their order, with repeated names kept: a client may offer one twice.
 * @throws {HandshakeError} 400, when the value does not fit the grammar.
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-9.1
 *
 * @example
 * ```ts
 * import { parseExtensions } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * const [offer] = parseExtensions('permessage-deflate; client_max_window_bits; x="10"');
 * assertEquals(offer.name, "permessage-deflate");
 * assertEquals(offer.params[0][1], true);
 * assertEquals(offer.params[1][1], "10");
 * ```
 */
export function parseExtensions(value: string): ExtensionOffer[] {
  return new ExtensionScanner(value).scan();
}

/**
 * Writes Sec-WebSocket-Extensions, the inverse of {@linkcode parseExtensions}.
 *
 * It never writes quotes: RFC 6455 §9.1 allows in a quoted value only what could stand there
 * without them, and not every client reads them.
 *
 * @param extensions The extensions, in order.
 * @returns The field's value: empty for no extensions, when the field is to be left out.
 * @throws {TypeError} When a name or a value is not a token.
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

/** One pass over a Sec-WebSocket-Extensions value. */
class ExtensionScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): ExtensionOffer[] {
    const extensions: ExtensionOffer[] = [];
    do {
      this.#skipWhitespace();
      // An empty element: nothing before the comma, or the end.
      if (this.#atSeparator()) continue;
      extensions.push({ name: this.#token(), params: this.#params() });
      if (!this.#atSeparator()) throw this.#unexpected('";", "," or the end');
    } while (this.#eat(COMMA));
    if (extensions.length === 0) throw this.#unexpected("an extension");
    return extensions;
  }

  #params(): [string, string | true][] {
    const params: [string, string | true][] = [];
    this.#skipWhitespace();
    while (this.#eat(SEMICOLON)) {
      this.#skipWhitespace();
      const name = this.#token();
      this.#skipWhitespace();
      let value: string | true = true;
      // RFC 6455 §9.1 takes its grammar from RFC 2616 "including the "implied *LWS rule"", so there
      // may be whitespace on either side of the "=".
      if (this.#eat(EQUALS)) {
        this.#skipWhitespace();
        value = this.#eat(DQUOTE) ? this.#quotedRest() : this.#token();
        this.#skipWhitespace();
      }
      params.push([name, value]);
    }
    return params;
  }

  #token(): string {
    const start = this.#at;
    while (TOKEN[this.#text.charCodeAt(this.#at)] === 1) this.#at++;
    if (this.#at === start) throw this.#unexpected("a token");
    return this.#text.slice(start, this.#at);
  }

  /** The rest of a quoted-string, after its first quote, without its escapes. */
  #quotedRest(): string {
    const start = this.#at;
    let value = "";
    for (;;) {
      let code = this.#text.charCodeAt(this.#at);
      if (code === DQUOTE) break;
      // RFC 9110 §5.6.4: "Recipients that process the value of a quoted-string MUST handle a
      // quoted-pair as if it were replaced by the octet following the backslash."
      if (code === BACKSLASH) code = this.#text.charCodeAt(++this.#at);
      if (FIELD_VALUE[code] !== 1) throw this.#unexpected("the end of the quoted value");
      value += this.#text[this.#at++];
    }
    this.#at++;
    // RFC 6455 §9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF."
    if (!isToken(value)) {
      this.#at = start;
      throw this.#unexpected("a token in the quoted value");
    }
    return value;
  }

  #skipWhitespace(): void {
    while (isWhitespace(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  #eat(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false;
    this.#at++;
    return true;
  }

  #atSeparator(): boolean {
    return this.#at >= this.#text.length || this.#text.charCodeAt(this.#at) === COMMA;
  }

  #unexpected(expected: string): HandshakeError {
    // RFC 6455 §9.1: "the recipient of such malformed data MUST immediately _Fail the WebSocket
    // Connection_."
    const found = this.#at < this.#text.length ? quote(this.#text.slice(this.#at)) : "the end";
    return new HandshakeError(
      `Cannot parse Sec-WebSocket-Extensions: ${found} at offset ${this.#at}, expected ${expected}`,
      { code: "ERR_HANDSHAKE_EXTENSIONS" },
    );
  }
}
