import fc from "fast-check";
import { ProxyHeaderParser } from "../../src/proxy/proxy_protocol.ts";
import { formatIpAddress } from "../../src/proxy/ip_address.ts";
import { assert, assertEquals, hex, test } from "../harness.ts";
import { assertRefused, latin1 } from "../handshake/helpers.ts";

const SIGNATURE = "0d0a0d0a000d0a515549540a";

/** Returns a header of version 2 with these command and family bytes, and these bytes after the length. */
function binary(
  kind: string,
  rest: string,
  length = rest.replaceAll(" ", "").length / 2,
): Uint8Array {
  return hex(`${SIGNATURE} ${kind} ${length.toString(16).padStart(4, "0")} ${rest}`);
}

/** Parses the header whole and byte by byte, with further bytes after it. Returns the source. */
function sourceOf(header: Uint8Array): string {
  const whole = new ProxyHeaderParser();
  const bytes = new Uint8Array([...header, 71, 69, 84]);
  assertEquals(whole.push(bytes), header.length);
  const byByte = new ProxyHeaderParser();
  for (let i = 0; i < header.length; i++) {
    assertEquals(byByte.source, undefined);
    assertEquals(byByte.push(header.slice(i, i + 1)), i + 1 < header.length ? -1 : 1);
  }
  assertEquals(byByte.source, whole.source);
  const { address, port } = whole.source!;
  return address === null ? "none" : `${formatIpAddress(address)} ${port}`;
}

