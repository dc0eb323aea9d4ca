// RFC 6455 §7.4 and §5.5.1: the code and the reason of a Close frame.
import { assertEquals, assertThrows, hex, test } from "../harness.ts";
import { closeFrame, closePayload, frame } from "../support/frames.ts";
import { join } from "../support/bytes.ts";
import { rawHandshake } from "./raw_client.ts";
import { assertClosed, assertClosing, assertEnd, assertFailed, assertFrame } from "./servers.ts";
import { echo, FORMS } from "./servers.ts";

const ALLOWED = [
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014],
  ...[3000, 3001, 3999, 4000, 4999],
];

// RFC 6455 §7.4.1: 1004 is reserved; 1005, 1006 and 1015 "MUST NOT be set as a status code in a Close
// control frame by an endpoint". §7.4.2: "Status codes in the range 0-999 are not used"; 1016-2999
// "are reserved for definition by this protocol"; there are none above 4999.
const DISALLOWED = [
  ...[0, 1, 100, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 9999],
  ...[32768, 65535],
];

for (const code of ALLOWED) {
  // RFC 6455 §5.5.1: "the endpoint MUST send a Close frame in response", it "typically echos the status
  // code it received".
  test(`RFC 6455 §7.4: a Close with ${code} is answered with ${code}`, async () => {
    for (const form of FORMS) {
      await using server = echo(form);
      await using client = await rawHandshake(server.port);
      await client.write(closeFrame(code, "because"));
      await assertClosing(client, code);
      await assertClosed(server, { closeCode: code, reason: "because", wasClean: true });
      assertEquals(server.errors, []);
    }
  });
  test(`RFC 6455 §7.4: the server can close with ${code}`, async () => {
    await using server = echo("callbacks");
    await using client = await rawHandshake(server.port);
    (await server.socket).close(code, "why");
    await assertFrame(client, 8, closePayload(code, "why"));
    await client.write(closeFrame(code));
    await assertEnd(client);
    await assertClosed(server, { closeCode: code, wasClean: true });
  });
}

for (const code of DISALLOWED) {
  for (const reason of ["", "because"]) {
    const what = `a Close with ${code}${reason === "" ? "" : " and a reason"}`;
    test(`RFC 6455 §7.4: ${what} is refused with 1002`, async () => {
      for (const form of FORMS) {
        await using server = echo(form);
        await using client = await rawHandshake(server.port);
        await client.write(closeFrame(code, reason));
        await assertFailed(server, client, 1002);
      }
    });
  }
  test(`RFC 6455 §7.4: close(${code}) throws, and the connection lives on`, async () => {
    await using server = echo("callbacks");
    await using client = await rawHandshake(server.port);
    const socket = await server.socket;
    assertThrows(() => socket.close(code), RangeError, `${code}`);
    assertEquals(socket.readyState, 1);
    await client.write(frame({ opcode: 1, payload: "on" }));
    await assertFrame(client, 1, "6f 6e");
  });
}

