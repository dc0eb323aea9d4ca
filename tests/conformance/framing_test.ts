// RFC 6455 §5.1 to §5.3: the frame, its bits, its length and its mask.
import { hex, test } from "../harness.ts";
import { closeFrame, frame } from "../support/frames.ts";
import { join } from "../support/bytes.ts";
import { rawHandshake } from "./raw_client.ts";
import { assertClosing, assertFailed, assertFrame, echo, FORMS } from "./servers.ts";

/** A frame that must fail the connection. */
const LATER = frame({ opcode: 1, payload: "later" });

interface Refusal {
  section: string;
  name: string;
  /** The quoted clause of the RFC. */
  rule: string;
  /** The bytes up to the first one that proves the frame invalid, in hex. */
  send: string;
  /** The remaining bytes of the frame, in hex. */
  rest?: string;
  code: number;
}

const RSV = "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values";
const OPCODE = "If an unknown opcode is received, the receiving endpoint MUST _Fail the " +
  "WebSocket Connection_.";
const MASK = "The server MUST close the connection upon receiving a frame that is not masked.";
const MINIMAL = "the minimal number of bytes MUST be used to encode the length";
const SIGN = "the most significant bit MUST be 0";
const TOO_BIG = "1009 indicates that an endpoint is terminating the connection because it has " +
  "received a message that is too big for it to process.";

const REST = "80 00 00 00 00";

/** First bytes with each combination of RSV1, RSV2 and RSV3 in which at least one bit is set. */
const rsv: Refusal[] = [1, 2, 3, 4, 5, 6, 7].flatMap((bits) =>
  [0x81, 0x82, 0x01, 0x88, 0x89, 0x8a].map((first) => ({
    section: "5.2",
    name: `RSV ${bits.toString(2).padStart(3, "0")} with first byte ${first.toString(16)}`,
    rule: RSV,
    send: (first | bits << 4).toString(16),
    rest: REST,
    code: 1002,
  }))
);

const opcodes: Refusal[] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) =>
  [0x80, 0x00].map((fin) => ({
    section: "5.2",
    name: `reserved opcode ${opcode.toString(16)} ${fin === 0 ? "without" : "with"} FIN`,
    rule: OPCODE,
    send: (fin | opcode).toString(16).padStart(2, "0"),
    rest: REST,
    code: 1002,
  }))
);

const unmasked: Refusal[] = [
  ["an empty text frame", "81 00"],
  ["RFC 6455 §5.7's unmasked Hello", "81 05", "48 65 6c 6c 6f"],
  ["a binary frame", "82 01", "00"],
  ["a fragment", "01 01", "61"],
  ["a 16-bit length", "82 7e", "00 7e"],
  ["a 64-bit length", "82 7f", "00 00 00 00 00 01 00 00"],
  ["a Close", "88 02", "03 e8"],
  ["a Ping", "89 00"],
  ["a Pong", "8a 00"],
].map(([name, send, rest = ""]) => ({
  section: "5.1",
  name: `${name} that is not masked`,
  rule: MASK,
  send: send!,
  rest,
  code: 1002,
}));

const lengths: Refusal[] = [
  { name: "a 16-bit length of 0", send: "82 fe 00 00", rule: MINIMAL, code: 1002 },
  { name: "a 16-bit length of 1", send: "81 fe 00 01", rule: MINIMAL, code: 1002 },
  { name: "a 16-bit length of 125", send: "82 fe 00 7d", rule: MINIMAL, code: 1002 },
  {
    name: "a 64-bit length of 0",
    send: "82 ff 00 00 00 00 00 00",
    rest: "00 00",
    rule: MINIMAL,
    code: 1002,
  },
  {
    name: "a 64-bit length of 125",
    send: "81 ff 00 00 00 00 00 00",
    rest: "00 7d",
    rule: MINIMAL,
    code: 1002,
  },
  {
    name: "a 64-bit length of 126",
    send: "82 ff 00 00 00 00 00 00",
    rest: "00 7e",
    rule: MINIMAL,
    code: 1002,
  },
  {
    name: "a 64-bit length of 65535",
    send: "01 ff 00 00 00 00 00 00",
    rest: "ff ff",
    rule: MINIMAL,
    code: 1002,
  },
  {
    name: "a 64-bit length with the sign bit",
    send: "82 ff 80",
    rest: "00 00 00 00 00 00 00",
    rule: SIGN,
    code: 1002,
  },
  {
    name: "a 64-bit length of all ones",
    send: "82 ff ff",
    rest: "ff ff ff ff ff ff ff",
    rule: SIGN,
    code: 1002,
  },
  { name: "a length of 2^63-1", send: "82 ff 7f", rest: "ff ff ff", rule: TOO_BIG, code: 1009 },
  { name: "a length of 2^53", send: "82 ff 00 20", rest: "00 00", rule: TOO_BIG, code: 1009 },
  {
    name: "a length of 2^53-1",
    send: "82 ff 00 1f ff ff ff ff ff ff 00 00 00 00",
    rule: TOO_BIG,
    code: 1009,
  },
  {
    name: "a length of 2^32",
    send: "82 ff 00 00 00 01 00 00 00 00 00 00 00 00",
    rule: TOO_BIG,
    code: 1009,
  },
  {
    name: "a length of 1 MiB and 1",
    send: "81 ff 00 00 00 00 00 10 00 01 00 00 00 00",
    rule: TOO_BIG,
    code: 1009,
  },
].map((row) => ({ section: row.code === 1009 ? "7.4.1" : "5.2", ...row }));

