// RFC 6455 §8.1: text is UTF-8. The connection fails at the first byte that is not. The bytes are those
// of tests/protocol/utf8_cases.ts, in the style of section 6 of the Autobahn test suite.
import { hex, test } from "../harness.ts";
import { UTF8_CASES } from "../protocol/utf8_cases.ts";
import { closeFrame, frame } from "../support/frames.ts";
import { join } from "../support/bytes.ts";
import { rawHandshake } from "./raw_client.ts";
import { assertClosing, assertFailed, assertFrame, echo, FORMS } from "./servers.ts";

for (const { name, bytes, wrong } of UTF8_CASES) {
  const payload = hex(bytes);
  for (const form of FORMS) {
    if (wrong === "valid") {
      test(`RFC 6455 §8.1: text of ${name} is echoed (${form})`, async () => {
        await using server = echo(form);
        await using client = await rawHandshake(server.port);
        await client.write(frame({ opcode: 1, payload }));
        await assertFrame(client, 1, payload);
        // RFC 6455 §5.6: "a particular text frame might include a partial UTF-8 sequence; however, the
        // whole message MUST contain valid UTF-8."
        for (let cut = 0; cut <= payload.length; cut++) {
          await client.write(join(
            frame({ opcode: 1, fin: false, payload: payload.subarray(0, cut) }),
            frame({ opcode: 0, payload: payload.subarray(cut) }),
          ));
          await assertFrame(client, 1, payload);
        }
        await client.write(closeFrame(1000));
        await assertClosing(client, 1000);
      });
      continue;
    }
    // RFC 6455 §8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte
    // stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket
    // Connection_."
    test(`RFC 6455 §8.1: text of ${name} is refused with 1007 (${form})`, async () => {
      await using server = echo(form);
      await using client = await rawHandshake(server.port);
      await client.write(frame({ opcode: 1, payload }));
      await assertFailed(server, client, 1007);
    });
  }

  if (wrong === "valid") {
    test(`RFC 6455 §8.1: text of ${name} is echoed, in a frame for each byte, byte by byte`, async () => {
      await using server = echo("callbacks");
      await using client = await rawHandshake(server.port);
      const pieces = Array.from(payload, (byte, i) =>
        frame({
          opcode: i === 0 ? 1 : 0,
          fin: i === payload.length - 1,
          payload: new Uint8Array([byte]),
        }));
      await client.write(join(...pieces));
      await assertFrame(client, 1, payload);
      await client.writeBytewise(frame({ opcode: 1, payload }));
      await assertFrame(client, 1, payload);
    });
  } else if (wrong === "end") {
    test(`RFC 6455 §8.1: text of ${name} is refused with 1007 at the end of its message`, async () => {
      await using server = echo("callbacks");
      await using client = await rawHandshake(server.port);
      await client.write(frame({ opcode: 1, fin: false, payload }));
      // Not invalid yet: the next fragment may complete the character.
      await client.write(frame({ opcode: 9 }));
      await assertFrame(client, 10, "");
      await client.write(frame({ opcode: 0 }));
      await assertFailed(server, client, 1007);
    });
  } else {
    const proof = payload.subarray(0, wrong + 1);
    test(`RFC 6455 §8.1: text of ${name} is refused with 1007 before its frame ends`, async () => {
      for (const form of FORMS) {
        await using server = echo(form);
        await using client = await rawHandshake(server.port);
        await client.write(frame({ opcode: 1, payload: proof, claims: 100 }));
        await assertFailed(server, client, 1007);
      }
    });
    test(`RFC 6455 §8.1: text of ${name} is refused with 1007 before its message ends`, async () => {
      await using server = echo("callbacks");
      await using client = await rawHandshake(server.port);
      for (let i = 0; i < proof.length; i++) {
        const piece = proof.subarray(i, i + 1);
        await client.write(frame({ opcode: i === 0 ? 1 : 0, fin: false, payload: piece }));
      }
      await assertFailed(server, client, 1007);
    });
    test(`RFC 6455 §8.1: text of ${name} is right up to its first wrong byte`, async () => {
      await using server = echo("callbacks");
      await using client = await rawHandshake(server.port);
      const right = proof.subarray(0, wrong);
      await client.write(
        join(frame({ opcode: 1, fin: false, payload: right }), frame({ opcode: 9 })),
      );
      await assertFrame(client, 10, "");
      await client.write(frame({ opcode: 0, payload: proof.subarray(wrong) }));
      await assertFailed(server, client, 1007);
    });
  }

  test(`RFC 6455 §5.6: binary of ${name} is arbitrary`, async () => {
    await using server = echo("for await");
    await using client = await rawHandshake(server.port);
    await client.write(join(
      frame({ opcode: 2, payload }),
      frame({ opcode: 2, fin: false, payload }),
      frame({ opcode: 0, payload }),
    ));
    await assertFrame(client, 2, payload);
    await assertFrame(client, 2, join(payload, payload));
  });
}

test("RFC 6455 §8.1: a wrong byte deep in a long text is refused before the text ends", async () => {
  await using server = echo("callbacks");
  await using client = await rawHandshake(server.port);
  const payload = new Uint8Array(70_000).fill(0x61);
  payload[69_999] = 0xff;
  await client.write(frame({ opcode: 1, payload, claims: 1_000_000 }));
  await assertFailed(server, client, 1007);
});

test("RFC 6455 §8.1: a long text of 4-byte characters is echoed, however TCP cuts it", async () => {
  await using server = echo("callbacks");
  await using client = await rawHandshake(server.port);
  const payload = new TextEncoder().encode("a" + "\u{1f600}".repeat(50_000));
  const bytes = frame({ opcode: 1, payload });
  for (let i = 0; i < bytes.length; i += 7919) await client.write(bytes.subarray(i, i + 7919));
  await assertFrame(client, 1, payload);
});

test("RFC 6455 §8.1: nothing is left of a character when the next message begins", async () => {
  await using server = echo("callbacks");
  await using client = await rawHandshake(server.port);
  const euro = hex("e2 82 ac");
  const parts = join(
    frame({ opcode: 1, fin: false, payload: euro.subarray(0, 2) }),
    frame({ opcode: 0, payload: euro.subarray(2) }),
  );
  await client.write(join(parts, parts));
  await assertFrame(client, 1, euro);
  await assertFrame(client, 1, euro);
  await client.write(join(parts, frame({ opcode: 1, payload: euro.subarray(2) })));
  await assertFrame(client, 1, euro);
  await assertFailed(server, client, 1007);
});
