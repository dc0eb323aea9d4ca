import { checkLimit } from "../protocol/options.ts";
import { HandshakeError } from "../http/errors.ts";
import { clientPrefix } from "../proxy/ip_address.ts";
import type { Addr } from "../transport/transport.ts";
import { toIpAddress } from "../proxy/trusted_proxies.ts";
import type { TrustedProxies } from "../proxy/trusted_proxies.ts";

/** Options that limit how many connections a server accepts. */
export interface AdmissionOptions {
  /**
   * Maximum number of TCP connections at a time, of every kind: WebSockets, opening handshakes, and
   * HTTP connections. The next connection is answered with 503 and `Retry-After`, before its request is
   * read. While 64 connections are being answered in this way, further ones are dropped.
   *
   * A connection that is closed is counted as long as its handler function still runs, or its call of
   * `upgrade()` or `fetch()` is pending. So the limit also applies to those.
   *
   * @default {Infinity} no limit
   */
  maxConnections?: number;
  /**
   * Maximum number of TCP connections of one client, by its IP address. IPv6 addresses are compared by
   * their first 64 bits, since a client can choose the others. The next connection is refused in the
   * same way.
   *
   * If the peer is one of `trustedProxies`, the client is counted when the request head names it. An HTTP
   * connection counts for the client of its latest request. Proxies and Unix sockets are not limited.
   *
   * @default {Infinity} no limit
   */
  maxConnectionsPerAddress?: number;
}

/** Returns a refusal if no WebSocket can be opened at present. */
export type UpgradeCheck = () => HandshakeError | undefined;

/** The Retry-After of a refusal whose reason may soon end, in seconds. */
export const RETRY_AFTER = 5;

/** Counts a server's connections, in all and by client, and refuses those over the limits. */
export class ConnectionLimits {
  readonly #max: number;
  readonly #maxPerAddress: number;
  readonly #proxies: TrustedProxies | undefined;
  readonly #upgradeChecks: UpgradeCheck[] = [];
  readonly #countByAddress = new Map<string, number>();
  #count = 0;

  /**
   * Checks the limits.
   *
   * @param proxies The trusted proxies, which connect for other clients.
   * @throws {RangeError} If a limit is not an integer above 0.
   */
  constructor(options: AdmissionOptions, proxies: TrustedProxies | undefined) {
    const { maxConnections = Infinity, maxConnectionsPerAddress = Infinity } = options;
    checkLimit("limit maxConnections", maxConnections, true);
    checkLimit("limit maxConnectionsPerAddress", maxConnectionsPerAddress, true);
    this.#max = maxConnections;
    this.#maxPerAddress = maxConnectionsPerAddress;
    this.#proxies = proxies;
  }

  /** Whether connections are counted by address. */
  get limitsAddresses(): boolean {
    return this.#maxPerAddress !== Infinity;
  }

  /** Adds a check that every WebSocket must pass before it opens. */
  addUpgradeCheck(check: UpgradeCheck): void {
    this.#upgradeChecks.push(check);
  }

  /** Returns the first refusal of the upgrade checks, if any. */
  checkUpgrade(): HandshakeError | undefined {
    for (const check of this.#upgradeChecks) {
      const refusal = check();
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  /**
   * Counts a TCP connection that has been accepted.
   *
   * @param remoteAddr The peer's address; not needed unless `limitsAddresses`.
   * @returns The refusal, if a limit is reached. Otherwise the connection is counted until `release()`.
   */
  acquire(remoteAddr: Addr | undefined): HandshakeError | undefined {
    if (this.#count >= this.#max) return full(`the server has ${this.#max} connections`);
    const refusal = remoteAddr === undefined ? undefined : this.acquireAddress(remoteAddr);
    if (refusal === undefined) this.#count++;
    return refusal;
  }

  /**
   * Counts an acquired connection for a client that a proxy has named.
   *
   * @param previous The client for which it has been counted so far, if any.
   * @returns The refusal, if a limit is reached. Otherwise the connection is counted until `release()`.
   */
  acquireAddress(clientAddr: Addr, previous?: Addr): HandshakeError | undefined {
    const key = this.#keyOf(clientAddr);
    const previousKey = previous === undefined ? undefined : this.#keyOf(previous);
    if (key === previousKey) return undefined;
    if (key !== undefined) {
      const count = this.#countByAddress.get(key) ?? 0;
      if (count >= this.#maxPerAddress) return full(`${key} has ${count} connections`);
      this.#countByAddress.set(key, count + 1);
    }
    if (previousKey !== undefined) this.#uncount(previousKey);
    return undefined;
  }

  /**
   * Stops counting a connection.
   *
   * @param clientAddr The client for which the connection has been counted, if any.
   */
  release(clientAddr: Addr | undefined): void {
    this.#count--;
    const key = clientAddr === undefined ? undefined : this.#keyOf(clientAddr);
    if (key !== undefined) this.#uncount(key);
  }

  #uncount(key: string): void {
    const count = this.#countByAddress.get(key)! - 1;
    if (count > 0) this.#countByAddress.set(key, count);
    else this.#countByAddress.delete(key);
  }

  /** Returns the key under which an address is counted, or `undefined` if it is not limited. */
  #keyOf(addr: Addr): string | undefined {
    if (!this.limitsAddresses || this.#proxies?.has(addr)) return undefined;
    const address = toIpAddress(addr);
    return address === null ? undefined : clientPrefix(address);
  }
}

function full(reason: string): HandshakeError {
  return new HandshakeError(`Cannot accept connection: ${reason}, and may have no more`, {
    code: "ERR_HANDSHAKE_FULL",
    status: 503,
    retryAfter: RETRY_AFTER,
  });
}

/** Makes the refusal of every WebSocket while the server is shutting down. */
export function draining(): HandshakeError {
  return new HandshakeError("Cannot accept handshake: the server is shutting down", {
    code: "ERR_HANDSHAKE_DRAINING",
    status: 503,
    retryAfter: RETRY_AFTER,
  });
}

/**
 * Makes the refusal of every WebSocket while the server is over its memory budget: 503, to be tried
 * again after `patience` milliseconds.
 */
export function outOfMemory(patience: number): HandshakeError {
  return new HandshakeError("Cannot accept handshake: the server is out of memory", {
    code: "ERR_HANDSHAKE_MEMORY",
    status: 503,
    retryAfter: Math.ceil(patience / 1000),
  });
}
