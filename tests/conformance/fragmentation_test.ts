// RFC 6455 §5.4: fragmentation.
import { test } from "../harness.ts";
import { closeFrame, frame } from "../support/frames.ts";
import type { FrameParts } from "../support/frames.ts";
import { join } from "../support/bytes.ts";
import { rawHandshake } from "./raw_client.ts";
import { assertClosing, assertFailed, assertFrame, echo, FORMS } from "./servers.ts";

const utf8 = new TextEncoder();

/** Returns a data frame with this opcode, FIN and text. */
type Row = [opcode: number, fin: boolean, payload: string];

function frames(rows: Row[]): Uint8Array {
  return join(...rows.map(([opcode, fin, payload]) => frame({ opcode, fin, payload })));
}

interface Message {
  name: string;
  rows: Row[];
  opcode: number;
  payload: string;
}

const messages: Message[] = [
  {
    name: "two fragments",
    rows: [[1, false, "Hel"], [0, true, "lo"]],
    opcode: 1,
    payload: "Hello",
  },
  {
    name: "three binary fragments",
    rows: [[2, false, "a"], [0, false, "b"], [0, true, "c"]],
    opcode: 2,
    payload: "abc",
  },
  {
    name: "an empty first fragment",
    rows: [[1, false, ""], [0, true, "x"]],
    opcode: 1,
    payload: "x",
  },
  {
    name: "an empty last fragment",
    rows: [[1, false, "x"], [0, true, ""]],
    opcode: 1,
    payload: "x",
  },
  {
    name: "an empty fragment in the middle",
    rows: [[2, false, "x"], [0, false, ""], [0, true, "y"]],
    opcode: 2,
    payload: "xy",
  },
  {
    name: "nothing but empty text fragments",
    rows: [[1, false, ""], [0, false, ""], [0, true, ""]],
    opcode: 1,
    payload: "",
  },
  {
    name: "nothing but empty binary fragments",
    rows: [[2, false, ""], [0, true, ""]],
    opcode: 2,
    payload: "",
  },
  {
    name: "a fragment for each byte",
    rows: [..."fragmented"].map((letter, i, all) => [
      i === 0 ? 1 : 0,
      i === all.length - 1,
      letter,
    ]),
    opcode: 1,
    payload: "fragmented",
  },
  {
    name: "fragments of all three length forms",
    rows: [[2, false, "a".repeat(125)], [0, false, "b".repeat(126)], [0, true, "c".repeat(65536)]],
    opcode: 2,
    payload: "a".repeat(125) + "b".repeat(126) + "c".repeat(65536),
  },
];

for (const form of FORMS) {
  for (const { name, rows, opcode, payload } of messages) {
    // RFC 6455 §5.4: "Message fragments MUST be delivered to the recipient in the order sent by the
    // sender."
    test(`RFC 6455 §5.4: ${name} make one message (${form})`, async () => {
      await using server = echo(form);
      await using client = await rawHandshake(server.port);
      await client.write(frames(rows));
      await assertFrame(client, opcode, utf8.encode(payload));
      for (const row of rows) await client.write(frames([row]));
      await assertFrame(client, opcode, utf8.encode(payload));
      await client.write(closeFrame(1000));
      await assertClosing(client, 1000);
    });
  }

  // RFC 6455 §5.4: "Control frames MAY be injected in the middle of a fragmented message."
  test(`RFC 6455 §5.4: a Ping between fragments is answered before the message ends (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await client.write(frames([[1, false, "Hel"]]));
    await client.write(frame({ opcode: 9, payload: "now" }));
    await assertFrame(client, 10, utf8.encode("now"));
    await client.write(join(frame({ opcode: 10, payload: "unasked" }), frame({ opcode: 9 })));
    await assertFrame(client, 10, "");
    await client.write(frames([[0, true, "lo"]]));
    await assertFrame(client, 1, utf8.encode("Hello"));
  });

  test(`RFC 6455 §5.4: Pings between fragments of one segment are answered first (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    const ping = (payload: string) => frame({ opcode: 9, payload });
    await client.write(join(
      frames([[2, false, "a"]]),
      ping("1"),
      frames([[0, false, "b"]]),
      ping("2"),
      frames([[0, true, "c"]]),
    ));
    await assertFrame(client, 10, utf8.encode("1"));
    await assertFrame(client, 10, utf8.encode("2"));
    await assertFrame(client, 2, utf8.encode("abc"));
  });

  // RFC 6455 §5.5.1: a Close may be sent wherever a control frame may.
  test(`RFC 6455 §5.4: a Close between fragments is answered, the message is dropped (${form})`, async () => {
    await using server = echo(form);
    await using client = await rawHandshake(server.port);
    await client.write(join(frames([[1, false, "Hel"]]), closeFrame(1000)));
    await assertClosing(client, 1000);
  });
}

