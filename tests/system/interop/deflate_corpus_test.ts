// A corpus goes through `ws` and back with every combination of permessage-deflate's four parameters,
// in both roles, requested by either end.
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import { connect } from "../../../mod.ts";
import type { PerMessageDeflateOptions, WebSocketConnection } from "../../../mod.ts";
import { parseExtensions } from "../../../src/handshake/extensions_header.ts";
import { assert, assertEquals, canRun, deadline, run, spawn, testIf } from "../../harness.ts";
import { corpus } from "../../extensions/deflate_helpers.ts";
import { random } from "../../protocol/frames.ts";
import { serving } from "../../support/server.ts";

const SCRIPT = fileURLToPath(new URL("./peers/ws_deflate.mjs", import.meta.url));
const MIB = 1024 * 1024;
const LIMITS = { maxMessageSize: 8 * MIB };
/** How long all of the combinations may take, in milliseconds. */
const PATIENCE = 50_000;

/** The parameters that one end requests. */
type Asked = Pick<
  PerMessageDeflateOptions,
  | "serverNoContextTakeover"
  | "clientNoContextTakeover"
  | "serverMaxWindowBits"
  | "clientMaxWindowBits"
>;

const BITS = [undefined, 9, 12, 15];
const COMBINATIONS: readonly Asked[] = [false, true].flatMap((serverNoContextTakeover) =>
  [false, true].flatMap((clientNoContextTakeover) =>
    BITS.flatMap((serverBits) =>
      BITS.map((clientBits): Asked => ({
        serverNoContextTakeover,
        clientNoContextTakeover,
        ...(serverBits === undefined ? {} : { serverMaxWindowBits: serverBits }),
        ...(clientBits === undefined ? {} : { clientMaxWindowBits: clientBits }),
      }))
    )
  )
);

/** Returns `count` sizes from `least` to `most`. */
function sizes(count: number, least: number, most: number): number[] {
  const next = random(count + most);
  return Array.from({ length: count }, () => least + next() % (most - least + 1));
}

const small = corpus(1, [0, 0, 1, 1, 2, ...sizes(18, 0, 200), ...sizes(15, 200, 10_000)]);
const medium = corpus(2, [65_535, 65_536, ...sizes(10, 10_000, 100_000)]);
const large = corpus(3, [...sizes(8, 100_000, MIB), MIB, 3 * MIB, 4 * MIB, 4 * MIB]);

/** The part of the corpus that goes through one combination; each message goes through several. */
function messagesFor(index: number): (string | Uint8Array)[] {
  const take = <T>(from: T[], count: number) =>
    Array.from({ length: count }, (_, i) => from[(index * count + i) % from.length]!);
  const messages = [...take(small, 12), ...take(medium, 2)];
  if (index % 4 === 0) messages.push(large[(index / 4) % large.length]!, ...take(small, 3));
  return messages;
}

/** Sends the messages, and compares their echoes. */
async function roundTrip(socket: WebSocketConnection, index: number): Promise<void> {
  const messages = messagesFor(index);
  const sending = (async () => {
    for (const message of messages) await socket.send(message);
  })();
  let count = 0;
  for await (const message of socket) {
    const expected = messages[count]!;
    const isSame = typeof message === "string" || typeof expected === "string"
      ? message === expected
      : Buffer.compare(message, expected) === 0;
    assert(isSame, `message ${count} is another`);
    if (++count === messages.length) break;
  }
  await sending;
  assertEquals(count, messages.length);
}

/** Asserts that the agreement has the requested parameters. */
function assertAgreed({ extensions }: WebSocketConnection, asked: Asked): void {
  const [agreed] = parseExtensions(extensions);
  assertEquals(agreed?.name, "permessage-deflate");
  const params = new Map(agreed!.params);
  if (asked.serverNoContextTakeover) assert(params.has("server_no_context_takeover"), extensions);
  if (asked.clientNoContextTakeover) assert(params.has("client_no_context_takeover"), extensions);
  for (const end of ["server", "client"] as const) {
    const limit = asked[`${end}MaxWindowBits`] ?? 15;
    const bits = Number(params.get(`${end}_max_window_bits`) ?? 15);
    assert(bits <= limit, extensions);
  }
}

/** The end that requests the parameters. */
const ASKERS = ["we", "ws"] as const;

for (const asker of ASKERS) {
  testIf(canRun("node"), `a corpus goes through ws as a client, where ${asker} ask`, async () => {
    const failures: unknown[] = [];
    let done = 0;
    const jobs = COMBINATIONS.map((asked, index) => {
      const { url } = serving(async (socket) => {
        try {
          assertAgreed(socket, asked);
          await roundTrip(socket, index);
          done++;
        } catch (error) {
          failures.push(new Error(JSON.stringify(asked), { cause: error }));
        }
      }, { limits: LIMITS, compression: { threshold: 0, ...(asker === "we" ? asked : {}) } });
      return [url, asker === "ws" ? asked : {}];
    });
    const running = run("node", [SCRIPT, "client"], { input: JSON.stringify(jobs) });
    const { code, stderr } = await deadline(running, PATIENCE, "all combinations");
    assertEquals([failures, code, stderr], [[], 0, ""]);
    assertEquals(done, COMBINATIONS.length);
  });

  testIf(canRun("node"), `a corpus goes through ws as a server, where ${asker} ask`, async () => {
    const server = spawn("node", [SCRIPT]);
    const [, port] = await server.waitForLine(/^listening on (\d+)$/);
    for (const [index, asked] of COMBINATIONS.entries()) {
      const query = encodeURIComponent(JSON.stringify(asker === "ws" ? asked : {}));
      const socket = await connect(`ws://127.0.0.1:${port}/?${query}`, {
        limits: LIMITS,
        // `ws` answers with its own window, whatever is offered, so the largest is offered.
        compression: { threshold: 0, ...(asker === "we" ? asked : { clientMaxWindowBits: 15 }) },
      });
      assertAgreed(socket, asked);
      await deadline(roundTrip(socket, index), 20_000, JSON.stringify(asked));
      assertEquals((await socket.close(1000)).wasClean, true);
    }
  });
}
