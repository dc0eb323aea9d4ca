import { COMMA, DQUOTE, EQUALS, quote, SEMICOLON, trimWhitespace } from "../http/characters.ts";
import { HandshakeError } from "../http/errors.ts";
import type { HeaderList } from "../http/header_list.ts";
import { HeaderScanner } from "../http/header_scanner.ts";
import { formatIpAddress, parseIpAddress } from "./ip_address.ts";
import type { AddressSet, IpAddress } from "./ip_address.ts";

/** The two fields in which a proxy tells who its client is. */
export type ForwardedField = "forwarded" | "x-forwarded-for";

/** One end of a connection, as a proxy tells of it. */
export interface ForwardedNode {
  /** The address; `null` where the proxy does not know it, or keeps it to itself. */
  readonly address: IpAddress | null;
  /** The port; 0 where it isn't told. */
  readonly port: number;
}

const HIDDEN: ForwardedNode = { address: null, port: 0 };

/**
 * Reads one line of Forwarded, by the whole grammar.
 *
 * @param value The line's value.
 * @returns For each proxy, in order, its parameters, by their names in lower case.
 * @throws {HandshakeError} 400, when the value does not fit the grammar.
 * @see https://www.rfc-editor.org/rfc/rfc7239#section-4
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
 * Who the client is, by what trusted proxies have added to the head of its request. Each adds who it
 * has got the request from, on the right: so the list is read from there, for as long as it was a
 * trusted proxy who said it. What stands left of that may be the client's own invention, and is not
 * looked at.
 *
 * @param headers The fields of a request that has come from a trusted proxy.
 * @param isTrusted The proxies.
 * @param field The only field to believe. Default: either; a request that has both, and in them two
 * clients, is refused, since one of them is a stranger's.
 * @returns The client, or `null` where that isn't told.
 * @throws {HandshakeError} 400, when what a trusted proxy said is malformed.
 * @see https://www.rfc-editor.org/rfc/rfc7239#section-5.2
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

/** What the proxies have said, the last one first; what is malformed throws when it's reached. */
function* nodesOf(name: ForwardedField, headers: HeaderList): Generator<ForwardedNode> {
  // Line by line: a quote that a client leaves open must not reach into a proxy's own line.
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
 * RFC 7239 §6: `node = nodename [ ":" node-port ]`, where an IPv6 address is in brackets, and what
 * begins with "_" stands for something that is kept secret.
 */
function parseNode(text: string): ForwardedNode {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(?:(\d{1,5})|_[\w.-]+))?$/.exec(text);
  if (match === null) throw malformed("Forwarded", text);
  const [, ipv6, name, port] = match;
  if (name !== undefined && /^(?:unknown|_[\w.-]+)$/i.test(name)) return HIDDEN;
  return toNode("Forwarded", text, ipv6 ?? name, port, ipv6 !== undefined);
}

/** No RFC has it: an address, and a port that some proxies add, with or without brackets. */
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
