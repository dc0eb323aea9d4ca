import { hasAt } from "./characters.ts";

/** How a parser makes a list: of a head's text, and of where its fields are, for good. */
export let headersOf: (text: string, marks: number[]) => HeaderList;

/**
 * The header fields of one HTTP message, in the order in which they came.
 *
 * Names match in any case and are kept in lower case. A plain object would answer for `constructor`
 * and `__proto__`, and a Web `Headers` forgets how many lines a field had, which the handshake has
 * to know; this is a text with marks in it. A handshake asks for a few of the fields, and only what is
 * asked for is cut out.
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
  #text = "";
  /** Where in the text each name begins and ends, and its value: four numbers a line. */
  #marks: number[] = [];

  static {
    headersOf = (text, marks) => {
      const headers = new HeaderList();
      headers.#text = text;
      headers.#marks = marks;
      return headers;
    };
  }

  /**
   * Makes a list of the given fields.
   *
   * @param entries The fields to begin with, as [name, value] pairs. Default: none.
   */
  constructor(entries?: Iterable<readonly [name: string, value: string]>) {
    if (entries === undefined) return;
    for (const [name, value] of entries) this.append(name, value);
  }

  /**
   * Adds one field line at the end. Nothing is validated: the parser has done it.
   *
   * @param name The field's name, in any case.
   * @param value The field's value, without whitespace around it.
   */
  append(name: string, value: string): void {
    const start = this.#text.length;
    const middle = start + name.length;
    this.#text += name + value;
    this.#marks.push(start, middle, middle, middle + value.length);
  }

  /**
   * All values of a field, joined with `", "`, as RFC 9110 §5.3 lets a recipient combine them.
   *
   * @param name The field's name, in any case.
   * @returns The value, or `null` when there is no such field, as `Headers.get` says it.
   */
  get(name: string): string | null {
    let line = this.#find(name, 0);
    if (line === -1) return null;
    let value = this.#value(line);
    while ((line = this.#find(name, line + 4)) !== -1) value += `, ${this.#value(line)}`;
    return value;
  }

  /**
   * The values of a field, one for each line it had.
   *
   * @param name The field's name, in any case.
   */
  getAll(name: string): string[] {
    const values: string[] = [];
    for (let line = this.#find(name, 0); line !== -1; line = this.#find(name, line + 4)) {
      values.push(this.#value(line));
    }
    return values;
  }

  /**
   * Whether there is at least one line of this field.
   *
   * @param name The field's name, in any case.
   */
  has(name: string): boolean {
    return this.#find(name, 0) !== -1;
  }

  /** Every field line as [lower-case name, value], in order. */
  *entries(): IterableIterator<[name: string, value: string]> {
    const marks = this.#marks;
    for (let line = 0; line < marks.length; line += 4) {
      const name = this.#text.slice(marks[line], marks[line + 1]);
      yield [name.toLowerCase(), this.#value(line)];
    }
  }

  /** The same as {@linkcode HeaderList.entries}. */
  [Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    return this.entries();
  }

  /** The first line of a field, from a line on, as an index of its marks; -1 where there is none. */
  #find(name: string, from: number): number {
    const marks = this.#marks;
    for (let line = from; line < marks.length; line += 4) {
      const start = marks[line];
      if (marks[line + 1] - start === name.length && hasAt(this.#text, start, name)) return line;
    }
    return -1;
  }

  #value(line: number): string {
    return this.#text.slice(this.#marks[line + 2], this.#marks[line + 3]);
  }
}
