// The gateway example, in front of its own small server.
import { connect, HandshakeError } from "../../mod.ts";
import { signal, startExample } from "./example_process.ts";
import { assertEquals, assertRejects, deadline, onTestEnd, test } from "../harness.ts";

const ann = { authorization: "Bearer 1234" };

test("the gateway passes on header fields, subprotocols, messages, closes and refusals", async () => {
  const { port } = await startExample("gateway/main.ts");
  const url = `ws://127.0.0.1:${port}/`;
  const client = await connect(url, { headers: ann, protocols: ["v1", "v2"] });
  onTestEnd(async () => void await client.close());
  assertEquals(client.protocol, "v2");
  const messages = client[Symbol.asyncIterator]();
  assertEquals((await messages.next()).value, "Hello ann from 127.0.0.1");
  for (const message of ["text", Uint8Array.of(1, 2, 3)]) {
    client.send(message);
    assertEquals((await messages.next()).value as unknown, message);
  }
  client.send("close 4321");
  assertEquals((await messages.next()).done, true);
  const { closeCode, reason } = await deadline(client.closed, 5000, "the close");
  assertEquals([closeCode, reason], [4321, "as you wish"]);

  const error = await assertRejects(() => connect(url), HandshakeError);
  assertEquals(error.status, 401);
  const other = await assertRejects(() => connect(`${url}none`), HandshakeError);
  assertEquals(other.status, 401);
});

test("the gateway closes its clients with 1012 for a restart, and its server's connections, too", async () => {
  const example = await startExample("gateway/main.ts");
  const client = await connect(`ws://127.0.0.1:${example.port}/`, { headers: ann });
  signal(example, "SIGTERM");
  const { closeCode, reason } = await deadline(client.closed, 8000, "the close");
  assertEquals([closeCode, reason], [1012, "The gateway restarts"]);
  const { code, stderr } = await deadline(example.child.exited, 8000, "the end of the gateway");
  assertEquals([code, stderr], [0, ""]);
});

test("the gateway answers plain HTTP with 426 and the protocol that it expects (RFC 9110 §15.5.22)", async () => {
  const { port } = await startExample("gateway/main.ts");
  const response = await fetch(`http://127.0.0.1:${port}/`);
  await response.body?.cancel();
  assertEquals([response.status, response.headers.get("upgrade")], [426, "websocket"]);
});

test("the gateway answers 502 if the server behind it can't be reached", async () => {
  const { port } = await startExample("gateway/main.ts", 0, { BACKEND: "ws://127.0.0.1:9/" });
  const error = await assertRejects(
    () => connect(`ws://127.0.0.1:${port}/`, { headers: ann }),
    HandshakeError,
  );
  assertEquals(error.status, 502);
});
