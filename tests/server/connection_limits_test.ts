import { ConnectionLimits, draining, RETRY_AFTER } from "../../src/server/connection_limits.ts";
import { resolveProxies } from "../../src/proxy/trusted_proxies.ts";
import type { Addr } from "../../src/transport/transport.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";

const tcp = (hostname: string): Addr => ({ transport: "tcp", hostname, port: 1 });

test("ConnectionLimits counts all connections up to maxConnections", () => {
  const admission = new ConnectionLimits({ maxConnections: 2 }, undefined);
  for (const address of ["192.0.2.1", "::1"]) {
    assertEquals(admission.arrive(tcp(address)), undefined);
  }
  const refusal = admission.arrive({ transport: "unix", path: "/a" })!;
  assertEquals([refusal.code, refusal.status, refusal.retryAfter], [
    "ERR_HANDSHAKE_FULL",
    503,
    RETRY_AFTER,
  ]);
  assertEquals(admission.count, 2);
  admission.leave(tcp("192.0.2.1"));
  assertEquals(admission.arrive(tcp("192.0.2.2")), undefined);
});

test("ConnectionLimits has no limits by default", () => {
  const admission = new ConnectionLimits({}, undefined);
  for (let i = 0; i < 10_000; i++) assertEquals(admission.arrive(tcp("192.0.2.1")), undefined);
  for (let i = 0; i < 10_000; i++) admission.leave(tcp("192.0.2.1"));
  assertEquals(admission.count, 0);
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
    const admission = new ConnectionLimits({ maxConnectionsPerAddress: 1 }, undefined);
    assertEquals(admission.arrive(tcp(one)), undefined);
    assertEquals(admission.arrive(tcp(other))?.status, isSame ? 503 : undefined);
    assertEquals(admission.count, isSame ? 1 : 2, "who is refused is not counted");
    assertEquals(admission.clients, isSame ? 1 : 2);
    admission.leave(tcp(one));
    assertEquals(admission.clients, isSame ? 0 : 1, "who has left is forgotten");
    assertEquals(admission.arrive(tcp(one)), undefined);
  });
}

test("ConnectionLimits counts a proxy's clients once they are known, and not the proxy", () => {
  const proxies = resolveProxies({ trustedProxies: ["10.0.0.0/8", "unix"] });
  const admission = new ConnectionLimits({ maxConnectionsPerAddress: 2 }, proxies);
  for (let i = 0; i < 4; i++) assertEquals(admission.arrive(tcp("10.0.0.1")), undefined);
  assertEquals(admission.identify(tcp("192.0.2.1")), undefined);
  assertEquals(admission.identify(tcp("192.0.2.1")), undefined);
  assertEquals(admission.identify(tcp("192.0.2.1"))?.code, "ERR_HANDSHAKE_FULL");
  admission.leave(undefined); // The one that was refused is not the client's.
  assertEquals(admission.identify(tcp("192.0.2.1"))?.code, "ERR_HANDSHAKE_FULL");
  admission.leave(tcp("192.0.2.1"));
  assertEquals(admission.identify(tcp("192.0.2.1")), undefined);
  assertEquals(admission.identify(tcp("10.0.0.7")), undefined, "it did not say");
  assertEquals(admission.identify({ transport: "unix", path: "/a" }), undefined);
  assertEquals(admission.count, 2);
});

test("ConnectionLimits gives the first refusal of its checks", () => {
  const admission = new ConnectionLimits({}, undefined);
  assertEquals(admission.check(), undefined);
  const refusal = draining();
  let isDraining = false;
  admission.add(() => undefined);
  admission.add(() => isDraining ? refusal : undefined);
  assertEquals(admission.check(), undefined);
  isDraining = true;
  assert(admission.check() === refusal);
  assertEquals([refusal.code, refusal.status], ["ERR_HANDSHAKE_DRAINING", 503]);
});

test("ConnectionLimits refuses limits that are not numbers above 0", () => {
  for (const value of [0, -1, NaN, "1" as unknown as number]) {
    assertThrows(() => new ConnectionLimits({ maxConnections: value }, undefined), RangeError);
    assertThrows(
      () => new ConnectionLimits({ maxConnectionsPerAddress: value }, undefined),
      RangeError,
    );
  }
});
