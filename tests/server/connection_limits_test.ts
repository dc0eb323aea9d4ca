import { ConnectionLimits, draining, RETRY_AFTER } from "../../src/server/connection_limits.ts";
import { resolveProxies } from "../../src/proxy/trusted_proxies.ts";
import type { Addr } from "../../src/transport/transport.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";

const tcp = (hostname: string): Addr => ({ transport: "tcp", hostname, port: 1 });

test("ConnectionLimits counts all connections up to maxConnections", () => {
  const limits = new ConnectionLimits({ maxConnections: 2 }, undefined);
  for (const address of ["192.0.2.1", "::1"]) {
    assertEquals(limits.acquire(tcp(address)), undefined);
  }
  const refusal = limits.acquire({ transport: "unix", path: "/a" })!;
  assertEquals([refusal.code, refusal.status, refusal.retryAfter], [
    "ERR_HANDSHAKE_FULL",
    503,
    RETRY_AFTER,
  ]);
  limits.release(tcp("192.0.2.1"));
  assertEquals(limits.acquire(tcp("192.0.2.2")), undefined);
  assertEquals(limits.acquire(tcp("192.0.2.3"))?.code, "ERR_HANDSHAKE_FULL");
});

test("ConnectionLimits has no limits by default", () => {
  const limits = new ConnectionLimits({}, undefined);
  for (let i = 0; i < 10_000; i++) assertEquals(limits.acquire(tcp("192.0.2.1")), undefined);
  for (let i = 0; i < 10_000; i++) limits.release(tcp("192.0.2.1"));
});

const sameClient: [one: string, other: string, isSame: boolean][] = [
  ["192.0.2.1", "192.0.2.1", true],
  ["192.0.2.1", "192.0.2.2", false],
  ["192.0.2.1", "::ffff:192.0.2.1", true],
  ["2001:db8::1", "2001:db8::ffff:1:2:3", true],
  ["2001:db8::1", "2001:db8:0:1::1", false],
  ["fe80::1%eth0", "fe80::2%eth1", true],
];
for (const [one, other, isSame] of sameClient) {
  test(`ConnectionLimits counts ${one} and ${other} as ${isSame ? "one client" : "two"}`, () => {
    const limits = new ConnectionLimits(
      { maxConnections: 2, maxConnectionsPerAddress: 1 },
      undefined,
    );
    assertEquals(limits.acquire(tcp(one)), undefined);
    assertEquals(limits.acquire(tcp(other))?.status, isSame ? 503 : undefined);
    const isFull = limits.acquire(tcp("198.51.100.1")) !== undefined;
    assertEquals(isFull, !isSame, "a refused connection is not counted");
    limits.release(tcp(one));
    assertEquals(limits.acquire(tcp(one)), undefined);
  });
}

test("ConnectionLimits counts a proxy's clients once they are known, and not the proxy", () => {
  const proxies = resolveProxies({ trustedProxies: ["10.0.0.0/8", "unix"] });
  const options = { maxConnections: 4, maxConnectionsPerAddress: 2 };
  const limits = new ConnectionLimits(options, proxies);
  for (let i = 0; i < 4; i++) assertEquals(limits.acquire(tcp("10.0.0.1")), undefined);
  assertEquals(limits.acquireAddress(tcp("192.0.2.1")), undefined);
  assertEquals(limits.acquireAddress(tcp("192.0.2.1")), undefined);
  assertEquals(limits.acquireAddress(tcp("192.0.2.1"))?.code, "ERR_HANDSHAKE_FULL");
  limits.release(undefined); // The refused connection is not counted as the client's.
  assertEquals(limits.acquireAddress(tcp("192.0.2.1"))?.code, "ERR_HANDSHAKE_FULL");
  limits.release(tcp("192.0.2.1"));
  assertEquals(limits.acquireAddress(tcp("192.0.2.1")), undefined);
  assertEquals(limits.acquireAddress(tcp("10.0.0.7")), undefined, "the proxy named no client");
  assertEquals(limits.acquireAddress({ transport: "unix", path: "/a" }), undefined);
  for (let i = 0; i < 2; i++) assertEquals(limits.acquire(tcp("10.0.0.1")), undefined);
  assertEquals(limits.acquire(tcp("10.0.0.1"))?.code, "ERR_HANDSHAKE_FULL", "4 are left of 6");
});

test("ConnectionLimits gives the first refusal of its checks", () => {
  const limits = new ConnectionLimits({}, undefined);
  assertEquals(limits.checkUpgrade(), undefined);
  const refusal = draining();
  let isDraining = false;
  limits.addUpgradeCheck(() => undefined);
  limits.addUpgradeCheck(() => isDraining ? refusal : undefined);
  assertEquals(limits.checkUpgrade(), undefined);
  isDraining = true;
  assert(limits.checkUpgrade() === refusal);
  assertEquals([refusal.code, refusal.status], ["ERR_HANDSHAKE_DRAINING", 503]);
});

test("ConnectionLimits refuses limits that are not integers above 0", () => {
  for (const value of [0, -1, NaN, 1.5, "1" as unknown as number]) {
    assertThrows(() => new ConnectionLimits({ maxConnections: value }, undefined), RangeError);
    assertThrows(
      () => new ConnectionLimits({ maxConnectionsPerAddress: value }, undefined),
      RangeError,
    );
  }
});
