import { accept } from "../../src/server/accept.ts";
import type { AcceptOptions, UpgradeInfo } from "../../src/server/accept_options.ts";
import type { HandshakeError } from "../../src/http/errors.ts";
import { toIpAddress } from "../../src/proxy/trusted_proxies.ts";
import type { Addr } from "../../src/transport/transport.ts";
import { assert, assertEquals, assertRejects, assertThrows, hex, test } from "../harness.ts";
import { HttpPeer } from "../support/http_peer.ts";
import { upgradeRequest } from "../support/http.ts";
import { turns } from "../support/open.ts";
import { openRaw, serving } from "../support/server.ts";
import { tcpConnect } from "../support/raw_tcp.ts";

const tcp = (hostname: string, port = 4711): Addr => ({ transport: "tcp", hostname, port });
const PROXY = tcp("10.0.0.1");
const trust = { trustedProxies: ["10.0.0.0/8", "::1"] };

/** Returns `clientAddr` of a connection from `remoteAddr`. */
async function clientOf(
  remoteAddr: Addr,
  request: string | Uint8Array,
  options: AcceptOptions,
): Promise<Addr> {
  const infos: UpgradeInfo[] = [];
  const peer = new HttpPeer({ addr: remoteAddr, maxChunk: 7 });
  const accepting = accept(peer.conn, { upgrade: (_, info) => void infos.push(info), ...options });
  peer.send(request);
  const socket = await accepting;
  const { clientAddr } = socket;
  assertEquals(socket.remoteAddr, remoteAddr);
  assertEquals(infos.map((info) => [info.remoteAddr, info.clientAddr]), [[remoteAddr, clientAddr]]);
  socket.abort();
  return clientAddr;
}

const X = { "X-Forwarded-For": "203.0.113.9, 198.51.100.1:81" };
const clients: [what: string, from: Addr, Record<string, string>, AcceptOptions, client: Addr][] = [
  ["no proxy is trusted", PROXY, X, {}, PROXY],
  ["another peer reports it", tcp("192.0.2.1"), X, trust, tcp("192.0.2.1")],
  ["a proxy reports it", PROXY, X, trust, tcp("198.51.100.1", 81)],
  [
    "a proxy reports it in Forwarded",
    PROXY,
    { Forwarded: 'for="[2001:DB8::1]"' },
    trust,
    tcp("2001:db8::1", 0),
  ],
  ["a proxy reports nothing", PROXY, {}, trust, PROXY],
  ["a proxy does not know", PROXY, { Forwarded: "for=unknown" }, trust, PROXY],
  ["a proxy of IPv6 reports it", tcp("0:0:0:0:0:0:0:1"), X, trust, tcp("198.51.100.1", 81)],
  ["an IPv4-mapped proxy reports it", tcp("::ffff:10.1.2.3"), X, trust, tcp("198.51.100.1", 81)],
  [
    "a proxy with a zone reports it",
    tcp("fe80::1%eth0"),
    X,
    { trustedProxies: ["fe80::/10"] },
    tcp("198.51.100.1", 81),
  ],
  ["the field is another", PROXY, X, { ...trust, forwardedField: "forwarded" }, PROXY],
  ["a Unix socket is not trusted", { transport: "unix", path: "/a" }, X, trust, {
    transport: "unix",
    path: "/a",
  }],
  [
    "a Unix socket is",
    { transport: "unix", path: "/a" },
    X,
    { trustedProxies: ["unix"] },
    tcp("198.51.100.1", 81),
  ],
];
for (const [what, from, fields, options, client] of clients) {
  test(`clientAddr if ${what}`, async () => {
    assertEquals(await clientOf(from, upgradeRequest(fields), options), client);
  });
}

/** Returns the response and the error of a handshake that fails. */
async function refusal(from: Addr, request: string | Uint8Array, options: AcceptOptions) {
  const peer = new HttpPeer({ addr: from });
  const accepting = accept(peer.conn, options);
  peer.send(request);
  const error = await assertRejects(() => accepting) as HandshakeError;
  await peer.until(() => peer.hasEnded || peer.isClosed, "the end");
  peer.transport.close();
  await turns();
  assert(peer.conn.isClosed);
  return [error.code, peer.status, peer.text === ""];
}

