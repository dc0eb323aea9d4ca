import { PerMessageDeflate } from "@sluice/websocket/extensions";
import type { PerMessageDeflateOptions } from "@sluice/websocket/extensions";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { parseExtensions, serializeExtensions } from "../../src/handshake/extensions_header.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";

function response(params: string) {
  return parseExtensions(`permessage-deflate${params && `; ${params}`}`)[0]!;
}

const SNCT = "server_no_context_takeover";
const CNCT = "client_no_context_takeover";
const SMWB = "server_max_window_bits";
const CMWB = "client_max_window_bits";

const offers: [options: PerMessageDeflateOptions, offers: string][] = [
  // The last of several is the plain one.
  [
    {},
    `permessage-deflate; ${SMWB}=12; ${CMWB}=12, permessage-deflate; ${CMWB}=12, permessage-deflate`,
  ],
  [
    { offers: "all", clientMaxWindowBits: 15 },
    `permessage-deflate; ${SMWB}=12; ${CMWB}, permessage-deflate; ${CMWB}, permessage-deflate`,
  ],
  [{ offers: "limited" }, `permessage-deflate; ${SMWB}=12; ${CMWB}=12`],
  [{ offers: "plain" }, "permessage-deflate"],
  [{ serverMaxWindowBits: 15 }, `permessage-deflate; ${CMWB}=12`],
  [{ serverMaxWindowBits: 15, clientMaxWindowBits: 15 }, `permessage-deflate; ${CMWB}`],
  [{ serverMaxWindowBits: 15, offers: "plain" }, "permessage-deflate"],
  [{ serverMaxWindowBits: 10, offers: "plain" }, `permessage-deflate; ${SMWB}=10`],
  [
    { clientMaxWindowBits: 9, serverNoContextTakeover: true, offers: "plain" },
    `permessage-deflate; ${SNCT}`,
  ],
  [
    { serverNoContextTakeover: true },
    `permessage-deflate; ${SNCT}; ${SMWB}=12; ${CMWB}=12, permessage-deflate; ${SNCT}; ${CMWB}=12, ` +
    `permessage-deflate; ${SNCT}`,
  ],
  [{ serverMaxWindowBits: 8 }, `permessage-deflate; ${SMWB}=8; ${CMWB}=12`],
  [
    { serverMaxWindowBits: 10, clientMaxWindowBits: 15 },
    `permessage-deflate; ${SMWB}=10; ${CMWB}`,
  ],
  [
    { serverMaxWindowBits: 10, clientMaxWindowBits: 9, serverNoContextTakeover: true },
    `permessage-deflate; ${SNCT}; ${SMWB}=10; ${CMWB}=9`,
  ],
  [
    { clientNoContextTakeover: true },
    `permessage-deflate; ${CNCT}; ${SMWB}=12; ${CMWB}=12, permessage-deflate; ${CNCT}; ${CMWB}=12, ` +
    `permessage-deflate`,
  ],
];

for (const [options, expected] of offers) {
  test(`PerMessageDeflate ${JSON.stringify(options)} offers "${expected}"`, () => {
    assertEquals(serializeExtensions(new PerMessageDeflate(options).offers()), expected);
  });
}

const good: [params: string, options?: PerMessageDeflateOptions][] = [
  // The second offer has no "server_max_window_bits".
  [""],
  [`${SMWB}=15`],
  [`${SMWB}=12`],
  [`${SMWB}="9"`],
  [`${SMWB}=8`],
  [CNCT],
  [SNCT],
  [`${CMWB}=12`],
  [`${CMWB}=8`],
  // RFC 7692 §7.1.2.2: the value of an offer is a hint; that of the response may be greater.
  [`${CMWB}=13`],
  [`${CMWB}=15`],
  [`${CMWB}=10`, { clientMaxWindowBits: 9 }],
  ["", { serverMaxWindowBits: 15 }],
  [`${SMWB}=15`, { serverMaxWindowBits: 15 }],
  ["", { offers: "plain" }],
  [`${SMWB}=15`, { offers: "plain" }],
  [`${CMWB}=15`, { clientMaxWindowBits: 15 }],
  [`${SMWB}=10`, { serverMaxWindowBits: 10 }],
  [`${SMWB}=9`, { serverMaxWindowBits: 10 }],
  [`${SNCT}`, { serverNoContextTakeover: true }],
  [`${SNCT}; ${CNCT}; ${SMWB}=9; ${CMWB}=9`, { serverNoContextTakeover: true }],
];

