/**
 * The header fields of one HTTP message, in the order in which they came.
 *
 * Names match in any case and are kept in lower case. A plain object would answer for `constructor`
 * and `__proto__`, and a Web `Headers` forgets how many lines a field had, which the handshake has
 * to know; this is two arrays and a short search.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5
 *
 * @example
 * ```ts
 * import { HeaderList } from "@sluice/websocket/handshake";
 * import { assertEquals } from "@std/assert";
 *
 * const headers = new HeaderList([["Connection", "keep-alive"], ["connection", "Upgrade"]]);
 * assertEquals(headers.get("CONNECTION"), "keep-alive, Upgrade");
 * assertEquals(headers.getAll("connection").length, 2);
 * ```
 */
export class HeaderList {
  readonly #names: string[] = [];
  readonly #values: string[] = [];

  /**
   * Makes a list of the given fields.
   *
   * @param entries The fields to begin with, as [name, value] pairs. Default: none.
   */
  constructor(entries: Iterable<readonly [name: string, value: string]> = []) {
    for (const [name, value] of entries) this.append(name, value);
  }

  /** How many field lines there are; a repeated name counts each time. */
  get size(): number {
    return this.#names.length;
  }

  /**
   * Adds one field line at the end. Nothing is validated: the parser has done it.
   *
   * @param name The field's name, in any case.
   * @param value The field's value, without whitespace around it.
   */
  append(name: string, value: string): void {
    this.#names.push(name.toLowerCase());
    this.#values.push(value);
  }

  /**
   * All values of a field, joined with `", "`, as RFC 9110 §5.3 lets a recipient combine them.
   *
   * @param name The field's name, in any case.
   * @returns The value, or `null` when there is no such field, as `Headers.get` says it.
   */
  get(name: string): string | null {
    const names = this.#names;
    const lower = name.toLowerCase();
    const first = names.indexOf(lower);
    if (first === -1) return null;
    let value = this.#values[first];
    for (let i = first + 1; i < names.length; i++) {
      if (names[i] === lower) value += `, ${this.#values[i]}`;
    }
    return value;
  }

  /**
   * The values of a field, one for each line it had.
   *
   * @param name The field's name, in any case.
   */
  getAll(name: string): string[] {
    const lower = name.toLowerCase();
    return this.#values.filter((_, i) => this.#names[i] === lower);
  }

  /**
   * Whether there is at least one line of this field.
   *
   * @param name The field's name, in any case.
   */
  has(name: string): boolean {
    return this.#names.includes(name.toLowerCase());
  }

  /** Every field line as [lower-case name, value], in order. */
  *entries(): IterableIterator<[name: string, value: string]> {
    for (let i = 0; i < this.#names.length; i++) yield [this.#names[i], this.#values[i]];
  }

  /** The same as {@linkcode HeaderList.entries}. */
  [Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    return this.entries();
  }
}