test("a trusted proxy's malformed field is refused with 400, another client's is ignored", async () => {
  const request = upgradeRequest({ "X-Forwarded-For": "oops" });
  assertEquals(await refusal(PROXY, request, trust), ["ERR_HANDSHAKE_FORWARDED", 400, false]);
  assertEquals(await clientOf(tcp("192.0.2.1"), request, trust), tcp("192.0.2.1"));
});

const proxyProtocol = { ...trust, proxyProtocol: true };
const UNKNOWN = "PROXY UNKNOWN\r\n";
const relayed: [
  what: string,
  from: Addr,
  header: string | Uint8Array,
  Record<string, string>,
  client: Addr,
][] = [
  ["a proxy relays", PROXY, "PROXY TCP4 192.0.2.7 10.0.0.1 5 80\r\n", {}, tcp("192.0.2.7", 5)],
  [
    "a proxy relays, by version 2",
    PROXY,
    hex("0d0a0d0a000d0a515549540a 2111000c c0000207 0a000001 0005 0050"),
    {},
    tcp("192.0.2.7", 5),
  ],
  ["a proxy connects for itself", PROXY, hex("0d0a0d0a000d0a515549540a 20000000"), {}, PROXY],
  ["a proxy does not report it", PROXY, UNKNOWN, {}, PROXY],
  ["the peer is not trusted", tcp("192.0.2.1"), "", {}, tcp("192.0.2.1")],
  [
    "a client is relayed and adds a field",
    PROXY,
    "PROXY TCP4 192.0.2.7 10.0.0.1 5 80\r\n",
    X,
    tcp("192.0.2.7", 5),
  ],
  ["an unknown client is relayed and adds a field", PROXY, UNKNOWN, X, PROXY],
  [
    "another proxy is relayed, and adds a field",
    PROXY,
    "PROXY TCP4 10.9.9.9 10.0.0.1 5 80\r\n",
    X,
    tcp("198.51.100.1", 81),
  ],
  [
    "another proxy is relayed, and adds nothing",
    PROXY,
    "PROXY TCP4 10.9.9.9 10.0.0.1 5 80\r\n",
    {},
    tcp("10.9.9.9", 5),
  ],
];
for (const [what, from, header, fields, client] of relayed) {
  test(`clientAddr with the PROXY protocol if ${what}`, async () => {
    const text = upgradeRequest(fields);
    const request = new Uint8Array([
      ...typeof header === "string" ? new TextEncoder().encode(header) : header,
      ...new TextEncoder().encode(text),
    ]);
    assertEquals(await clientOf(from, request, proxyProtocol), client);
  });
}

test("with the PROXY protocol, a proxy without its header is dropped without an answer", async () => {
  const dropped = ["ERR_HANDSHAKE_PROXY", 0, true];
  assertEquals(await refusal(PROXY, upgradeRequest(), proxyProtocol), dropped);
  assertEquals(await refusal(PROXY, "PROXY TCP4 oops\r\n", proxyProtocol), dropped);
});

test("with the PROXY protocol, the header of another client is a malformed request", async () => {
  const request = "PROXY TCP4 192.0.2.7 10.0.0.1 5 80\r\n" + upgradeRequest();
  const [code, status] = await refusal(tcp("192.0.2.1"), request, proxyProtocol);
  assertEquals([code, status], ["ERR_HANDSHAKE_HEAD", 400]);
});

test("without the PROXY protocol's header within handshakeTimeout, a proxy gets no answer", async () => {
  const options = { ...proxyProtocol, limits: { handshakeTimeout: 20 } };
  const dropped = ["ERR_HANDSHAKE_TIMEOUT", 0, true];
  for (const start of ["", "P", "PROXY TCP4 ", "PROXY TCP4 192.0.2.7 10.0.0.1 5 80\r"]) {
    assertEquals(await refusal(PROXY, start, options), dropped, start);
  }
  const version2 = hex("0d0a0d0a000d0a515549540a 2111000c c0000207");
  assertEquals(await refusal(PROXY, version2, options), dropped);
});

