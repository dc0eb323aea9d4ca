import { BACKSLASH, DQUOTE, FIELD_VALUE, isWhitespace, quote, TOKEN } from "./characters.ts";
import { HandshakeError } from "./errors.ts";

/** One pass over the value of a header field: what the grammars of such fields are made of. */
export class HeaderScanner {
  readonly #text: string;
  readonly #field: string;
  readonly #code: string;
  #at = 0;

  /**
   * @param text The field's value.
   * @param field The field's name, for errors.
   * @param code The code of errors.
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

  /** Whether there is no next character. */
  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Whether the next character begins a token. */
  get isAtToken(): boolean {
    return TOKEN[this.#text.charCodeAt(this.#at)] === 1;
  }

  /** Whether the next character is that one. */
  isAt(code: number): boolean {
    return this.#text.charCodeAt(this.#at) === code;
  }

  /** Takes the next character, if it's that one; whether it was. */
  eat(code: number): boolean {
    if (!this.isAt(code)) return false;
    this.#at++;
    return true;
  }

  /** Takes what there is of SP and HTAB. */
  skipWhitespace(): void {
    while (isWhitespace(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  /**
   * Takes a token: RFC 9110 §5.6.2.
   *
   * @throws {HandshakeError} 400, where there is none.
   */
  token(): string {
    const start = this.#at;
    while (this.isAtToken) this.#at++;
    if (this.#at === start) throw this.unexpected("a token");
    return this.#text.slice(start, this.#at);
  }

  /**
   * Takes the rest of a quoted-string, after its first quote: RFC 9110 §5.6.4.
   *
   * @returns The value, without its escapes.
   * @throws {HandshakeError} 400, where it has no end, or a control character.
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

  /** The error of what stands at an offset, the next character's where left out. */
  unexpected(expected: string, at: number = this.#at): HandshakeError {
    const found = at < this.#text.length ? quote(this.#text.slice(at)) : "the end";
    return new HandshakeError(
      `Cannot parse ${this.#field}: ${found} at offset ${at}, expected ${expected}`,
      { code: this.#code },
    );
  }
}
