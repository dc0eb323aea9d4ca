import { quote } from "../http/characters.ts";

/** An IP address of 4 or 16 bytes. An IPv4-mapped IPv6 address is stored as IPv4, in 4 bytes. */
export type IpAddress = Uint8Array;

/** Returns whether an address is in a set. See {@linkcode createAddressSet}. */
export type AddressSet = (address: IpAddress) => boolean;

/**
 * Parses the text of an IP address, without brackets, port or zone.
 *
 * @returns The address, or `null` if the text is anything else. A number with a leading zero is
 * refused, because some parsers read it as octal.
 * @see {@link https://www.rfc-editor.org/rfc/rfc4291#section-2.2 RFC 4291 §2.2}
 */
export function parseIpAddress(text: string): IpAddress | null {
  if (!text.includes(":")) return parseIpv4(text);
  const bytes = parseIpv6(text);
  return bytes === null ? null : unmapIpAddress(bytes);
}

/** Returns the IPv4 address of an address in `::ffff:0:0/96` (RFC 4291 §2.5.5.2), or the address. */
export function unmapIpAddress(address: IpAddress): IpAddress {
  const isMapped = address.length === 16 && address[10] === 0xff && address[11] === 0xff &&
    address.subarray(0, 10).every((byte) => byte === 0);
  return isMapped ? address.slice(12) : address;
}

/**
 * Formats an IP address in its canonical form.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc5952#section-4 RFC 5952 §4}
 */
export function formatIpAddress(address: IpAddress): string {
  if (address.length === 4) return address.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => groupAt(address, i));
  const [start, length] = longestZeros(groups);
  // RFC 5952 §4.2.2: "The symbol "::" MUST NOT be used to shorten just one 16-bit 0 field."
  if (length < 2) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}

/**
 * Returns the part of an address that identifies a client: all of an IPv4 address, and the first 64
 * bits of an IPv6 address. A single host can choose the other 64 bits freely (RFC 4291 §2.5.1).
 */
export function clientPrefix(address: IpAddress): string {
  if (address.length === 4) return address.join(".");
  return `${[0, 1, 2, 3].map((i) => groupAt(address, i)).join(":")}::/64`;
}

/**
 * Creates a set of addresses.
 *
 * @param ranges Addresses, such as `"::1"`, and ranges in CIDR notation, such as `"10.0.0.0/8"`.
 * @throws {TypeError} If one is malformed, or has bits set after its prefix.
 */
export function createAddressSet(ranges: readonly string[]): AddressSet {
  const parsed = ranges.map(parseRange);
  return (address) =>
    parsed.some(({ prefix, bits }) =>
      prefix.length === address.length && has(prefix, bits, address)
    );
}

interface Range {
  readonly prefix: IpAddress;
  readonly bits: number;
}

function parseRange(text: string): Range {
  const [, address, length] = /^([^/]*)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const prefix = address === undefined ? null : parseIpAddress(address);
  if (prefix === null) throw invalidRange(text, 'expected such as "10.0.0.0/8" or "::1"');
  // The length of an IPv4-mapped prefix includes the 96 bits before the IPv4 address.
  const hidden = prefix.length === 4 && address.includes(":") ? 96 : 0;
  const size = prefix.length * 8;
  const bits = length === undefined ? size : Number(length) - hidden;
  if (bits < 0 || bits > size) {
    throw invalidRange(text, `expected a length of ${hidden} to ${size + hidden}`);
  }
  const masked = prefix.map((byte, i) => byte & maskAt(i, bits));
  if (masked.some((byte, i) => byte !== prefix[i])) {
    throw invalidRange(text, `expected "${formatIpAddress(masked)}/${length}"`);
  }
  return { prefix, bits };
}

function invalidRange(text: string, expected: string): TypeError {
  return new TypeError(`Cannot use address range ${quote(text)}: ${expected}`);
}

function has(prefix: IpAddress, bits: number, address: IpAddress): boolean {
  return prefix.every((byte, i) => (address[i] & maskAt(i, bits)) === byte);
}

/** Returns the mask of the bits of byte `i` that belong to a prefix of `bits` bits. */
function maskAt(i: number, bits: number): number {
  const count = Math.min(Math.max(bits - i * 8, 0), 8);
  return (0xff << (8 - count)) & 0xff;
}

function parseIpv4(text: string): IpAddress | null {
  if (!/^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/.test(text)) return null;
  const numbers = text.split(".").map(Number);
  return numbers.every((number) => number <= 255) ? Uint8Array.from(numbers) : null;
}

function parseIpv6(text: string): IpAddress | null {
  const halves = withoutDots(text)?.split("::");
  if (halves === undefined || halves.length > 2) return null;
  const [left, right] = halves.map((half) => half === "" ? [] : half.split(":"));
  const groups = [...left, ...right ?? []];
  // RFC 4291 §2.2: the "::" indicates "one or more groups of 16 bits of zeros".
  if (right === undefined ? groups.length !== 8 : groups.length > 7) return null;
  if (!groups.every((group) => /^[\da-f]{1,4}$/i.test(group))) return null;
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  left.forEach((group, i) => view.setUint16(i * 2, parseInt(group, 16)));
  right?.forEach((group, i) => view.setUint16((8 - right.length + i) * 2, parseInt(group, 16)));
  return bytes;
}

/** Replaces the IPv4 notation of the last 32 bits of an IPv6 address with two groups. */
function withoutDots(text: string): string | undefined {
  if (!text.includes(".")) return text;
  const start = text.lastIndexOf(":") + 1;
  const last = parseIpv4(text.slice(start));
  if (last === null) return undefined;
  const group = (i: number) => (last[i] << 8 | last[i + 1]).toString(16);
  return `${text.slice(0, start)}${group(0)}:${group(2)}`;
}

function groupAt(address: IpAddress, i: number): string {
  return (address[i * 2] << 8 | address[i * 2 + 1]).toString(16);
}

/** Returns the longest run of zero groups, the first one if there are several. */
function longestZeros(groups: readonly string[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (groups[end] === "0") end++;
    if (end - start > best[1]) best = [start, end - start];
  }
  return best;
}
