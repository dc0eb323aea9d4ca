import { findForwardedClient } from "./forwarded.ts";
import type { ForwardedField, ForwardedNode } from "./forwarded.ts";
import type { HeaderList } from "../http/header_list.ts";
import { createAddressSet, formatIpAddress, parseIpAddress } from "./ip_address.ts";
import type { AddressSet, IpAddress } from "./ip_address.ts";
import { ProxyHeaderParser } from "./proxy_protocol.ts";
import type { Addr } from "../transport/transport.ts";

/** Options about proxies in front of a server. */
export interface ProxyOptions {
  /**
   * The proxies that may report the client's address: IP addresses, such as `"::1"`, ranges of
   * addresses, such as `"10.0.0.0/8"`, and `"unix"` for all peers of a Unix socket.
   *
   * `clientAddr` is then the address in their `X-Forwarded-For` or `Forwarded` field (RFC 7239). Both
   * fields are read from the right, where the last proxy writes, up to the first address that is not
   * trusted. A malformed entry there is refused with 400. The fields of other peers are ignored.
   *
   * @default {[]}
   */
  trustedProxies?: readonly string[];
  /**
   * The only one of the two fields to read; it needs `trustedProxies`. Name the field that your proxies write themselves, not one
   * that they pass through.
   *
   * @default {undefined} both; a request in which they name different clients is refused with 400
   */
  forwardedField?: ForwardedField;
  /**
   * Whether trusted proxies begin each connection with a header of the PROXY protocol, version 1 or 2,
   * as proxies do that relay TCP instead of HTTP. A connection from a trusted proxy without the header
   * is dropped without a response. Other peers are clients and must not send the header. Cannot be
   * combined with `tls`, because TLS would have to begin after the header.
   *
   * @default {false}
   */
  proxyProtocol?: boolean;
}

/** The trusted proxies of a server, and the header in which they name the client. */
export class TrustedProxies {
  readonly #hasUnix: boolean;
  readonly #addresses: AddressSet;
  readonly #field: ForwardedField | undefined;
  readonly #speaksFirst: boolean;

  /** @throws {TypeError} If an address is malformed. */
  constructor(trusted: readonly string[], options: ProxyOptions) {
    this.#hasUnix = trusted.includes("unix");
    this.#addresses = createAddressSet(trusted.filter((entry) => entry !== "unix"));
    this.#field = options.forwardedField;
    this.#speaksFirst = options.proxyProtocol ?? false;
  }

  /** Returns whether an address belongs to a trusted proxy. */
  has(addr: Addr): boolean {
    if (addr.transport === "unix") return this.#hasUnix;
    const address = toIpAddress(addr);
    return address !== null && this.#addresses(address);
  }

  /**
   * Returns whether a peer has to begin with a header of the PROXY protocol. Until it has, nothing is
   * sent to it.
   */
  expectsHeader(remoteAddr: Addr): boolean {
    return this.#speaksFirst && this.has(remoteAddr);
  }

  /** Creates the reader of the client's address, or returns `undefined` if the peer is no proxy. */
  clientBehind(remoteAddr: Addr): ProxiedClient | undefined {
    if (!this.has(remoteAddr)) return undefined;
    return new ProxiedClient(remoteAddr, this, this.#speaksFirst);
  }

  /** Returns the client that the fields of a proxy's request name, if any. */
  find(headers: HeaderList): ForwardedNode | null {
    return findForwardedClient(headers, this.#addresses, this.#field);
  }
}

/** Determines the client's address on a connection from a trusted proxy. */
export class ProxiedClient {
  readonly #remoteAddr: Addr;
  readonly #proxies: TrustedProxies;
  #parser: ProxyHeaderParser | undefined;
  /** The client according to the PROXY protocol's header. */
  #source: ForwardedNode | undefined;

  constructor(remoteAddr: Addr, proxies: TrustedProxies, speaksFirst: boolean) {
    this.#remoteAddr = remoteAddr;
    this.#proxies = proxies;
    if (speaksFirst) this.#parser = new ProxyHeaderParser();
  }

  /** Whether the PROXY protocol's header is expected and incomplete, or malformed. */
  get expectsHeader(): boolean {
    return this.#parser !== undefined;
  }

  /**
   * Parses the PROXY protocol's header, if one is expected.
   *
   * @returns The bytes after the header, or `undefined` while it is incomplete.
   * @throws {HandshakeError} If the header is malformed, with code `ERR_HANDSHAKE_PROXY`.
   */
  preface(chunk: Uint8Array): Uint8Array | undefined {
    if (this.#parser === undefined) return chunk;
    const used = this.#parser.push(chunk);
    if (used === -1) return undefined;
    this.#source = this.#parser.source;
    this.#parser = undefined;
    return chunk.subarray(used);
  }

  /**
   * Returns the client's address according to the header and the fields of the proxies.
   *
   * @throws {HandshakeError} If a field is malformed: 400.
   */
  find(headers: HeaderList): Addr {
    const relayed = this.#source === undefined ? undefined : toAddr(this.#source);
    // A proxy that relays TCP passes the client's own fields through. They are read only if the
    // relayed client is a trusted proxy itself.
    if (this.#source !== undefined && (relayed === undefined || !this.#proxies.has(relayed))) {
      return relayed ?? this.#remoteAddr;
    }
    return toAddr(this.#proxies.find(headers)) ?? relayed ?? this.#remoteAddr;
  }
}

/**
 * Validates the options about proxies.
 *
 * @returns The trusted proxies, or `undefined` if there are none.
 * @throws {TypeError} If an address is malformed, or `proxyProtocol` or `forwardedField` is set without
 * trusted proxies.
 */
export function resolveProxies(options: ProxyOptions): TrustedProxies | undefined {
  const { trustedProxies = [], forwardedField, proxyProtocol = false } = options;
  if (forwardedField !== undefined && !FIELDS.has(forwardedField)) {
    throw new TypeError(
      `Cannot use forwardedField "${forwardedField}": expected "forwarded" or "x-forwarded-for"`,
    );
  }
  if (trustedProxies.length > 0) return new TrustedProxies(trustedProxies, options);
  if (proxyProtocol) {
    throw new TypeError("Cannot use the PROXY protocol: expected trustedProxies that speak it");
  }
  if (forwardedField !== undefined) {
    throw new TypeError("Cannot use forwardedField: expected trustedProxies that send the field");
  }
  return undefined;
}

const FIELDS: ReadonlySet<ForwardedField> = /* @__PURE__ */ new Set(
  ["forwarded", "x-forwarded-for"] as const,
);

/** Returns the IP address of the runtime's `Addr`, or `null` if it has none. */
export function toIpAddress(addr: Addr): IpAddress | null {
  if (addr.transport === "unix") return null;
  // RFC 4007 §11: a link-local address has a zone after "%".
  const [hostname] = addr.hostname.split("%");
  return parseIpAddress(hostname);
}

function toAddr(node: ForwardedNode | null): Addr | undefined {
  if (node === null || node.address === null) return undefined;
  return { transport: "tcp", hostname: formatIpAddress(node.address), port: node.port };
}
