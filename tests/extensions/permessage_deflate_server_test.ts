import { PerMessageDeflate } from "@sluice/websocket/extensions";
import type { ExtensionOffer, PerMessageDeflateOptions } from "@sluice/websocket/extensions";
import { parseExtensions, serializeExtensions } from "../../src/handshake/extensions_header.ts";
import { assertEquals, test } from "../harness.ts";

/** Returns the parameters of the server's response; `undefined` if it declines. */
function answer(offer: string, options?: PerMessageDeflateOptions): string | undefined {
  const [parsed] = parseExtensions(`permessage-deflate${offer && `; ${offer}`}`);
  const agreement = new PerMessageDeflate(options).acceptOffer(parsed!);
  if (agreement === undefined) return undefined;
  return serializeExtensions([agreement.response]).replace(/^permessage-deflate(; )?/, "");
}

const SNCT = "server_no_context_takeover";
const CNCT = "client_no_context_takeover";
const SMWB = "server_max_window_bits";
const CMWB = "client_max_window_bits";

/** RFC 7692 §7.1.1 and §7.1.2: the offer, the server's options, and the response. */
const accepted: [offer: string, options: PerMessageDeflateOptions, response: string][] = [
  ["", {}, `${SMWB}=12`],
  ["", { serverMaxWindowBits: 15 }, ""],
  ["", { serverMaxWindowBits: 9 }, `${SMWB}=9`],
  ["", { announceServerMaxWindowBits: false }, ""],
  ["", { announceServerMaxWindowBits: false, serverMaxWindowBits: 9 }, ""],
  [`${SMWB}=10`, { announceServerMaxWindowBits: false }, `${SMWB}=10`],
  [`${SMWB}=15`, { announceServerMaxWindowBits: false }, `${SMWB}=12`],
  [`${SNCT}; ${CMWB}`, { announceServerMaxWindowBits: false }, `${SNCT}; ${CMWB}=12`],
  ["", { serverNoContextTakeover: true }, `${SNCT}; ${SMWB}=12`],
  ["", { clientNoContextTakeover: true }, `${CNCT}; ${SMWB}=12`],
  [SNCT, {}, `${SNCT}; ${SMWB}=12`],
  [CNCT, {}, `${CNCT}; ${SMWB}=12`],
  [`${CNCT}; ${SNCT}`, { serverMaxWindowBits: 15 }, `${SNCT}; ${CNCT}`],
  [`${SMWB}=15`, { serverMaxWindowBits: 15 }, `${SMWB}=15`],
  [`${SMWB}=15`, {}, `${SMWB}=12`],
  [`${SMWB}=10`, {}, `${SMWB}=10`],
  [`${SMWB}=10`, { serverMaxWindowBits: 15 }, `${SMWB}=10`],
  [`${SMWB}=9`, {}, `${SMWB}=9`],
  [`${SMWB}="10"`, {}, `${SMWB}=10`],
  [CMWB, {}, `${SMWB}=12; ${CMWB}=12`],
  [CMWB, { clientMaxWindowBits: 8 }, `${SMWB}=12; ${CMWB}=8`],
  [CMWB, { clientMaxWindowBits: 15, serverMaxWindowBits: 15 }, `${CMWB}=15`],
  [`${CMWB}=8`, {}, `${SMWB}=12; ${CMWB}=8`],
  [`${CMWB}=10`, {}, `${SMWB}=12; ${CMWB}=10`],
  [`${CMWB}=10`, { clientMaxWindowBits: 9 }, `${SMWB}=12; ${CMWB}=9`],
  [`${CMWB}=15`, {}, `${SMWB}=12; ${CMWB}=12`],
  ["", { clientMaxWindowBits: 15 }, `${SMWB}=12`],
  [
    `${CMWB}; ${SMWB}=11; ${CNCT}; ${SNCT}`,
    {},
    `${SNCT}; ${CNCT}; ${SMWB}=11; ${CMWB}=12`,
  ],
];

for (const [offer, options, response] of accepted) {
  test(`PerMessageDeflate ${JSON.stringify(options)} answers "${offer}": "${response}"`, () => {
    assertEquals(answer(offer, options), response);
  });
}

/** RFC 7692 §7: each of these must be declined. */
const declined: [offer: string, options?: PerMessageDeflateOptions][] = [
  ["unknown"],
  ["unknown=1"],
  [`${SNCT}; ${SNCT}`],
  [`${CNCT}; ${CNCT}`],
  [`${SMWB}=10; ${SMWB}=10`],
  [`${CMWB}; ${CMWB}=10`],
  [`${SNCT}=true`],
  [`${SNCT}=1`],
  [`${CNCT}=1`],
  [SMWB],
  ...["0", "1", "7", "16", "010", "09", "8.0", "+9", "1e1", "0xa", "true", "99", "15x"]
    .flatMap((bits): [string][] => [[`${SMWB}=${bits}`], [`${CMWB}=${bits}`]]),
  [`Server_max_window_bits=10`],
  // A window of 8 bits is valid, but zlib does not support it.
  [`${SMWB}=8`],
  ["", { serverMaxWindowBits: 8 }],
  // The server requires a limit that the client does not support.
  ["", { clientMaxWindowBits: 14 }],
];

for (const [offer, options] of declined) {
  test(`PerMessageDeflate ${JSON.stringify(options) ?? ""} declines "${offer}"`, () => {
    assertEquals(answer(offer, options), undefined);
  });
}

test("PerMessageDeflate declines an empty value, which no header can have", () => {
  for (const name of [SNCT, CNCT, SMWB, CMWB]) {
    const offer: ExtensionOffer = { name: "permessage-deflate", params: [[name, ""]] };
    assertEquals(new PerMessageDeflate().acceptOffer(offer), undefined);
  }
});
