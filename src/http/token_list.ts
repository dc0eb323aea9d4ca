import { hasAt, isToken, trimWhitespace } from "./characters.ts";

/**
 * Returns whether a comma-separated list has an element that equals `token` in any case.
 *
 * Other elements are not validated: the other names in `Upgrade: h2c, websocket` and in
 * `Connection: keep-alive, Upgrade` do not concern the handshake.
 *
 * @param value The field's value, or `null` if there is no such field.
 * @param token The element to look for.
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1 RFC 9110 §5.6.1}
 */
export function includesToken(value: string | null, token: string): boolean {
  if (value === null) return false;
  // Most fields have one element. Splitting the value would take ten times as long.
  if (value.length === token.length) return hasAt(value, 0, token);
  const wanted = token.toLowerCase();
  return value.split(",").some((element) => trimWhitespace(element).toLowerCase() === wanted);
}

/**
 * Parses a comma-separated list of tokens.
 *
 * @param value The field's value.
 * @returns The tokens in their order, or `null` if an element is not a token.
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1 RFC 9110 §5.6.1}
 */
export function parseTokenList(value: string): string[] | null {
  const tokens: string[] = [];
  for (const element of value.split(",")) {
    const token = trimWhitespace(element);
    // RFC 9110 §5.6.1.2: "A recipient MUST parse and ignore a reasonable number of empty list
    // elements". The limit of the head's size bounds their number.
    if (token === "") continue;
    if (!isToken(token)) return null;
    tokens.push(token);
  }
  return tokens;
}
