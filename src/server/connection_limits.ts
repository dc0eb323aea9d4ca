import { HandshakeError } from "../http/errors.ts";
import { clientPrefix } from "../proxy/ip_address.ts";
import type { Addr } from "../transport/transport.ts";
import { toIpAddress } from "../proxy/trusted_proxies.ts";
import type { TrustedProxies } from "../proxy/trusted_proxies.ts";

/** Options about how many a server lets in. */
export interface AdmissionOptions {
  /**
   * How many TCP connections may be there at a time, whatever has become of them: WebSockets, opening
   * handshakes, answers of `fetch()`. The next is answered with 503 and `Retry-After`, before it has
   * asked for anything; while 64 are being answered so, others are dropped.
   *
   * @default {Infinity} no limit
   */
  maxConnections?: number;
  /**
   * How many of them may be one client's, by its IP address; of IPv6, by the first 64 bits, since the
   * others are the client's own to choose. The next is answered in the same way.
   *
   * Where the other end is one of `trustedProxies`, its client is counted once the head of the request
   * has told who that is. Proxies themselves, and Unix sockets, are not limited.
   *
   * @default {Infinity} no limit
   */
  maxConnectionsPerAddress?: number;
}

/** Gives a refusal, where no WebSocket is to be let in for now. */
export type AdmissionCheck = () => HandshakeError | undefined;

/** The Retry-After of a refusal that may be over soon, in seconds. */
export const RETRY_AFTER = 5;

/** Whom a server lets in: counts its connections, in all and by client, and knows why not. */
export class ConnectionLimits {
  readonly #max: number;
  readonly #maxPerAddress: number;
  readonly #proxies: TrustedProxies | undefined;
  readonly #checks: AdmissionCheck[] = [];
  readonly #byAddress = new Map<string, number>();
  #count = 0;

  /**
   * @param proxies Whose connections are other people's.
   * @throws {RangeError} where a limit is not a number above 0.
   */
  constructor(options: AdmissionOptions, proxies: TrustedProxies | undefined) {
    this.#max = limit("maxConnections", options.maxConnections);
    this.#maxPerAddress = limit("maxConnectionsPerAddress", options.maxConnectionsPerAddress);
    this.#proxies = proxies;
  }

  /** Whether it matters who a client is: whether each may have so many connections. */
  get countsClients(): boolean {
    return this.#maxPerAddress !== Infinity;
  }

  /** How many connections there are. */
  get count(): number {
    return this.#count;
  }

  /** How many clients they are, as far as those are counted. */
  get clients(): number {
    return this.#byAddress.size;
  }

  /** Adds something that is asked of every WebSocket that is about to open. */
  add(check: AdmissionCheck): void {
    this.#checks.push(check);
  }

  /** The refusal of all WebSockets for now, if any. */
  check(): HandshakeError | undefined {
    for (const check of this.#checks) {
      const refusal = check();
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  /**
   * A TCP connection has come.
   *
   * @param remoteAddr Its other end, which need not be told where clients are not counted.
   * @returns the refusal; else it is counted, until `leave()`.
   */
  arrive(remoteAddr: Addr | undefined): HandshakeError | undefined {
    if (this.#count >= this.#max) return full(`the server has ${this.#max} connections`);
    const refusal = remoteAddr === undefined ? undefined : this.identify(remoteAddr);
    if (refusal === undefined) this.#count++;
    return refusal;
  }

  /**
   * The client of a connection that has come before is known now.
   *
   * @returns the refusal; else it is counted as that client's, until `leave()`.
   */
  identify(clientAddr: Addr): HandshakeError | undefined {
    const key = this.#keyOf(clientAddr);
    if (key === undefined) return undefined;
    const count = this.#byAddress.get(key) ?? 0;
    if (count >= this.#maxPerAddress) return full(`${key} has ${count} connections`);
    this.#byAddress.set(key, count + 1);
    return undefined;
  }

  /**
   * A connection has gone.
   *
   * @param clientAddr Its client, where it has been counted as that client's.
   */
  leave(clientAddr: Addr | undefined): void {
    this.#count--;
    const key = clientAddr === undefined ? undefined : this.#keyOf(clientAddr);
    if (key === undefined) return;
    const count = this.#byAddress.get(key)! - 1;
    if (count > 0) this.#byAddress.set(key, count);
    else this.#byAddress.delete(key);
  }

  /** What a client is counted by; `undefined` where nobody counts. */
  #keyOf(addr: Addr): string | undefined {
    if (!this.countsClients || this.#proxies?.has(addr)) return undefined;
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

/** The refusal of all WebSockets by a server that is shutting down. */
export function draining(): HandshakeError {
  return new HandshakeError("Cannot accept handshake: the server is shutting down", {
    code: "ERR_HANDSHAKE_DRAINING",
    status: 503,
    retryAfter: RETRY_AFTER,
  });
}

function limit(name: string, value = Infinity): number {
  if (typeof value === "number" && value > 0) return value;
  throw new RangeError(`Cannot use limit ${name}: expected a number above 0, got ${value}`);
}

/** The refusal while the server is over its memory budget: 503, after `patience` milliseconds again. */
export function outOfMemory(patience: number): HandshakeError {
  return new HandshakeError("Cannot accept handshake: the server is out of memory", {
    code: "ERR_HANDSHAKE_MEMORY",
    status: 503,
    retryAfter: Math.ceil(patience / 1000),
  });
}
