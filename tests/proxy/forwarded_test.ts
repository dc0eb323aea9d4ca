import fc from "fast-check";
import { HeaderList } from "../../src/http/header_list.ts";
import { parseForwarded } from "../../src/proxy/forwarded.ts";
import { findForwardedClient } from "../../src/proxy/forwarded.ts";
import type { ForwardedField } from "../../src/proxy/forwarded.ts";
import { createAddressSet, formatIpAddress } from "../../src/proxy/ip_address.ts";
import { assertEquals, test } from "../harness.ts";
import { assertRefused } from "../handshake/helpers.ts";

const parsed: [value: string, ...elements: Record<string, string>[]][] = [
  // The example of RFC 7239 §4.
  ['for="_gazonk"', { for: "_gazonk" }],
  ['For="[2001:db8:cafe::17]:4711"', { for: "[2001:db8:cafe::17]:4711" }],
  ["for=192.0.2.60;proto=http;by=203.0.113.43", {
    for: "192.0.2.60",
    proto: "http",
    by: "203.0.113.43",
  }],
  ["for=192.0.2.43, for=198.51.100.17", { for: "192.0.2.43" }, { for: "198.51.100.17" }],
  ["for=192.0.2.60; proto=http ;by=b", { for: "192.0.2.60", proto: "http", by: "b" }],
  [""],
  [" , ;,\t"],
  ["for=a;;by=b;", { for: "a", by: "b" }],
  ['host="a\\"b\\\\, c;d"', { host: 'a"b\\, c;d' }],
  ['for=""', { for: "" }],
  ["__proto__=a;constructor=b", { ["__proto__"]: "a", constructor: "b" }],
];
for (const [value, ...elements] of parsed) {
  test(`parseForwarded reads ${JSON.stringify(value)}`, () => {
    assertEquals(
      parseForwarded(value).map((params) => [...params]),
      elements.map((element) => Object.entries(element)),
    );
  });
}

const broken = [
  ...[
    "for",
    "for=",
    "=a",
    "for =a",
    "for= a",
    'for="a',
    'for="a\\',
    'for="a"b',
    "for=a b",
    "for=a=b",
  ],
  ...[
    "for=[::1]",
    "for=1.2.3.4:80",
    "for=a;for=b",
    "for=a;FOR=b",
    'for="a\x7f"',
    "for=a;;=",
    '"for"=a',
  ],
];
for (const value of broken) {
  test(`parseForwarded refuses ${JSON.stringify(value)}`, () => {
    assertRefused(() => parseForwarded(value), 400, "ERR_HANDSHAKE_FORWARDED");
  });
}

test("parseForwarded reads what has been written, whatever it is", () => {
  const token = fc.string({ unit: fc.constantFrom(..."abcXYZ019!#$%&'*+-.^_`|~"), minLength: 1 });
  const text = fc.string({ unit: fc.constantFrom(...'ab;,=" \\[]:.é\t') });
  const element = fc.uniqueArray(fc.tuple(token, text), {
    selector: ([name]) => name.toLowerCase(),
    minLength: 1,
  });
  const quoted = (value: string) => `"${value.replace(/["\\]/g, "\\$&")}"`;
  fc.assert(fc.property(fc.array(element), (elements) => {
    const value = elements.map((pairs) =>
      pairs.map(([name, value]) => `${name}=${quoted(value)}`).join(";")
    ).join(", ");
    assertEquals(
      parseForwarded(value).map((params) => [...params]),
      elements.map((pairs) => pairs.map(([name, value]) => [name.toLowerCase(), value])),
    );
  }));
});

test("parseForwarded takes time in proportion to the length", () => {
  // In quadratic time, these would take minutes.
  assertEquals(parseForwarded(`for=${"a".repeat(1 << 20)}`).length, 1);
  assertEquals(parseForwarded(`for="${"a".repeat(1 << 20)}"`).length, 1);
  assertEquals(parseForwarded("for=a,".repeat(1 << 17)).length, 1 << 17);
  assertEquals(parseForwarded(", ;".repeat(1 << 18)).length, 0);
});

/** Returns the client that the fields name if 10.0.0.0/8 and ::1 are proxies. */
function client(fields: [name: string, value: string][], field?: ForwardedField): string | null {
  const isTrusted = createAddressSet(["10.0.0.0/8", "::1"]);
  const node = findForwardedClient(new HeaderList(fields), isTrusted, field);
  return node === null ? null : `${formatIpAddress(node.address!)} ${node.port}`;
}

