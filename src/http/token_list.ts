import { hasAt, isToken, trimWhitespace } from "./characters.ts";

/**
 * Whether a comma-separated list has an element that equals `token` in any case.
 *
 * Other elements are not looked into, as `Upgrade: h2c, websocket` and `Connection: keep-alive,
 * Upgrade` name things that are none of the handshake's business.
 *
 * @param value The field's value, or `null` for a field that isn't there.
 * @param token The element to look for.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1
 */
export function includesToken(value: string | null, token: string): boolean {
  if (value === null) return false;
  // Most fields have one element: to make a list of it costs ten times as much.
  if (value.length === token.length) return hasAt(value, 0, token);
  const wanted = token.toLowerCase();
  return value.split(",").some((element) => trimWhitespace(element).toLowerCase() === wanted);
}

/**
 * Reads a comma-separated list of tokens.
 *
 * @param value The field's value.
 * @returns The tokens in their order, or `null` where an element is not a token.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1
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