const F39 = Array(8).fill("ffff").join(":");
const headers: [what: string, header: Uint8Array | string, source: string][] = [
  ["TCP4", "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "192.168.0.1 56324"],
  [
    "TCP4 at its longest",
    "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
    "255.255.255.255 65535",
  ],
  ["TCP4 with port 0", "PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n", "1.2.3.4 0"],
  ["TCP6", "PROXY TCP6 2001:DB8::1 ::1 56324 443\r\n", "2001:db8::1 56324"],
  ["TCP6 at its longest", `PROXY TCP6 ${F39} ${F39} 65535 65535\r\n`, `${F39} 65535`],
  ["TCP6 with an IPv4-mapped address", "PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n", "1.2.3.4 1"],
  ["UNKNOWN", "PROXY UNKNOWN\r\n", "none"],
  ["UNKNOWN with whatever", "PROXY UNKNOWN \x00\xff oops\r\n", "none"],
  ["UNKNOWN at its longest", `PROXY UNKNOWN ${F39} ${F39} 65535 65535\r\n`, "none"],
  ["v2 IPv4", binary("21 11", "c0000201 c6336401 dc04 01bb"), "192.0.2.1 56324"],
  [
    "v2 IPv4 with TLVs",
    binary("21 11", "c0000201 c6336401 dc04 01bb 040003000000"),
    "192.0.2.1 56324",
  ],
  [
    "v2 IPv6",
    binary("21 21", `20010db8${"00".repeat(11)}01 ${"00".repeat(16)} 0001 0002`),
    "2001:db8::1 1",
  ],
  [
    "v2 IPv4-mapped IPv6",
    binary("21 21", `${"00".repeat(10)}ffff01020304 ${"00".repeat(16)} 0001 0002`),
    "1.2.3.4 1",
  ],
  ["v2 Unix", binary("21 31", "00".repeat(216)), "none"],
  ["v2 UDP over IPv4", binary("21 12", "c0000201 c6336401 dc04 01bb"), "none"],
  ["v2 unspecified", binary("21 00", ""), "none"],
  ["v2 unspecified, with bytes", binary("21 00", "00".repeat(50)), "none"],
  ["v2 unspecified family", binary("21 01", ""), "none"],
  ["v2 unspecified transport", binary("21 10", ""), "none"],
  ["v2 LOCAL", binary("20 00", ""), "none"],
  ["v2 LOCAL with addresses", binary("20 11", "c0000201 c6336401 dc04 01bb"), "none"],
  ["v2 LOCAL with a family of no meaning", binary("20 ff", "00"), "none"],
  [
    "v2 at its largest",
    binary("21 11", `c0000201 c6336401 dc04 01bb${"00".repeat(4068)}`),
    "192.0.2.1 56324",
  ],
];
for (const [what, header, source] of headers) {
  test(`ProxyHeaderParser reads ${what}`, () => {
    assertEquals(sourceOf(typeof header === "string" ? latin1(header) : header), source);
  });
}

// What is wrong, and the length at which it shows.
const malformed: [what: string, header: Uint8Array | string, length: number][] = [
  ["a request", "GET / HTTP/1.1\r\n", 1],
  ["another word", "PROX! TCP4", 5],
  ["lower case", "proxy TCP4", 1],
  ["no space", "PROXYTCP4", 6],
  ["an LF alone", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", 31],
  ["a CR alone", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r", 32],
  ["a line without end", `PROXY UNKNOWN ${"x".repeat(100)}`, 107],
  ["a line of 108", `PROXY UNKNOWN ${"x".repeat(92)}\r\n`, 107],
  ["two spaces", "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n", 33],
  ["a space at the end", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", 33],
  ["no ports", "PROXY TCP4 1.2.3.4 5.6.7.8\r\n", 28],
  ["a port over 65535", "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n", 36],
  ["a destination port over 65535", "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n", 36],
  ["a port with a leading zero", "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n", 33],
  ["an address with a leading zero", "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n", 33],
  ["a bad destination", "PROXY TCP4 1.2.3.4 5.6.7 1 2\r\n", 30],
  ["IPv6 in TCP4", "PROXY TCP4 ::1 ::1 1 2\r\n", 24],
  ["IPv4 in TCP6", "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n", 32],
  ["UDP4", "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", 32],
  ["UNKNOWN and more of the word", "PROXY UNKNOWNS\r\n", 16],
  ["nothing", "PROXY \r\n", 8],
  ["a signature that goes wrong", hex("0d0a0d0a00 0d0a 51554954 0b"), 12],
  ["an empty line and a request", "\r\nGET / HTTP/1.1\r\n", 3],
  ["version 1 in the binary form", binary("11 11", ""), 13],
  ["version 3", binary("31 11", ""), 13],
  ["an unknown command", binary("22 11", ""), 13],
  ["an unknown family", binary("21 41", ""), 14],
  ["an unknown transport", binary("21 13", ""), 14],
  ["too few bytes for IPv4", binary("21 11", "00".repeat(11)), 16],
  ["too few bytes for IPv6", binary("21 21", "00".repeat(35)), 16],
  ["too few bytes for Unix", binary("21 31", "00".repeat(215)), 16],
  ["more than 4 KiB", binary("21 11", "00".repeat(4081)), 16],
  ["64 KiB of LOCAL", binary("20 00", "", 0xffff), 16],
];
for (const [what, header, length] of malformed) {
  test(`ProxyHeaderParser refuses ${what}, at once`, () => {
    const bytes = typeof header === "string" ? latin1(header) : header;
    const parser = new ProxyHeaderParser();
    assertEquals(parser.push(bytes.slice(0, length - 1)), -1);
    assertRefused(() => parser.push(bytes.slice(length - 1)), 400, "ERR_HANDSHAKE_PROXY");
    assertEquals(parser.source, undefined);
  });
}

test("ProxyHeaderParser reads any source, at any chunking", () => {
  const address = fc.uint8Array({ minLength: 4, maxLength: 4 });
  const port = fc.nat(65535);
  const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 });
  fc.assert(fc.property(address, port, sizes, fc.boolean(), (source, port, sizes, isText) => {
    const header = isText
      ? latin1(`PROXY TCP4 ${source.join(".")} 127.0.0.1 ${port} 80\r\n`)
      : new Uint8Array([
        ...hex(`${SIGNATURE} 21 11 000c`),
        ...source,
        ...hex("7f000001"),
        ...[port >> 8, port & 255],
        ...hex("0050"),
      ]);
    const parser = new ProxyHeaderParser();
    let used = -1;
    for (let at = 0, i = 0; used === -1; i++) {
      const size = sizes[i % sizes.length];
      used = parser.push(header.slice(at, at + size));
      at += size;
      assert(used === -1 || Math.min(at, header.length) === header.length);
    }
    assertEquals(parser.source, { address: source, port });
  }));
});

test("ProxyHeaderParser takes anything for what it is, or fails", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom("", "50524f585920", `${SIGNATURE}21`),
      (noise, start) => {
        const parser = new ProxyHeaderParser();
        try {
          const used = parser.push(new Uint8Array([...hex(start), ...noise]));
          assertEquals(used !== -1, parser.source !== undefined);
        } catch (error) {
          assertEquals((error as { code?: string }).code, "ERR_HANDSHAKE_PROXY");
        }
      },
    ),
  );
});