for (
  const { section, name, send, rest = "", code } of [...rsv, ...opcodes, ...unmasked, ...lengths]
) {
  test(`RFC 6455 §${section}: ${name} is refused with ${code} at its first wrong byte`, async () => {
    for (const form of FORMS) {
      await using server = echo(form);
      await using client = await rawHandshake(server.port);
      await client.write(send);
      await assertFailed(server, client, code);
    }
  });
  test(`RFC 6455 §${section}: ${name} is refused with ${code}, between other frames`, async () => {
    await using server = echo("callbacks");
    await using client = await rawHandshake(server.port);
    const before = frame({ opcode: 2, payload: hex("01 02") });
    await client.write(join(before, send, rest, LATER, closeFrame(1000)));
    await assertFrame(client, 2, "01 02");
    await assertFailed(server, client, code);
  });
}

const SIZES = [0, 1, 125, 126, 127, 65535, 65536, 65537, 1024 * 1024];

for (const form of FORMS) {
  for (const size of SIZES) {
    // RFC 6455 §5.2: "the minimal number of bytes MUST be used to encode the length".
    test(`RFC 6455 §5.2: ${size} bytes come back whole and minimal (${form})`, async () => {
      await using server = echo(form);
      await using client = await rawHandshake(server.port);
      const payload = Uint8Array.from({ length: size }, (_, i) => i * 7);
      await client.write(frame({ opcode: 2, payload }));
      await assertFrame(client, 2, payload);
      const text = "x".repeat(size);
      await client.write(frame({ opcode: 1, payload: text }));
      await assertFrame(client, 1, new TextEncoder().encode(text));
      await client.write(closeFrame(1000));
      await assertClosing(client, 1000);
    });
  }
}

for (const size of [0, 5, 126]) {
  test(`RFC 6455 §5.2: a frame of ${size} bytes is read byte by byte`, async () => {
    await using server = echo("callbacks");
    await using client = await rawHandshake(server.port);
    const payload = Uint8Array.from({ length: size }, (_, i) => i);
    await client.writeBytewise(frame({ opcode: 2, payload }));
    await assertFrame(client, 2, payload);
  });
}

// RFC 6455 §5.3: "The masking key needs to be unpredictable". The server accepts any key.
for (const mask of ["00 00 00 00", "ff ff ff ff", "00 00 00 01", "80 00 00 00", "37 fa 21 3d"]) {
  test(`RFC 6455 §5.3: a payload masked with ${mask} is unmasked, at every alignment`, async () => {
    await using server = echo("for await");
    await using client = await rawHandshake(server.port);
    for (const size of [1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 1000, 1001, 1002, 1003]) {
      const payload = Uint8Array.from({ length: size }, (_, i) => i * 31);
      await client.write(frame({ opcode: 2, payload, mask }));
      await assertFrame(client, 2, payload);
    }
  });
}

test("RFC 6455 §5.3: a long payload is unmasked however TCP cuts it", async () => {
  await using server = echo("callbacks");
  await using client = await rawHandshake(server.port);
  const payload = Uint8Array.from({ length: 1000 }, (_, i) => i * 31);
  const bytes = frame({ opcode: 2, payload });
  for (const piece of [1, 2, 3, 5, 6, 7, 9, 11, 13, 100, 331]) {
    for (let i = 0; i < bytes.length; i += piece * 8) {
      await client.write(bytes.subarray(i, i + piece));
      await client.write(bytes.subarray(i + piece, i + piece * 8));
    }
    await assertFrame(client, 2, payload);
  }
});

test("RFC 6455 §5.3: each frame of a segment has a masking key of its own", async () => {
  await using server = echo("callbacks");
  await using client = await rawHandshake(server.port);
  const keys = ["01 02 03 04", "f1 02 f3 04", "00 00 00 00"];
  await client.write(
    join(...keys.map((mask) => frame({ opcode: 2, payload: hex("aabbcc"), mask }))),
  );
  for (const _ of keys) await assertFrame(client, 2, "aa bb cc");
});
