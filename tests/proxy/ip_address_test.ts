import fc from "fast-check";
import {
  clientPrefix,
  createAddressSet,
  formatIpAddress,
  parseIpAddress,
} from "../../src/proxy/ip_address.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";

const canonical: [text: string, canonical: string][] = [
  ["0.0.0.0", "0.0.0.0"],
  ["192.0.2.255", "192.0.2.255"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["0:0:0:0:0:0:0:0", "::"],
  ["2001:DB8::000A:1", "2001:db8::a:1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["::192.0.2.33", "::c000:221"],
  // The same address in IPv4 notation.
  ["::ffff:192.0.2.33", "192.0.2.33"],
  ["::FFFF:c000:221", "192.0.2.33"],
  ["0:0:0:0:0:ffff:c000:221", "192.0.2.33"],
];
for (const [text, expected] of canonical) {
  test(`parseIpAddress reads ${text}, and formatIpAddress writes ${expected}`, () => {
    assertEquals(formatIpAddress(parseIpAddress(text)!), expected);
  });
}

const malformed = [
  ...["", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1.2.3.256", "1.2.3.04", "01.2.3.4"],
  ...[
    "0x1.2.3.4",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.4:80",
    "1,2,3,4",
    "1.2.3.-4",
    "1.2.3.1e1",
    "١.2.3.4",
  ],
  ...[":", ":::", "1:::2", "::1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::"],
  ...[
    "::1:2:3:4:5:6:7:8",
    "12345::",
    "g::",
    "::1%eth0",
    "[::1]",
    "1:2:3:4:5:6:7:",
    ":1:2:3:4:5:6:7",
  ],
  ...["::1.2.3", "::1.2.3.4.5", "1.2.3.4::", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "::01.2.3.4"],
];
for (const text of malformed) {
  test(`parseIpAddress refuses ${JSON.stringify(text)}`, () => {
    assertEquals(parseIpAddress(text), null);
  });
}

const bytes = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  // With runs of zeros, which "::" replaces.
  fc.array(fc.constantFrom(0, 0, 0, 1, 0xff), { minLength: 16, maxLength: 16 })
    .map((array) => Uint8Array.from(array)),
);

test("parseIpAddress reads back what formatIpAddress writes", () => {
  fc.assert(fc.property(bytes, (address) => {
    const text = formatIpAddress(address);
    const again = parseIpAddress(text)!;
    assertEquals(
      formatIpAddress(again),
      text.startsWith("::ffff:") ? formatIpAddress(again) : text,
    );
    assertEquals(again.slice(-4), address.slice(-4));
    if (address.length === 16 && !text.startsWith("::ffff:")) assertEquals(again, address);
  }));
});

test("formatIpAddress writes IPv6 as URL does", () => {
  fc.assert(fc.property(bytes.filter(({ length }) => length === 16), (address) => {
    assertEquals(
      `[${formatIpAddress(address)}]`,
      new URL(`http://[${formatIpAddress(address)}]/`).hostname,
    );
  }));
});

test("parseIpAddress gives an address or null, whatever the text", () => {
  const noise = fc.string({ unit: fc.constantFrom(..."0123456789abf:.x/%[] ") });
  fc.assert(fc.property(noise, (text) => {
    const address = parseIpAddress(text);
    const isIpv6 = text.includes(":") && URL.canParse(`http://[${text}]/`);
    if (text.includes(":")) assertEquals(address !== null, isIpv6, text);
    assert(address === null || address.length === 4 || address.length === 16);
  }));
});

test("clientPrefix is all of IPv4, and 64 bits of IPv6", () => {
  const prefix = (text: string) => clientPrefix(parseIpAddress(text)!);
  assertEquals(prefix("192.0.2.1"), "192.0.2.1");
  assertEquals(prefix("::ffff:192.0.2.1"), "192.0.2.1");
  assertEquals(prefix("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assertEquals(prefix("2001:db8:1:2::1"), prefix("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  assert(prefix("2001:db8:1:2::1") !== prefix("2001:db8:1:3::1"));
});

const sets: [range: string, within: string[], without: string[]][] = [
  ["192.0.2.1", ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.2.0", "192.0.2.2", "::c000:201"]],
  ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0", "a00::"]],
  ["172.16.0.0/12", ["172.16.0.1", "172.31.255.255"], ["172.15.255.255", "172.32.0.0"]],
  ["192.0.2.128/25", ["192.0.2.128", "192.0.2.255"], ["192.0.2.127"]],
  ["192.0.2.1/32", ["192.0.2.1"], ["192.0.2.0"]],
  ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::1"]],
  ["::/0", ["::1", "ffff::"], ["127.0.0.1", "::ffff:127.0.0.1"]],
  ["::1", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "0.0.0.1"]],
  ["fd00::/8", ["fd00::1", "fdff::"], ["fc00::1", "fe00::"]],
  ["2001:db8::/33", ["2001:db8:7fff::"], ["2001:db8:8000::"]],
  ["::ffff:10.0.0.0/104", ["10.1.2.3"], ["11.0.0.0"]],
  ["::ffff:10.0.0.1", ["10.0.0.1"], ["10.0.0.2"]],
];
for (const [range, within, without] of sets) {
  test(`createAddressSet of ${range}`, () => {
    const set = createAddressSet(["198.51.100.7", range]);
    for (const text of within) assert(set(parseIpAddress(text)!), text);
    for (const text of without) assert(!set(parseIpAddress(text)!), text);
    assert(set(parseIpAddress("198.51.100.7")!));
  });
}

test("createAddressSet of nothing has nothing", () => {
  assert(!createAddressSet([])(parseIpAddress("127.0.0.1")!));
});

const ranges: [range: string, expected: string][] = [
  ...[
    "",
    "localhost",
    "10.0.0.0/",
    "10.0.0.0/08",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "10.0.0.0/ 8",
    "10/8",
  ]
    .map((range): [string, string] => [range, "expected such as"]),
  ["10.0.0.0/33", "expected a length of 0 to 32"],
  ["::/129", "expected a length of 0 to 128"],
  ["::ffff:10.0.0.0/95", "expected a length of 96 to 128"],
  ["10.0.0.1/8", 'expected "10.0.0.0/8"'],
  ["2001:db8::1/64", 'expected "2001:db8::/64"'],
];
for (const [range, expected] of ranges) {
  test(`createAddressSet refuses ${JSON.stringify(range)}`, () => {
    assertThrows(() => createAddressSet([range]), TypeError, expected);
  });
}
