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
   * The proxies whose word is taken for who the client is: their addresses, such as `"::1"`, ranges of
   * them, such as `"10.0.0.0/8"`, and `"unix"` for whoever connects to a Unix socket.
   *
   * What they say in `X-Forwarded-For`, or in `Forwarded` (RFC 7239), is then `clientAddr`: both are
   * read from the right, where the last proxy has written, up to the first address that is not
   * trusted. What is malformed there is refused with 400. From anybody else, neither is looked at.
   *
   * @default {[]} none
   */
  trustedProxies?: readonly string[];
  /**
   * The one of the two fields to believe: that which your proxies write, and don't just let through.
   *
   * @default {undefined} either; a request where they name two clients is refused with 400
   */
  forwardedField?: ForwardedField;
  /**
   * Whether trusted proxies begin each connection with a header of the PROXY protocol, version 1 or 2,
   * as those do that relay TCP and not HTTP. They then must: a connection without one is dropped.
   * Others must not, and are taken for clients. Not for `tls`, which would have to begin after the
   * header.
   *
   * @default {false}
   */
  proxyProtocol?: boolean;
}

/** The proxies whose word is taken. */
export class TrustedProxies {
  readonly #hasUnix: boolean;
  readonly #addresses: AddressSet;
  readonly #field: ForwardedField | undefined;
  readonly #speaksFirst: boolean;

  /** @throws {TypeError} where an address is malformed. */
  constructor(trusted: readonly string[], options: ProxyOptions) {
    this.#hasUnix = trusted.includes("unix");
    this.#addresses = createAddressSet(trusted.filter((entry) => entry !== "unix"));
    this.#field = options.forwardedField;
    this.#speaksFirst = options.proxyProtocol ?? false;
  }

  /** Whether an address is a proxy's. */
  has(addr: Addr): boolean {
    if (addr.transport === "unix") return this.#hasUnix;
    const address = toIpAddress(addr);
    return address !== null && this.#addresses(address);
  }

  /** Who is to tell whose connection this is; `undefined` where it's the other end's own. */
  clientBehind(remoteAddr: Addr): ProxiedClient | undefined {
    if (!this.has(remoteAddr)) return undefined;
    return new ProxiedClient(remoteAddr, this, this.#speaksFirst);
  }

  /** The client by the head of a request that has come from a proxy. */
  find(headers: HeaderList): ForwardedNode | null {
    return findForwardedClient(headers, this.#addresses, this.#field);
  }
}

/** Finds out who the client is whose connection a trusted proxy relays. */
export class ProxiedClient {
  readonly #remoteAddr: Addr;
  readonly #proxies: TrustedProxies;
  #parser: ProxyHeaderParser | undefined;
  /** Who the PROXY protocol's header says it is. */
  #source: ForwardedNode | undefined;

  constructor(remoteAddr: Addr, proxies: TrustedProxies, speaksFirst: boolean) {
    this.#remoteAddr = remoteAddr;
    this.#proxies = proxies;
    if (speaksFirst) this.#parser = new ProxyHeaderParser();
  }

  /**
   * Takes the PROXY protocol's header, if one is to come.
   *
   * @returns what comes after it, once it's complete.
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
   * The client, by all that the proxies say.
   *
   * @throws {HandshakeError} 400, where that is malformed.
   */
  find(headers: HeaderList): Addr {
    const relayed = this.#source === undefined ? undefined : toAddr(this.#source);
    // Who relays TCP lets the client's own fields through: they count only where the one who is
    // relayed is a trusted proxy itself.
    if (this.#source !== undefined && (relayed === undefined || !this.#proxies.has(relayed))) {
      return relayed ?? this.#remoteAddr;
    }
    return toAddr(this.#proxies.find(headers)) ?? relayed ?? this.#remoteAddr;
  }
}

/**
 * Checks the options about proxies.
 *
 * @returns `undefined` where nobody is trusted.
 * @throws {TypeError} where an address is malformed, or there is nobody to speak the PROXY protocol.
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
  return undefined;
}

const FIELDS: ReadonlySet<ForwardedField> = /* @__PURE__ */ new Set(
  ["forwarded", "x-forwarded-for"] as const,
);

/** The IP address that the runtime tells; `null` where there is none. */
export function toIpAddress(addr: Addr): IpAddress | null {
  if (addr.transport === "unix") return null;
  // A link-local address has its interface with it: RFC 4007 §11.
  const [hostname] = addr.hostname.split("%");
  return parseIpAddress(hostname);
}

function toAddr(node: ForwardedNode | null): Addr | undefined {
  if (node === null || node.address === null) return undefined;
  return { transport: "tcp", hostname: formatIpAddress(node.address), port: node.port };
}