interface Refusal {
  name: string;
  rule: string;
  /** Valid frames. */
  before: Row[];
  /** The first byte of an invalid frame. */
  wrong: string;
}

const CONTINUES = "A fragmented message consists of a single frame with the FIN bit clear and an " +
  "opcode other than 0, followed by zero or more frames with the FIN bit clear and the opcode set to 0";
const INTERLEAVED =
  "The fragments of one message MUST NOT be interleaved between the fragments of " +
  "another message unless an extension has been negotiated that can interpret the interleaving.";

const refusals: Refusal[] = [
  { name: "a final Continuation of nothing", rule: CONTINUES, before: [], wrong: "80" },
  { name: "a Continuation of nothing", rule: CONTINUES, before: [], wrong: "00" },
  {
    name: "a Continuation after a whole message",
    rule: CONTINUES,
    before: [[1, true, "whole"]],
    wrong: "80",
  },
  {
    name: "a Continuation after the last fragment",
    rule: CONTINUES,
    before: [[2, false, "a"], [0, true, "b"]],
    wrong: "00",
  },
  {
    name: "a whole text between text fragments",
    rule: INTERLEAVED,
    before: [[1, false, "a"]],
    wrong: "81",
  },
  {
    name: "a whole binary between text fragments",
    rule: INTERLEAVED,
    before: [[1, false, "a"]],
    wrong: "82",
  },
  {
    name: "a whole text between binary fragments",
    rule: INTERLEAVED,
    before: [[2, false, "a"]],
    wrong: "81",
  },
  {
    name: "a first text fragment after a first text fragment",
    rule: INTERLEAVED,
    before: [[1, false, "a"]],
    wrong: "01",
  },
  {
    name: "a first binary fragment after two text fragments",
    rule: INTERLEAVED,
    before: [[1, false, "a"], [0, false, "b"]],
    wrong: "02",
  },
  {
    name: "a text after an empty first fragment",
    rule: INTERLEAVED,
    before: [[2, false, ""]],
    wrong: "81",
  },
];

for (const { name, before, wrong } of refusals) {
  const echoed = before.filter(([, fin]) => fin);
  const text = utf8.encode(before.map(([, , payload]) => payload).join(""));
  for (const form of FORMS) {
    test(`RFC 6455 §5.4: ${name} is refused with 1002 at its first byte (${form})`, async () => {
      await using server = echo(form);
      await using client = await rawHandshake(server.port);
      if (before.length > 0) await client.write(frames(before));
      if (echoed.length > 0) await assertFrame(client, before[0]![0], text);
      await client.write(wrong);
      await assertFailed(server, client, 1002);
    });
  }
  test(`RFC 6455 §5.4: ${name} is refused with 1002 after a Ping between them`, async () => {
    await using server = echo("callbacks");
    await using client = await rawHandshake(server.port);
    const wrongFrame: FrameParts = {
      opcode: parseInt(wrong, 16) & 15,
      fin: wrong.startsWith("8"),
      payload: "wrong",
    };
    await client.write(join(frames(before), frame({ opcode: 9, payload: "p" }), frame(wrongFrame)));
    if (echoed.length > 0) await assertFrame(client, before[0]![0], text);
    await assertFrame(client, 10, utf8.encode("p"));
    await assertFailed(server, client, 1002);
  });
}