for (const [params, options] of good) {
  test(`PerMessageDeflate ${JSON.stringify(options) ?? ""} accepts the response "${params}"`, () => {
    const agreement = new PerMessageDeflate(options).acceptResponse(response(params));
    assertEquals(agreement.response, response(params));
    agreement.use().close();
  });
}

/** RFC 7692 §7: a client must fail the connection on each of these. */
const bad: [params: string, why: string, options?: PerMessageDeflateOptions][] = [
  ["unknown", 'unknown parameter or value: "unknown"'],
  ["unknown=1", 'unknown parameter or value: "unknown", "1"'],
  [`${SNCT}; ${SNCT}`, `parameter ${SNCT} is there twice`],
  [`${SMWB}=9; ${SMWB}=10`, `parameter ${SMWB} is there twice`],
  [`${SNCT}=1`, `unknown parameter or value: "${SNCT}", "1"`],
  [`${CNCT}=true`, `unknown parameter or value: "${CNCT}", "true"`],
  [SMWB, `unknown parameter or value: "${SMWB}"`],
  [CMWB, `unknown parameter or value: "${CMWB}"`],
  ...["0", "7", "16", "010", "true"].flatMap((bits): [string, string][] =>
    [SMWB, CMWB].map((name) => [
      `${name}=${bits}`,
      `unknown parameter or value: "${name}", "${bits}"`,
    ])
  ),
  // Valid parameters that do not match the offers.
  ["", "its parameters answer no offer", { offers: "limited" }],
  [`${SMWB}=13`, "its parameters answer no offer", { offers: "limited" }],
  [`${CMWB}=12`, "its parameters answer no offer", { offers: "plain" }],
  ["", "its parameters answer no offer", { serverNoContextTakeover: true }],
  ["", "its parameters answer no offer", { serverMaxWindowBits: 14 }],
  [`${SMWB}=11`, "its parameters answer no offer", { serverMaxWindowBits: 10 }],
];

for (const [params, why, options] of bad) {
  test(`PerMessageDeflate ${JSON.stringify(options) ?? ""} rejects the response "${params}"`, () => {
    const extension = new PerMessageDeflate(options);
    const error = assertThrows(() => extension.acceptResponse(response(params)), ProtocolError);
    assertEquals(error.code, "ERR_EXTENSION");
    assertEquals(
      error.message,
      `Cannot use extension "permessage-deflate" of the server's response: ${why}`,
    );
  });
}

test("PerMessageDeflate whose server allows a window of 8 sends everything as it is", () => {
  const agreement = new PerMessageDeflate({ threshold: 0 }).acceptResponse(response(`${CMWB}=8`));
  const deflate = agreement.use();
  assert(!deflate.changes(10_000));
  const frame = { opcode: 2 as const, payload: new Uint8Array(10_000) };
  deflate.send(frame, { enqueue: (sent) => assertEquals(sent, frame) });
  deflate.close();
});

const outOfRange: [PerMessageDeflateOptions, string][] = [
  [{ serverMaxWindowBits: 7 }, "option serverMaxWindowBits: expected an integer, 8 to 15, got 7"],
  [{ clientMaxWindowBits: 16 }, "option clientMaxWindowBits: expected an integer, 8 to 15, got 16"],
  [{ level: -1 }, "option level: expected an integer, 0 to 9, got -1"],
  [{ level: 1.5 }, "option level: expected an integer, 0 to 9, got 1.5"],
  [{ memLevel: 0 }, "option memLevel: expected an integer, 1 to 9, got 0"],
  [{ memLevel: 10 }, "option memLevel: expected an integer, 1 to 9, got 10"],
  [{ threshold: -1 }, "option threshold: expected a number, 0 or more, got -1"],
  [{ threshold: NaN }, "option threshold: expected a number, 0 or more, got NaN"],
];

for (const [options, text] of outOfRange) {
  test(`PerMessageDeflate rejects ${text}`, () => {
    const error = assertThrows(() => new PerMessageDeflate(options), RangeError);
    assertEquals(error.message, `Cannot use ${text}`);
  });
}

test("PerMessageDeflate rejects an unknown value of the option offers", () => {
  const error = assertThrows(
    () => new PerMessageDeflate({ offers: "none" as unknown as "plain" }),
    TypeError,
  );
  assertEquals(
    error.message,
    'Cannot use option offers: expected "all", "limited" or "plain", got "none"',
  );
});
