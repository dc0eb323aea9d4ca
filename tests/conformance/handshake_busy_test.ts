// RFC 6455 §4.2.2 and §7.2.3: connections over the limit, and when they may try again. RFC 9110 §10.2.3:
// "When sent with a 503 (Service Unavailable) response, Retry-After indicates how
// long the service is expected to be unavailable to the client."
import { assert, assertEquals, deadline, test } from "../harness.ts";
import { assertRefusal, exchange, fieldsOf, request, send } from "./requests.ts";
import { echo, FORMS } from "./servers.ts";

for (const form of FORMS) {
  test(`RFC 6455 §4.2.2: over maxConnections is 503 with Retry-After (${form})`, async () => {
    await using server = echo(form, { maxConnections: 1 });
    const { client, head } = await send(server.port, request());
    await using _ = client;
    assertEquals(head.status, 101);
    // With and without a request.
    for (const text of [request(), ""]) {
      const response = await exchange(server, text);
      assertRefusal(response, 503);
      assertEquals(fieldsOf(response, "retry-after"), ["5"]);
    }
    assertEquals(server.server.connections.size, 1);
  });
}

test("RFC 6455 §4.2.2: over maxConnectionsPerAddress is 503 with Retry-After", async () => {
  await using server = echo("callbacks", {
    maxConnectionsPerAddress: 1,
    trustedProxies: ["127.0.0.1"],
  });
  const from = (address: string) => request({ "X-Forwarded-For": address });
  const { client } = await send(server.port, from("192.0.2.1"));
  await using _ = client;
  const response = await exchange(server, from("::ffff:192.0.2.1"));
  assertRefusal(response, 503);
  assertEquals(fieldsOf(response, "retry-after"), ["5"]);
  const other = await send(server.port, from("192.0.2.2"));
  await using _other = other.client;
  assertEquals(other.head.status, 101);
});

test("RFC 6455 §7.2.3: a server that drains answers 503 with Retry-After, and closes with 1001", async () => {
  await using server = echo("callbacks", { limits: { closeTimeout: 2000 } });
  const { client } = await send(server.port, request());
  await using _ = client;
  const finished = server.server.shutdown({ drain: true });
  const response = await exchange(server, request());
  assertRefusal(response, 503);
  assertEquals(fieldsOf(response, "retry-after"), ["5"]);
  const close = await client.readFrame();
  assertEquals([close.opcode, close.payload], [8, new Uint8Array([0x03, 0xe9])]);
  await client.end("88 82 00 00 00 00 03 e9");
  await deadline(finished, 5000, "the end");
  assert(server.server.isDraining);
});