const X = "X-Forwarded-For";
const F = "Forwarded";
const found: [what: string, fields: [string, string][], client: string | null][] = [
  ["nothing", [], null],
  ["one address", [[X, "192.0.2.1"]], "192.0.2.1 0"],
  ["a port", [[X, "192.0.2.1:81"]], "192.0.2.1 81"],
  ["IPv6", [[X, "2001:DB8::1"]], "2001:db8::1 0"],
  ["IPv6 in brackets", [[X, "[2001:db8::1]"]], "2001:db8::1 0"],
  ["IPv6 and a port", [[X, "[2001:db8::1]:81"]], "2001:db8::1 81"],
  ["IPv4-mapped IPv6", [[X, "::ffff:192.0.2.1"]], "192.0.2.1 0"],
  ["the last that is no proxy", [[X, "192.0.2.1, 198.51.100.1,10.0.0.1 , ::1"]], "198.51.100.1 0"],
  ["proxies alone", [[X, "10.0.0.3, 10.0.0.1"]], "10.0.0.3 0"],
  ["what a client invents", [[X, "oops, 10.0.0.9, 198.51.100.1, 10.0.0.1"]], "198.51.100.1 0"],
  ["lines as one list", [[X, "192.0.2.1"], [X, "198.51.100.1"], [X, "10.0.0.1"]], "198.51.100.1 0"],
  ["unknown", [[X, "192.0.2.1, unknown"]], null],
  ["unknown behind a proxy", [[X, "192.0.2.1, Unknown, 10.0.0.1"]], "10.0.0.1 0"],
  ["Forwarded", [[F, "for=192.0.2.1"]], "192.0.2.1 0"],
  ["Forwarded with a port", [[F, 'For="192.0.2.1:81";proto=https']], "192.0.2.1 81"],
  ["Forwarded with a secret port", [[F, 'for="192.0.2.1:_p-.1"']], "192.0.2.1 0"],
  ["Forwarded with IPv6", [[F, 'for="[2001:db8::1]:81"']], "2001:db8::1 81"],
  ["Forwarded by proxies", [[F, 'for=192.0.2.1, for=10.0.0.2, for="[::1]"']], "192.0.2.1 0"],
  ["Forwarded, unknown", [[F, "for=192.0.2.1, for=unknown"]], null],
  ["Forwarded, unknown with a port", [[F, 'for=192.0.2.1, for="unknown:80"']], null],
  ["Forwarded, secret", [[F, 'for=192.0.2.1, for="_hidden"']], null],
  ["Forwarded without for", [[F, "for=192.0.2.1, proto=https"]], null],
  [
    "Forwarded, a quote left open in another line",
    [[F, 'for="'], [F, "for=192.0.2.1"]],
    "192.0.2.1 0",
  ],
  ["both, and the same", [[X, "192.0.2.1:1"], [F, "for=192.0.2.1"]], "192.0.2.1 0"],
];
for (const [what, fields, expected] of found) {
  test(`findForwardedClient finds ${what}`, () => assertEquals(client(fields), expected));
}

const refused: [what: string, fields: [string, string][]][] = [
  ["a host name", [[X, "example.com"]]],
  ["nothing between commas", [[X, "192.0.2.1, "]]],
  ["an empty field", [[X, ""]]],
  ["a port over 65535", [[X, "192.0.2.1:65536"]]],
  ["IPv4 in brackets", [[X, "[192.0.2.1]"]]],
  ["a secret in X-Forwarded-For", [[X, "_hidden"]]],
  ["IPv6 without brackets in Forwarded", [[F, 'for="2001:db8::1"']]],
  ["an empty for", [[F, 'for=""']]],
  ["a bad port in Forwarded", [[F, 'for="192.0.2.1:"']]],
  ["a quote that swallows the proxy's own", [[F, 'for=8.8.8.8;x=", for="[2001:db8::1]"']]],
  ["a quote that is left open", [[F, 'for=8.8.8.8;x=", for=192.0.2.1']]],
  ["two clients", [[X, "192.0.2.1"], [F, "for=192.0.2.2"]]],
  ["a client and an unknown one", [[X, "192.0.2.1"], [F, "for=unknown"]]],
];
for (const [what, fields] of refused) {
  test(`findForwardedClient refuses ${what}`, () => {
    assertRefused(() => client(fields), 400, "ERR_HANDSHAKE_FORWARDED");
  });
}

test("findForwardedClient looks at the named field alone", () => {
  const fields: [string, string][] = [[X, "192.0.2.1"], [F, "for=192.0.2.2"]];
  assertEquals(client(fields, "x-forwarded-for"), "192.0.2.1 0");
  assertEquals(client(fields, "forwarded"), "192.0.2.2 0");
  assertEquals(client([[X, "oops"]], "forwarded"), null);
});

test("findForwardedClient is not moved by whatever a client puts before", () => {
  const noise = fc.string({ unit: fc.constantFrom(...'019.:,;= "\\[]_forunknwx') });
  fc.assert(
    fc.property(noise, (text) => {
      assertEquals(client([[X, `${text}, 192.0.2.1, 10.0.0.1`]]), "192.0.2.1 0");
      assertEquals(client([[F, text], [F, "for=192.0.2.1, for=10.0.0.1"]]), "192.0.2.1 0");
      // On the same line, the client can only cause its own refusal.
      try {
        assertEquals(client([[F, `${text}, for="192.0.2.1:80", for=10.0.0.1`]]), "192.0.2.1 80");
      } catch (error) {
        assertEquals((error as { code?: string }).code, "ERR_HANDSHAKE_FORWARDED");
      }
    }),
    { numRuns: 1000 },
  );
});
