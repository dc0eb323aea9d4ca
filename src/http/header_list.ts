import { hasAt } from "./characters.ts";

/** Assigned by the class: only it can write its private fields. */

/** Creates a list from a head's text and the marks of its fields. Keeps both. For parsers. */
export function headersOf(text: string, marks: number[]): HeaderList {
  return HeaderList.of(text, marks);
}

/**
 * The header fields of one HTTP message, in the order in which they were received.
 *
 * Names match in any case. Unlike a plain object, the list has no fields `constructor` and
 * `__proto__`; unlike a Web `Headers`, it keeps the number of lines of a field, which the handshake
 * has to check. The list is a text with marks. A handshake reads few of the fields, and only those
 * are cut out of the text.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-5 RFC 9110 §5}
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
  /** Four offsets a line: start and end of the name, start and end of the value. */
  #marks: number[] = [];

  // A static block would keep the class in a bundle that does not use it.
  /** @internal */
  static of(text: string, marks: number[]): HeaderList {
    const headers = new HeaderList();
    headers.#text = text;
    headers.#marks = marks;
    return headers;
  }

  /**
   * Creates a list of the given fields.
   *
   * @param entries The first fields, as [name, value] pairs. Without it the list is empty.
   */
  constructor(entries?: Iterable<readonly [name: string, value: string]>) {
    if (entries === undefined) return;
    for (const [name, value] of entries) this.append(name, value);
  }

  /**
   * Appends one field line. Neither name nor value is validated.
   *
   * @param name The field's name, in any case.
   * @param value The field's value, without surrounding whitespace.
   */
  append(name: string, value: string): void {
    const start = this.#text.length;
    const middle = start + name.length;
    this.#text += name + value;
    this.#marks.push(start, middle, middle, middle + value.length);
  }

  /**
   * Returns all values of a field, joined with `", "`, as RFC 9110 §5.3 lets a recipient combine them.
   *
   * @param name The field's name, in any case.
   * @returns The value, or `null` if there is no such field, as `Headers.get` does.
   */
  get(name: string): string | null {
    let line = this.#find(name, 0);
    if (line === -1) return null;
    let value = this.#value(line);
    while ((line = this.#find(name, line + 4)) !== -1) value += `, ${this.#value(line)}`;
    return value;
  }

  /**
   * Returns the values of a field, one for each of its lines.
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
   * Returns whether the field has at least one line.
   *
   * @param name The field's name, in any case.
   */
  has(name: string): boolean {
    return this.#find(name, 0) !== -1;
  }

  /** Iterates over the field lines in order, as [lower-case name, value]. */
  *entries(): IterableIterator<[name: string, value: string]> {
    const marks = this.#marks;
    for (let line = 0; line < marks.length; line += 4) {
      const name = this.#text.slice(marks[line], marks[line + 1]);
      yield [name.toLowerCase(), this.#value(line)];
    }
  }

  /** Iterates over the field lines, as {@linkcode HeaderList.entries} does. */
  [Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    return this.entries();
  }

  /** Returns the index of the marks of a field's first line at or after `from`, or -1. */
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
