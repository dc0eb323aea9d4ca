import { COMMA, DQUOTE, EQUALS, quote, SEMICOLON, trimWhitespace } from "../http/characters.ts";
import { HandshakeError } from "../http/errors.ts";
import type { HeaderList } from "../http/header_list.ts";
import { HeaderScanner } from "../http/header_scanner.ts";
import { formatIpAddress, parseIpAddress } from "./ip_address.ts";
import type { AddressSet, IpAddress } from "./ip_address.ts";

/** The two fields in which a proxy reports the address of its client. */
export type ForwardedField = "forwarded" | "x-forwarded-for";

/** One end of a connection, as a proxy reports it. */
export interface ForwardedNode {
  /** The address; `null` if the proxy does not know it, or hides it. */
  readonly address: IpAddress | null;
  /** The port; 0 if it is not reported. */
  readonly port: number;
}

const HIDDEN: ForwardedNode = { address: null, port: 0 };

/**
 * Parses one line of Forwarded by its whole grammar.
 *
 * @param value The line's value.
 * @returns The parameters of each proxy, in order, with names in lower case.
 * @throws {HandshakeError} If the value does not match the grammar: 400.
 * @see {@link https://www.rfc-editor.org/rfc/rfc7239#section-4 RFC 7239 §4}
 */
export function parseForwarded(value: string): ReadonlyMap<string, string>[] {
  const scanner = new HeaderScanner(value, "Forwarded", "ERR_HANDSHAKE_FORWARDED");
  const elements: Map<string, string>[] = [];
  do {
    const params = scanParams(scanner);
    // RFC 9110 §5.6.1.2: "A recipient MUST parse and ignore a reasonable number of empty list
    // elements".
    if (params.size > 0) elements.push(params);
  } while (scanner.eat(COMMA));
  if (!scanner.isAtEnd) throw scanner.unexpected('";", "," or the end');
  return elements;
}

/** `forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )` */
function scanParams(scanner: HeaderScanner): Map<string, string> {
  const params = new Map<string, string>();
  do {
    scanner.skipWhitespace();
    if (!scanner.isAtToken) continue;
    const start = scanner.at;
    const name = scanner.token().toLowerCase();
    if (!scanner.eat(EQUALS)) throw scanner.unexpected('"="');
    const value = scanner.eat(DQUOTE) ? scanner.quotedRest() : scanner.token();
    // RFC 7239 §4: "Each parameter MUST NOT occur more than once per field-value."
    if (params.has(name)) throw scanner.unexpected("each parameter once", start);
    params.set(name, value);
    scanner.skipWhitespace();
  } while (scanner.eat(SEMICOLON));
  return params;
}

/**
 * Finds the client's address in the fields that trusted proxies have added to its request. Each proxy
 * appends the address it received the request from. The list is therefore read from the right, as
 * long as the entries are addresses of trusted proxies. The entries to the left of the first other
 * address may be invented by the client and are ignored.
 *
 * @param headers The fields of a request that a trusted proxy has sent.
 * @param isTrusted The addresses of the trusted proxies.
 * @param field The only field to read. Without it both are read, and a request in which they name
 * different clients is refused, because the client may have sent one of them.
 * @returns The client, or `null` if no field names it.
 * @throws {HandshakeError} If an entry of a trusted proxy is malformed: 400.
 * @see {@link https://www.rfc-editor.org/rfc/rfc7239#section-5.2 RFC 7239 §5.2}
 */
export function findForwardedClient(
  headers: HeaderList,
  isTrusted: AddressSet,
  field?: ForwardedField,
): ForwardedNode | null {
  const believed: readonly ForwardedField[] = field === undefined
    ? ["forwarded", "x-forwarded-for"]
    : [field];
  const clients = believed.filter((name) => headers.has(name))
    .map((name) => lastUntrusted(nodesOf(name, headers), isTrusted));
  const [client = null, other = client] = clients;
  if (textOf(client) !== textOf(other)) {
    throw new HandshakeError(
      `Cannot accept request: Forwarded names the client ${textOf(client)}, X-Forwarded-For ` +
        `${textOf(other)}, expected the same`,
      { code: "ERR_HANDSHAKE_FORWARDED" },
    );
  }
  return client;
}

function textOf(node: ForwardedNode | null): string {
  return node?.address ? formatIpAddress(node.address) : "unknown";
}

function lastUntrusted(
  nodes: Iterable<ForwardedNode>,
  isTrusted: AddressSet,
): ForwardedNode | null {
  let client: ForwardedNode | null = null;
  for (const node of nodes) {
    if (node.address === null) break;
    client = node;
    if (!isTrusted(node.address)) break;
  }
  return client;
}

/** Iterates over the entries of a field from the right. Throws at a malformed entry. */
function* nodesOf(name: ForwardedField, headers: HeaderList): Generator<ForwardedNode> {
  // Each line is parsed alone: an unclosed quote in a client's line must not extend into a proxy's.
  for (const line of headers.getAll(name).reverse()) {
    if (name === "forwarded") {
      for (const params of parseForwarded(line).reverse()) {
        const node = params.get("for");
        yield node === undefined ? HIDDEN : parseNode(node);
      }
    } else {
      for (const element of line.split(",").reverse()) {
        yield parseForwardedFor(trimWhitespace(element));
      }
    }
  }
}

/**
 * Parses `node = nodename [ ":" node-port ]` (RFC 7239 §6). An IPv6 address has brackets. A name that
 * begins with "_" hides the address.
 */
function parseNode(text: string): ForwardedNode {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(?:(\d{1,5})|_[\w.-]+))?$/.exec(text);
  if (match === null) throw malformed("Forwarded", text);
  const [, ipv6, name, port] = match;
  if (name !== undefined && /^(?:unknown|_[\w.-]+)$/i.test(name)) return HIDDEN;
  return toNode("Forwarded", text, ipv6 ?? name, port, ipv6 !== undefined);
}

/**
 * Parses an entry of X-Forwarded-For, which no RFC defines: an address, with or without brackets, and
 * a port that some proxies add.
 */
function parseForwardedFor(text: string): ForwardedNode {
  if (text.toLowerCase() === "unknown") return HIDDEN;
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return toNode("X-Forwarded-For", text, text, undefined, true);
  const [, ipv6, ipv4, port] = match;
  return toNode("X-Forwarded-For", text, ipv6 ?? ipv4, port, ipv6 !== undefined);
}

function toNode(
  field: string,
  text: string,
  host: string,
  port: string | undefined,
  isIpv6: boolean,
): ForwardedNode {
  const address = host.includes(":") === isIpv6 ? parseIpAddress(host) : null;
  if (address === null || Number(port ?? 0) > 65535) throw malformed(field, text);
  return { address, port: Number(port ?? 0) };
}

function malformed(field: string, text: string): HandshakeError {
  return new HandshakeError(`Cannot parse ${field}: ${quote(text)}, expected an IP address`, {
    code: "ERR_HANDSHAKE_FORWARDED",
  });
}
