// RFC 6455 §10.4: "Implementations that have implementation- and/or platform-specific limitations ...
// MUST protect themselves against exceeding those limits."
import type { WebSocketConnection } from "../../mod.ts";
import { assert, assertEquals, delay, test } from "../harness.ts";
import { closeFrame, frame } from "../support/frames.ts";
import { join } from "../support/bytes.ts";
import { rawHandshake } from "./raw_client.ts";
import { assertFailed, assertFrame, echo, FORMS, listen } from "./servers.ts";

const utf8 = new TextEncoder();

for (const form of FORMS) {
  for (const opcode of [1, 2]) {
    const type = opcode === 1 ? "text" : "binary";
    test(`RFC 6455 §10.4: ${type} of maxMessageSize passes, in one frame and in many (${form})`, async () => {
      await using server = echo(form, { limits: { maxMessageSize: 1000 } });
      await using client = await rawHandshake(server.port);
      const payload = utf8.encode("x".repeat(1000));
      await client.write(frame({ opcode, payload }));
      await assertFrame(client, opcode, payload);
      await client.write(join(
        frame({ opcode, fin: false, payload: payload.subarray(0, 500) }),
        frame({ opcode: 0, fin: false }),
        frame({ opcode: 0, payload: payload.subarray(500) }),
      ));
      await assertFrame(client, opcode, payload);
    });

    test(`RFC 6455 §7.4.1: ${type} above maxMessageSize is 1009 at its header (${form})`, async () => {
      await using server = echo(form, { limits: { maxMessageSize: 1000 } });
      await using client = await rawHandshake(server.port);
      await client.write(frame({ opcode, claims: 1001 }));
      await assertFailed(server, client, 1009);
    });

    test(`RFC 6455 §7.4.1: ${type} fragments above maxMessageSize are 1009 at the header (${form})`, async () => {
      await using server = echo(form, { limits: { maxMessageSize: 1000 } });
      await using client = await rawHandshake(server.port);
      await client.write(join(
        frame({ opcode, fin: false, payload: utf8.encode("x".repeat(600)) }),
        frame({ opcode: 0, fin: false, payload: utf8.encode("x".repeat(300)) }),
        frame({ opcode: 0, claims: 101 }),
      ));
      await assertFailed(server, client, 1009);
    });
  }

  test(`RFC 6455 §7.4.1: more than maxFragments are 1008 (${form})`, async () => {
    await using server = echo(form, { limits: { maxFragments: 4 } });
    await using client = await rawHandshake(server.port);
    const part = frame({ opcode: 0, fin: false, payload: "x" });
    const three = join(frame({ opcode: 1, fin: false, payload: "x" }), part, part);
    await client.write(join(three, frame({ opcode: 0, payload: "x" })));
    await assertFrame(client, 1, utf8.encode("xxxx"));
    await client.write(join(three, part));
    await client.write(frame({ opcode: 9 }));
    await assertFrame(client, 10, "");
    await client.write(frame({ opcode: 0, fin: true }));
    await assertFailed(server, client, 1008);
  });

  test(`RFC 6455 §7.4.1: empty fragments count towards maxFragments (${form})`, async () => {
    await using server = echo(form, { limits: { maxFragments: 100 } });
    await using client = await rawHandshake(server.port);
    const empty = frame({ opcode: 0, fin: false });
    await client.write(join(
      frame({ opcode: 2, fin: false }),
      ...Array.from({ length: 100 }, () => empty),
    ));
    await assertFailed(server, client, 1008);
  });

  test(`RFC 6455 §10.4: a Ping between fragments is no fragment (${form})`, async () => {
    await using server = echo(form, { limits: { maxFragments: 2 } });
    await using client = await rawHandshake(server.port);
    const ping = frame({ opcode: 9 });
    await client.write(join(
      frame({ opcode: 1, fin: false, payload: "a" }),
      ping,
      ping,
      ping,
      frame({ opcode: 0, payload: "b" }),
    ));
    for (let i = 0; i < 3; i++) await assertFrame(client, 10, "");
    await assertFrame(client, 1, utf8.encode("ab"));
  });

  test(`RFC 6455 §7.4.1: more than maxControlFrames within a second are 1008 (${form})`, async () => {
    await using server = echo(form, { limits: { maxControlFrames: 10 } });
    await using client = await rawHandshake(server.port);
    const frames = Array.from({ length: 10 }, (_, i) => frame({ opcode: i % 2 === 0 ? 9 : 10 }));
    // One form waits for a second to pass. The limiter's own tests do so on a fake clock.
    if (form === "callbacks") {
      await client.write(join(...frames, frame({ opcode: 1, payload: "next" })));
      for (let i = 0; i < 5; i++) await assertFrame(client, 10, "");
      await assertFrame(client, 1, utf8.encode("next"));
      await delay(1050);
    }
    // Frames beyond the limit are allowed for the time that a busy machine holds the server up.
    const more = Array.from({ length: 50 }, () => frame({ opcode: 10 }));
    await client.write(join(...frames, ...more));
    for (let i = 0; i < 5; i++) await assertFrame(client, 10, "");
    await assertFailed(server, client, 1008);
  });

  // The kernel buffers some megabytes for a client that reads nothing. The queue holds the rest.
  test(`RFC 6455 §10.4: a queue above maxBufferedAmount is 1013, and its send refused (${form})`, async () => {
    const { promise: full, resolve } = Promise.withResolvers<[count: number, error: unknown]>();
    const flood = async (socket: WebSocketConnection) => {
      for (let count = 0;; count++) {
        const sent = socket.send(new Uint8Array(500_000).fill(count));
        const refused = await Promise.race([
          sent.then(() => undefined, (error: unknown) => error),
          delay(5).then(() => undefined),
        ]);
        if (refused !== undefined) return resolve([count, refused]);
      }
    };
    await using server = listen(
      { limits: { maxBufferedAmount: 1_200_000, closeTimeout: 3000 } },
      form === "callbacks" ? { open: (socket) => void flood(socket) } : flood,
    );
    await using client = await rawHandshake(server.port);
    client.pause();
    const [count, error] = await full;
    assert(error instanceof DOMException && error.name === "InvalidStateError", `${error}`);
    const socket = await server.socket;
    assertEquals(socket.readyState, 2);
    assert(socket.bufferedAmount <= 1_200_100, `${socket.bufferedAmount} bytes`);
    // A client that reads later gets the data that was queued, and the Close.
    client.resume();
    for (let i = 0; i < count; i++) {
      await assertFrame(client, 2, new Uint8Array(500_000).fill(i));
    }
    await assertFrame(client, 8, "03 f5");
    await client.end(closeFrame(1013));
    assertEquals((await server.closed).wasClean, true);
  });
}
