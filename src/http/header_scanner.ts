import { BACKSLASH, DQUOTE, FIELD_VALUE, isWhitespace, quote, TOKEN } from "./characters.ts";
import { HandshakeError } from "./errors.ts";

/** Scans the value of a header field once, with the elements that the grammars of fields share. */
export class HeaderScanner {
  readonly #text: string;
  readonly #field: string;
  readonly #code: string;
  #at = 0;

  /**
   * @param text The field's value.
   * @param field The field's name, for error messages.
   * @param code The code of the errors.
   */
  constructor(text: string, field: string, code: string) {
    this.#text = text;
    this.#field = field;
    this.#code = code;
  }

  /** The offset of the next character. */
  get at(): number {
    return this.#at;
  }

  /** Whether all characters have been consumed. */
  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Whether the next character is one of a token. */
  get isAtToken(): boolean {
    return TOKEN[this.#text.charCodeAt(this.#at)] === 1;
  }

  /** Returns whether the next character has this code. */
  isAt(code: number): boolean {
    return this.#text.charCodeAt(this.#at) === code;
  }

  /** Consumes the next character if it has this code. Returns whether it had. */
  eat(code: number): boolean {
    if (!this.isAt(code)) return false;
    this.#at++;
    return true;
  }

  /** Consumes all SP and HTAB that follow. */
  skipWhitespace(): void {
    while (isWhitespace(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  /**
   * Consumes and returns a token: RFC 9110 §5.6.2.
   *
   * @throws {HandshakeError} If there is none: 400.
   */
  token(): string {
    const start = this.#at;
    while (this.isAtToken) this.#at++;
    if (this.#at === start) throw this.unexpected("a token");
    return this.#text.slice(start, this.#at);
  }

  /**
   * Consumes the rest of a quoted-string, after its first quote: RFC 9110 §5.6.4.
   *
   * @returns The value, unescaped.
   * @throws {HandshakeError} If it has no closing quote, or a control character: 400.
   */
  quotedRest(): string {
    let value = "";
    while (!this.eat(DQUOTE)) {
      // RFC 9110 §5.6.4: "Recipients that process the value of a quoted-string MUST handle a
      // quoted-pair as if it were replaced by the octet following the backslash."
      this.eat(BACKSLASH);
      if (FIELD_VALUE[this.#text.charCodeAt(this.#at)] !== 1) {
        throw this.unexpected("the end of the quoted value");
      }
      value += this.#text[this.#at++];
    }
    return value;
  }

  /** Returns the error for the character at an offset, by default the next one. */
  unexpected(expected: string, at: number = this.#at): HandshakeError {
    const found = at < this.#text.length ? quote(this.#text.slice(at)) : "the end";
    return new HandshakeError(
      `Cannot parse ${this.#field}: ${found} at offset ${at}, expected ${expected}`,
      { code: this.#code },
    );
  }
}
