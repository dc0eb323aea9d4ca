import { fileURLToPath } from "node:url";
import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import { acceptOffers, acceptResponses, PerMessageDeflate } from "@sluice/websocket/extensions";
import type { ExtensionAgreement, PerMessageDeflateOptions } from "@sluice/websocket/extensions";
import { parseExtensions, serializeExtensions } from "../../src/handshake/extensions_header.ts";
import { Opcode } from "../../src/protocol/opcode.ts";
import { assert, assertEquals, canRun, run, testIf } from "../harness.ts";
import { sameBytes } from "../protocol/frames.ts";
import { utf8 } from "../support/bytes.ts";
import { compressed, corpus, Receiver, sendAll, toFrames } from "./deflate_helpers.ts";

const SCRIPT = fileURLToPath(new URL("./ws_codec.mjs", import.meta.url));
const SIZES = [1, 20, 300, 1024, 5000, 65536, 100_000, 10, 2000];

interface Job {
  isServer: boolean;
  options: object;
  header?: string;
  messages?: string[];
}
interface Result {
  sends: string;
  plain: string[];
  compressed: string[];
}

async function ws(jobs: Job[]): Promise<Result[]> {
  const { code, stdout, stderr } = await run("node", [SCRIPT], { input: JSON.stringify(jobs) });
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout);
}

/** Every combination of the context options of both ends, with some windows. */
const combinations: PerMessageDeflateOptions[] = [];
for (const serverNoContextTakeover of [false, true]) {
  for (const clientNoContextTakeover of [false, true]) {
    for (const [serverMaxWindowBits, clientMaxWindowBits] of [[9, 15], [15, 9], [12, 12]]) {
      combinations.push({
        serverNoContextTakeover,
        clientNoContextTakeover,
        serverMaxWindowBits: serverMaxWindowBits!,
        clientMaxWindowBits: clientMaxWindowBits!,
      });
    }
  }
}

/** Sends the corpus to `ws` and back. */
async function exchange(
  jobs: Job[],
  agreements: ExtensionAgreement[],
  wsIs: string,
): Promise<void> {
  const messages = corpus(5, SIZES).map((m) => typeof m === "string" ? utf8(m) : m);
  const ends = agreements.map((agreement) => agreement.use());
  const results = await ws(jobs.map((job, i) => ({
    ...job,
    messages: messages.map((message) =>
      encodeBase64(sendAll(ends[i]!, toFrames(message))[0]!.payload!)
    ),
  })));
  for (const [i, { plain, compressed: again }] of results.entries()) {
    const what = `${wsIs}, ${JSON.stringify(combinations[i])}`;
    const receiver = new Receiver(ends[i]!);
    for (const [j, message] of messages.entries()) {
      assert(sameBytes(decodeBase64(plain[j]!), message), `to the ${what}: message ${j}`);
      receiver.take(compressed([decodeBase64(again[j]!)], Opcode.Binary));
      assert(sameBytes(receiver.messages[j] as Uint8Array, message), `from the ${what}: ${j}`);
    }
    ends[i]!.close();
  }
}

testIf(
  canRun("node"),
  "PerMessageDeflate as a client exchanges a corpus with ws as a server",
  async () => {
    const own = combinations.map((
      options,
    ) => [new PerMessageDeflate({ threshold: 0, ...options })]);
    const jobs = own.map(([extension]) => ({
      isServer: true,
      options: {},
      header: serializeExtensions(extension!.offers()),
    }));
    const agreements = (await ws(jobs)).map(({ sends }, i) =>
      acceptResponses(own[i]!, parseExtensions(sends))[0]!
    );
    await exchange(jobs, agreements, "server");
  },
);

testIf(
  canRun("node"),
  "PerMessageDeflate as a server exchanges a corpus with ws as a client",
  async () => {
    const jobs: Job[] = combinations.map((options) => ({ isServer: false, options }));
    const agreements = (await ws(jobs)).map(({ sends }, i) => {
      const [agreement] = acceptOffers(
        [new PerMessageDeflate({ threshold: 0, ...combinations[i] })],
        parseExtensions(sends),
      );
      jobs[i]!.header = serializeExtensions([agreement!.response]);
      return agreement!;
    });
    await exchange(jobs, agreements, "client");
  },
);
