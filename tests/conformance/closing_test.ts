// RFC 6455 §7.1 and §7.2: the closing handshake, the end of TCP, and connections that
// end without them.
import { assert, assertEquals, assertRejects, deadline, delay, test } from "../harness.ts";
import { closeFrame, frame } from "../support/frames.ts";
import { join } from "../support/bytes.ts";
import { rawHandshake } from "./raw_client.ts";
import { assertClosed, assertEnd, assertFrame, echo, FORMS } from "./servers.ts";

const utf8 = new TextEncoder();

for (const form of FORMS) {
  // RFC 6455 §5.5.1: after both Closes "The server MUST close the underlying TCP connection
  // immediately". §7.1.1: TCP, "in most normal cases, SHOULD be closed first by the server".
  test(`RFC 6455 §7.1.1: the server ends TCP first, after the client's Close (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await client.write(closeFrame(1000));
    await assertFrame(client, 8, "03 e8");
    assertEquals(await client.readToEnd(), { bytes: new Uint8Array(0), by: "FIN" });
    // The server ends its half only. The connection lasts until the client ends the other half.
    assertEquals(server.server.connections.size, 1);
    await client.end();
    await assertClosed(server, { closeCode: 1000, wasClean: true });
    assertEquals(server.server.connections.size, 0);
  });

  test(`RFC 6455 §7.1.1: the server ends TCP first, after its own Close (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    const closed = (await server.socket).close(4000, "done");
    await assertFrame(client, 8, join("0f a0", utf8.encode("done")));
    await delay(10);
    assertEquals(client.ending, undefined, "TCP ended before the client's Close");
    await client.write(closeFrame(4000));
    await assertEnd(client);
    assertEquals(await closed, { closeCode: 4000, reason: "", wasClean: true });
  });

  // RFC 6455 §7.1.5: "If _The WebSocket Connection is Closed_ and no Close control frame was received
  // by the endpoint ..., _The WebSocket Connection Close Code_ is considered to be 1006."
  test(`RFC 6455 §7.1.5: a FIN without a Close is 1006 (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await client.end();
    await assertClosed(server, { closeCode: 1006, wasClean: false, error: 1006 });
    assertEquals((await client.readToEnd()).bytes.length, 0);
    await delay(1);
    assertEquals(server.errors, [], "that a peer leaves is no error of the server");
  });

  test(`RFC 6455 §7.1.5: a FIN inside a frame is 1006 (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await client.end(frame({ opcode: 1, payload: "cut", claims: 100 }));
    await assertClosed(server, { closeCode: 1006, wasClean: false, error: 1006 });
  });

  test(`RFC 6455 §7.1.5: a FIN inside a Close frame is 1006 (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await client.end(closeFrame(1000).subarray(0, 7));
    await assertClosed(server, { closeCode: 1006, wasClean: false, error: 1006 });
  });

  test(`RFC 6455 §7.1.5: a FIN in answer to the server's Close is 1006 (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    (await server.socket).close(1000);
    await assertFrame(client, 8, "03 e8");
    await client.end();
    await assertClosed(server, { closeCode: 1006, wasClean: false, error: 1006 });
  });

  test(`RFC 6455 §7.1.5: a RST is 1006 (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await client.write(frame({ opcode: 1, payload: "on" }));
    await assertFrame(client, 1, "6f 6e");
    await client.reset();
    const { closeCode, wasClean } = await server.closed;
    assertEquals([closeCode, wasClean], [1006, false]);
    await delay(1);
    assertEquals(server.errors, [], "that a peer leaves is no error of the server");
  });

  test(`RFC 6455 §7.1.5: abort() is 1006, without a Close frame (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    (await server.socket).abort();
    assertEquals((await client.readToEnd()).bytes.length, 0);
    const { closeCode, wasClean } = await server.closed;
    assertEquals([closeCode, wasClean], [1006, false]);
  });

  // RFC 6455 §7.1.1: "An endpoint MAY close the connection via any means available when necessary".
  test(`RFC 6455 §7.1.1: a peer that never answers a Close is dropped after closeTimeout (${form})`, async () => {
    await using server = echo(form, { limits: { closeTimeout: 60 } });
    await using client = await rawHandshake(server.port);
    const start = performance.now();
    (await server.socket).close(1000);
    await assertFrame(client, 8, "03 e8");
    await client.write(frame({ opcode: 9 })); // A Ping does not answer a Close.
    await assertFrame(client, 10, "");
    await client.readToEnd();
    const { closeCode, wasClean } = await server.closed;
    assertEquals([closeCode, wasClean], [1006, false]);
    assertTook(start, 60);
  });

  test(`RFC 6455 §7.1.1: a peer that answers a Close and never ends TCP is dropped (${form})`, async () => {
    await using server = echo(form, { limits: { closeTimeout: 60 } });
    await using client = await rawHandshake(server.port);
    const start = performance.now();
    (await server.socket).close(1000);
    await assertFrame(client, 8, "03 e8");
    await client.write(closeFrame(1000));
    await client.readToEnd();
    await assertClosed(server, { closeCode: 1000, wasClean: true });
    assertTook(start, 60);
  });

  test(`RFC 6455 §7.1.1: a peer that closes and never ends TCP is dropped (${form})`, async () => {
    await using server = echo(form, { limits: { closeTimeout: 60 } });
    await using client = await rawHandshake(server.port);
    const start = performance.now();
    await client.write(closeFrame(1000));
    await assertFrame(client, 8, "03 e8");
    await client.readToEnd();
    await assertClosed(server, { closeCode: 1000, wasClean: true });
    assertTook(start, 60);
  });

  test(`RFC 6455 §7.1.7: a peer that breaks the protocol and never ends TCP is dropped (${form})`, async () => {
    await using server = echo(form, { limits: { closeTimeout: 60 } });
    await using client = await rawHandshake(server.port);
    const start = performance.now();
    await client.write("83");
    await assertFrame(client, 8, "03 ea");
    await client.readToEnd();
    await assertClosed(server, { closeCode: 1006, wasClean: false, error: 1002 });
    assertTook(start, 60);
  });

  // RFC 6455 §5.5.1: "If a client and server both send a Close message at the same time, both
  // endpoints will have sent and received a Close message and should consider the WebSocket
  // connection closed".
  test(`RFC 6455 §5.5.1: two Closes that cross are a clean closing (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    const socket = await server.socket;
    const written = client.write(closeFrame(4001, "client"));
    socket.close(4002, "server");
    await written;
    await assertFrame(client, 8, join("0f a2", utf8.encode("server")));
    await assertEnd(client);
    await assertClosed(server, { closeCode: 4001, reason: "client", wasClean: true });
  });

  // RFC 6455 §7.1.7: "An endpoint MUST NOT continue to attempt to process data (including a responding
  // Close frame) from the remote endpoint after being instructed to _Fail the WebSocket Connection_."
  test(`RFC 6455 §7.1.7: a Close after an error is not processed (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await client.write("83");
    await assertFrame(client, 8, "03 ea");
    await client.write(closeFrame(1000));
    await assertEnd(client);
    await assertClosed(server, { closeCode: 1006, wasClean: false, error: 1002 });
  });

  test(`RFC 6455 §7.1.7: an error in answer to the server's Close gets no second Close (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    (await server.socket).close(1000);
    await assertFrame(client, 8, "03 e8");
    await client.write(closeFrame(1006));
    await assertEnd(client);
    await assertClosed(server, { closeCode: 1006, wasClean: false, error: 1002 });
  });

  // RFC 6455 §5.5.1: "The application MUST NOT send any more data frames after sending a Close frame."
  test(`RFC 6455 §5.5.1: nothing is sent after close(), and a second one does nothing (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    const socket = await server.socket;
    const first = socket.close(1000);
    assertEquals(socket.readyState, 2);
    await assertRejects(() => socket.send("late"), DOMException, "not open");
    await assertRejects(() => socket.ping(), DOMException, "not open");
    assertEquals(socket.close(4999, "second"), first);
    await assertFrame(client, 8, "03 e8");
    // A message that crosses the Close is not echoed, either.
    await client.write(join(frame({ opcode: 1, payload: "crossing" }), closeFrame(1000)));
    await assertEnd(client);
    await assertClosed(server, { closeCode: 1000, wasClean: true });
  });
}

function assertTook(start: number, ms: number): void {
  const took = performance.now() - start;
  assert(took >= ms - 5 && took < ms + 1500, `took ${took} ms, expected ${ms}`);
}

test("RFC 6455 §7.1.1: shutdown() closes every connection with 1001, and waits for each", async () => {
  await using server = echo("callbacks");
  await using first = await rawHandshake(server.port);
  await using second = await rawHandshake(server.port);
  const finished = server.server.shutdown({ code: 1012, reason: "restart" });
  for (const client of [first, second]) {
    await assertFrame(client, 8, join("03 f4", utf8.encode("restart")));
    await client.write(closeFrame(1012));
    await assertEnd(client);
  }
  await deadline(finished, 2000, "shutdown()");
  await assertClosed(server, { closeCode: 1012, wasClean: true });
  await assertRejects(() => rawHandshake(server.port));
});
