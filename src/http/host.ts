import { consistsOf, PLAIN_TARGET, quote } from "./characters.ts";
import { HandshakeError } from "./errors.ts";
import type { RequestHead } from "./request_head_parser.ts";

/**
 * RFC 3986 §3.2: a reg-name, an IPv4 address or a bracketed IPv6 address, then an optional port. A
 * reg-name may have a comma, which is refused here: in a Host it means that two lines were joined.
 */
const AUTHORITY = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+;=%-]+)(?::\d*)?$/i;

/**
 * Matches a path that the URL parser changes: a character that it encodes or reads as "/", or a dot
 * segment.
 */
const CHANGED_PATH = /["<>\\^`{}]|\/(?:\.|%2e){1,2}(?:\/|$)/i;

const ABSOLUTE_FORM = /^(https?|wss?):\/\/([^/?]+)(.*)$/i;

/** The last host found valid. Nearly all requests to a server have the same. */
let lastValid: string | undefined;

/** Returns whether `host` is a host with an optional port, as a URL has it. */
export function isValidHost(host: string): boolean {
  if (host === lastValid) return true;
  // URL checks the rest: the range of a port, the form of an address.
  if (!AUTHORITY.test(host) || !URL.canParse(`http://${host}/`)) return false;
  // URL decodes escapes, and reads "127.1" as an address. A proxy would compare another name.
  const { hostname } = new URL(`http://${host}/`);
  if (!host.startsWith("[") && host.replace(/:\d*$/, "").toLowerCase() !== hostname) return false;
  lastValid = host;
  return true;
}

/**
 * Returns `authority` in lower case and without the default port of its scheme, for comparison with
 * another.
 */
export function normalizeAuthority(scheme: string, authority: string): string {
  const defaultPort = /^(http|ws)$/i.test(scheme) ? ":80" : ":443";
  const lower = authority.toLowerCase();
  for (const port of [defaultPort, ":"]) {
    if (lower.endsWith(port)) return lower.slice(0, -port.length);
  }
  return lower;
}

/**
 * Returns the value of the Host field; for a request of HTTP/1.0 without one, `"localhost"`.
 *
 * @throws {HandshakeError} If the request does not have exactly one valid Host: 400.
 */
export function parseHost(head: RequestHead): string {
  const hosts = head.headers.getAll("host");
  // RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1
  // request message that lacks a Host header field and to any request message that contains more
  // than one Host header field line or a Host header field with an invalid field value."
  if (hosts.length === 0 && head.minorVersion === 0) return "localhost";
  if (hosts.length !== 1) {
    throw invalidHost(`${hosts.length} Host header lines, expected 1`);
  }
  if (!isValidHost(hosts[0])) {
    throw invalidHost(`Host ${quote(hosts[0])}, expected a host with an optional port`);
  }
  return hosts[0];
}

/**
 * Returns the path and the query of a request-target.
 *
 * @param target The request-target: origin-form or absolute-form.
 * @param host The Host field's value, with which an absolute-form target must agree.
 * @throws {HandshakeError} If the target has another form, or another host: 400.
 */
export function parseTarget(target: string, host: string): string {
  if (target.startsWith("/")) return checkPath(target, target);
  // RFC 6455 §4.1: the Request-URI may "be an absolute http/https URI that, when parsed, has a
  // /resource name/, /host/, and /port/ that match the corresponding ws/wss URI." The Host must match
  // it, too: if the two differ, a proxy may have routed the request by the other one.
  const [, scheme, authority, rest] = ABSOLUTE_FORM.exec(target) ?? [];
  if (scheme === undefined) {
    throw invalidTarget(`request-target ${quote(target)}, expected a path or an http URL`);
  }
  if (normalizeAuthority(scheme, authority) !== normalizeAuthority(scheme, host)) {
    throw invalidTarget(`request-target ${quote(target)}, expected the host ${quote(host)}`);
  }
  return checkPath(rest.startsWith("/") ? rest : `/${rest}`, target);
}

/**
 * Returns `resource`, a path with an optional query.
 *
 * A path that parsing a URL would change is refused. `\` is another "/" there, and a segment "." or
 * "..", also encoded, removes segments. A proxy that compares the path with an access rule as it was
 * received would compare another path than the application does.
 */
function checkPath(resource: string, target: string): string {
  if (consistsOf(PLAIN_TARGET, resource)) return resource;
  const end = resource.indexOf("?");
  const path = end === -1 ? resource : resource.slice(0, end);
  if (CHANGED_PATH.test(path)) {
    throw invalidTarget(
      `request-target ${quote(target)}, expected a path that stays the same in a URL`,
    );
  }
  return resource;
}

function invalidHost(reason: string): HandshakeError {
  return new HandshakeError(`Cannot accept request: ${reason}`, { code: "ERR_HANDSHAKE_HOST" });
}

function invalidTarget(reason: string): HandshakeError {
  return new HandshakeError(`Cannot accept request: ${reason}`, { code: "ERR_HANDSHAKE_TARGET" });
}
