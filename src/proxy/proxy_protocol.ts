import { CR, hexByte, LF, quote } from "../http/characters.ts";
import { HandshakeError } from "../http/errors.ts";
import type { ForwardedNode } from "./forwarded.ts";
import { parseIpAddress, unmapIpAddress } from "./ip_address.ts";

/** The first bytes of version 1: `PROXY `. */
const TEXT_START = /* @__PURE__ */ Uint8Array.from([0x50, 0x52, 0x4f, 0x58, 0x59, 0x20]);
/** The first bytes of version 2. */
const SIGNATURE = /* @__PURE__ */ Uint8Array.from(
  [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a],
);

/** The length of the longest line of version 1, with its CRLF. */
const MAX_LINE = 107;
/** The offset of the addresses in version 2. */
const ADDRESSES = 16;
/** The largest header of version 2, in bytes. It has room for a certificate's name. */
const MAX_HEADER = 4096;

const LOCAL = 0;
const TCP4 = 0x11;
const TCP6 = 0x21;
/** The size in bytes of the addresses of each family of version 2: none, IPv4, IPv6, Unix. */
const ADDRESS_SIZES: readonly number[] = [0, 12, 36, 216];

/**
 * Parses the header of the PROXY protocol, version 1 or 2. A proxy that relays TCP sends it first, to
 * report the address of its client. The bytes may arrive in chunks that are cut anywhere.
 *
 * The parser is strict and fails at the first byte that proves the header malformed. The
 * type-length-value fields of version 2 are skipped.
 *
 * @see {@link https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt The PROXY protocol}
 */
export class ProxyHeaderParser {
  /**
   * The client, once the header is complete. Its address is `null` if the connection is the proxy's
   * own, such as a health check, or if the proxy does not report it.
   */
  source: ForwardedNode | undefined;
  /** The first bytes of the header, without the fields that are skipped. */
  readonly #bytes = new Uint8Array(MAX_LINE);
  #length = 0;
  /** The length of a header of version 2, once it is known. */
  #size = 0;
  #isText = false;

  /**
   * Parses the next bytes.
   *
   * @returns -1 while the header is incomplete, then the number of bytes that belong to it.
   * @throws {HandshakeError} If the header is malformed, with code `ERR_HANDSHAKE_PROXY`. The
   * protocol then requires to "abort the connection", so nothing is sent.
   */
  push(chunk: Uint8Array): number {
    for (let i = 0; i < chunk.length; i++) {
      if (this.#take(chunk[i])) return i + 1;
    }
    return -1;
  }

  /** Parses a byte. Returns whether it completes the header. */
  #take(byte: number): boolean {
    const at = this.#length++;
    if (at < this.#bytes.length) this.#bytes[at] = byte;
    if (at === 0) this.#isText = byte === TEXT_START[0];
    return this.#isText ? this.#takeText(byte, at) : this.#takeBinary(byte, at);
  }

  #takeText(byte: number, at: number): boolean {
    if (at < TEXT_START.length) {
      if (byte !== TEXT_START[at]) throw this.#unexpected(byte, at);
      return false;
    }
    const isAfterCr = this.#bytes[at - 1] === CR;
    // "The receiver must not tolerate a single CR or LF character to end the line".
    if ((byte === LF) !== isAfterCr) throw this.#unexpected(byte, at);
    if (isAfterCr) {
      this.source = parseLine(String.fromCharCode(...this.#bytes.subarray(0, at - 1)));
      return true;
    }
    // "If the CRLF sequence is not found in the first 107 characters, the receiver should declare the
    // line invalid."
    if (this.#length === MAX_LINE) throw this.#unexpected(byte, at);
    return false;
  }

  #takeBinary(byte: number, at: number): boolean {
    if (at < SIGNATURE.length) {
      if (byte !== SIGNATURE[at]) throw this.#unexpected(byte, at);
      return false;
    }
    // "The highest four bits contains the version. [...] it must always be sent as \x2 and the receiver
    // must only accept this value." "Receivers must drop connections presenting unexpected values" of
    // the command.
    if (at === 12 && (byte >> 4 !== 2 || (byte & 15) > 1)) throw this.#unexpected(byte, at);
    // Of the address family and of the transport, "other values are unspecified [...] and must be
    // rejected as invalid by receivers."
    if (at === 13 && !this.#isLocal && (byte >> 4 > 3 || (byte & 15) > 2)) {
      throw this.#unexpected(byte, at);
    }
    if (at < 15) return false;
    if (at === 15) this.#setSize();
    if (this.#length < this.#size) return false;
    this.source = this.#source();
    return true;
  }

  get #isLocal(): boolean {
    return (this.#bytes[12] & 15) === LOCAL;
  }

  #setSize(): void {
    const length = this.#bytes[14] << 8 | this.#bytes[15];
    const family = this.#bytes[13];
    // If either half of the family is unspecified, the size of the addresses is unknown.
    const min = this.#isLocal || (family & 15) === 0 ? 0 : ADDRESS_SIZES[family >> 4];
    this.#size = ADDRESSES + length;
    if (length < min || this.#size > MAX_HEADER) {
      throw invalid(`length ${length}, expected ${min} to ${MAX_HEADER - ADDRESSES}`);
    }
  }

  #source(): ForwardedNode {
    const family = this.#bytes[13];
    const width = this.#isLocal ? 0 : family === TCP4 ? 4 : family === TCP6 ? 16 : 0;
    // LOCAL: "the receiver [...] must use the real connection endpoints". It may do so for a family
    // that it does not support.
    if (width === 0) return { address: null, port: 0 };
    const port = ADDRESSES + width * 2;
    return {
      address: unmapIpAddress(this.#bytes.slice(ADDRESSES, ADDRESSES + width)),
      port: this.#bytes[port] << 8 | this.#bytes[port + 1],
    };
  }

  #unexpected(byte: number, at: number): HandshakeError {
    return invalid(`byte ${hexByte(byte)} at offset ${at}`);
  }
}

/** Parses a line of version 1, without its CRLF. */
function parseLine(line: string): ForwardedNode {
  // "The receiver must ignore anything presented before the CRLF is found."
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { address: null, port: 0 };
  const match = /^PROXY TCP([46]) ([^ ]+) ([^ ]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/.exec(line);
  if (match === null) throw invalid(`line ${quote(line)}`);
  const isIpv6 = match[1] === "6";
  const [source, destination] = [match[2], match[3]].map((text) =>
    // "The advertised protocol family dictates what format to use."
    text.includes(":") === isIpv6 ? parseIpAddress(text) : null
  );
  const [port, destinationPort] = [match[4], match[5]].map(Number);
  if (source === null || destination === null || port > 65535 || destinationPort > 65535) {
    throw invalid(`line ${quote(line)}`);
  }
  return { address: source, port };
}

function invalid(found: string): HandshakeError {
  return new HandshakeError(`Cannot accept connection: ${found} in the PROXY protocol's header`, {
    code: "ERR_HANDSHAKE_PROXY",
  });
}