test("after the PROXY protocol's header, a request that is late gets 408", async () => {
  const options = { ...proxyProtocol, limits: { handshakeTimeout: 20 } };
  const header = "PROXY TCP4 192.0.2.7 10.0.0.1 5 80\r\n";
  assertEquals(await refusal(PROXY, header, options), ["ERR_HANDSHAKE_TIMEOUT", 408, false]);
});

test("with the PROXY protocol, a client that is no proxy gets answers", async () => {
  const options = { ...proxyProtocol, limits: { handshakeTimeout: 20 } };
  const [code, status] = await refusal(tcp("192.0.2.1"), "GET", options);
  assertEquals([code, status], ["ERR_HANDSHAKE_TIMEOUT", 408]);
});

test("with the PROXY protocol, a proxy over maxConnections is dropped without an answer", async () => {
  for (const limit of [{ maxConnections: 1 }, { maxConnectionsPerAddress: 1 }]) {
    // A proxy's own address is not limited: only the client that it names is, with an answer.
    const { server, errors } = serving({}, {
      trustedProxies: ["127.0.0.1"],
      proxyProtocol: true,
      ...limit,
    });
    const header = "PROXY TCP4 192.0.2.7 10.0.0.1 5 80\r\n";
    const first = await tcpConnect(server.addr);
    first.write(header + upgradeRequest());
    await first.until(({ text }) => text.includes("HTTP/1.1 101 "), "a 101");
    const second = await tcpConnect(server.addr);
    if ("maxConnections" in limit) {
      assertEquals(await second.untilEnd(), "");
      assertEquals(errors.length, 1);
    } else {
      second.write(header + upgradeRequest());
      await second.until(({ text }) => text.startsWith("HTTP/1.1 503 "), "a 503");
    }
  }
});

test("accept and serve check the options about proxies", async () => {
  const wrong: [AcceptOptions, string][] = [
    [{ trustedProxies: ["localhost"] }, 'address range "localhost"'],
    [{ trustedProxies: ["10.0.0.1/8"] }, 'expected "10.0.0.0/8"'],
    [{ proxyProtocol: true }, "expected trustedProxies"],
    [{ forwardedField: "x-real-ip" as "forwarded" }, '"x-real-ip"'],
  ];
  for (const [options, text] of wrong) {
    const peer = new HttpPeer();
    assertThrows(() => void accept(peer.conn, options), TypeError, text);
  }
  const tls = { cert: "none", key: "none" };
  assertThrows(() => serving({}, { ...proxyProtocol, tls }), TypeError, "TLS would have to begin");
  await turns(1);
});

test("serve passes clientAddr to upgrade(), to fetch() and to the socket", async () => {
  const told: Addr[] = [];
  const { server } = serving({ open: (socket) => void told.push(socket.clientAddr) }, {
    trustedProxies: ["127.0.0.1"],
    upgrade: (_, { clientAddr }) => void told.push(clientAddr),
    fetch: (_, { clientAddr }) => Response.json(clientAddr),
  });
  await openRaw(server, { "X-Forwarded-For": "192.0.2.1" });
  assertEquals(told, [tcp("192.0.2.1", 0), tcp("192.0.2.1", 0)]);
  const { port } = server.addr as { port: number };
  const response = await fetch(`http://127.0.0.1:${port}/`, {
    headers: { "X-Forwarded-For": "2001:db8::1" },
  });
  assertEquals(await response.json(), tcp("2001:db8::1", 0));
});

test("toIpAddress reads the address of a TCP peer, and none of a Unix socket", () => {
  assertEquals(toIpAddress(tcp("192.0.2.1"))?.join("."), "192.0.2.1");
  assertEquals(toIpAddress(tcp("fe80::1%eth0"))?.length, 16);
  assertEquals(toIpAddress(tcp("localhost")), null);
  assertEquals(toIpAddress({ transport: "unix", path: "/a" }), null);
});