for (const form of FORMS) {
  // RFC 6455 §7.1.5: "If this Close control frame contains no status code, _The WebSocket Connection
  // Close Code_ is considered to be 1005."
  test(`RFC 6455 §7.1.5: an empty Close is answered with an empty Close: 1005 (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await client.write(closeFrame());
    await assertClosing(client);
    await assertClosed(server, { closeCode: 1005, wasClean: true });
  });

  // RFC 6455 §5.5.1: "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned
  // integer".
  // The second case is the first byte of 3840, which is a valid code.
  for (const half of ["03", "0f"]) {
    test(`RFC 6455 §5.5.1: a Close of 1 byte, ${half}, is refused with 1002 (${form})`, async () => {
      await using server = echo(form);
      await using client = await rawHandshake(server.port);
      await client.write(frame({ opcode: 8, payload: hex(half) }));
      await assertFailed(server, client, 1002);
    });
  }

  test(`RFC 6455 §5.5: a reason of 123 bytes is reported whole (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    const reason = "€".repeat(41);
    await client.write(closeFrame(1000, reason));
    await assertClosing(client, 1000);
    await assertClosed(server, { closeCode: 1000, reason, wasClean: true });
  });

  test(`RFC 6455 §5.5.1: a Close byte by byte is answered (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await client.writeBytewise(closeFrame(4321, "é"));
    await assertClosing(client, 4321);
    await assertClosed(server, { closeCode: 4321, reason: "é", wasClean: true });
  });
}

// RFC 6455 §5.5.1: "the body MAY contain UTF-8-encoded data"; §8.1: other bytes fail the connection.
const reasons = [
  ["a lone continuation byte", "80"],
  ["FF", "61 ff"],
  ["a surrogate", "ed a0 80"],
  ["an overlong slash", "c0 af"],
  ["above U+10FFFF", "f4 90 80 80"],
  ["a character that is cut off", "61 e2 82"],
] as const;
for (const [name, reason] of reasons) {
  test(`RFC 6455 §8.1: a reason with ${name} is refused with 1007`, async () => {
    for (const form of FORMS) {
      await using server = echo(form);
      await using client = await rawHandshake(server.port);
      await client.write(closeFrame(1000, hex(reason)));
      await assertFailed(server, client, 1007);
    }
  });
}

for (const [name, reason] of [["U+0000", "\0"], ["a BOM", "\ufeffx"], ["U+10FFFF", "\u{10ffff}"]]) {
  test(`RFC 6455 §7.1.6: a reason with ${name} is reported as it is`, async () => {
    await using server = echo("callbacks");
    await using client = await rawHandshake(server.port);
    await client.write(closeFrame(1000, reason!));
    await assertClosing(client, 1000);
    await assertClosed(server, { closeCode: 1000, reason: reason!, wasClean: true });
  });
}

test("RFC 6455 §5.5: close() with a reason of 123 bytes sends it, one of 124 throws", async () => {
  await using server = echo("callbacks");
  await using client = await rawHandshake(server.port);
  const socket = await server.socket;
  assertThrows(() => socket.close(1000, "é".repeat(62)), DOMException);
  assertThrows(() => socket.close(undefined, "reason"), TypeError);
  assertEquals(socket.readyState, 1);
  const reason = "é".repeat(61) + "x";
  socket.close(1000, reason);
  await assertFrame(client, 8, closePayload(1000, reason));
});

test("RFC 6455 §5.5.1: close() without a code sends an empty Close", async () => {
  await using server = echo("callbacks");
  await using client = await rawHandshake(server.port);
  (await server.socket).close();
  await assertFrame(client, 8, "");
  await client.write(closeFrame());
  await assertEnd(client);
  await assertClosed(server, { closeCode: 1005, wasClean: true });
});

// RFC 6455 §5.5.1: bytes after a Close frame are not processed.
const after = [
  ["a text message", frame({ opcode: 1, payload: "late" })],
  ["a Ping", frame({ opcode: 9, payload: "late" })],
  ["another Close", closeFrame(1001)],
  ["a Close that is wrong", closeFrame(999)],
  ["a reserved opcode", hex("83 80 00 00 00 00")],
  ["garbage", new Uint8Array(5000).fill(0xff)],
  ["half a frame", hex("81 fe")],
] as const;
for (const [name, bytes] of after) {
  test(`RFC 6455 §5.5.1: ${name} after a Close is ignored`, async () => {
    for (const form of FORMS) {
      await using server = echo(form);
      await using client = await rawHandshake(server.port);
      await client.write(join(closeFrame(1000), bytes));
      await assertClosing(client, 1000);
      await assertClosed(server, { closeCode: 1000, wasClean: true });
      assertEquals(server.errors, []);
    }
  });
  test(`RFC 6455 §5.5.1: ${name} after a Close and its answer is ignored`, async () => {
    await using server = echo("callbacks");
    await using client = await rawHandshake(server.port);
    await client.write(closeFrame(1000));
    await assertFrame(client, 8, "03 e8");
    await client.write(bytes);
    await assertEnd(client);
    await assertClosed(server, { closeCode: 1000, wasClean: true });
    assertEquals(server.errors, []);
  });
}
