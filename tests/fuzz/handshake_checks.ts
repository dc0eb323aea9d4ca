/** Checks of the handshake for any parsed head. */

import { acceptOffers } from "../../src/extensions/negotiation.ts";
import { PerMessageDeflate } from "../../src/extensions/permessage_deflate.ts";
import { computeAcceptKey } from "../../src/handshake/accept_key.ts";
import { HandshakeError } from "../../src/http/errors.ts";
import { serializeExtensions } from "../../src/handshake/extensions_header.ts";
import { createOriginCheck } from "../../src/handshake/origin.ts";
import { toRequest } from "../../src/http/request.ts";
import type { RequestHead } from "../../src/http/request_head_parser.ts";
import { writeUpgradeResponse } from "../../src/handshake/upgrade_response_writer.ts";
import { writeErrorResponse } from "../../src/http/response_writer.ts";
import { ResponseBody } from "../../src/http/response_body.ts";
import { ResponseHeadParser } from "../../src/http/response_head_parser.ts";
import type { ResponseHead } from "../../src/http/response_head_parser.ts";
import {
  isUpgrade,
  parseUpgradeRequest,
  validateHttpRequest,
} from "../../src/handshake/upgrade_request.ts";
import { parseUpgradeResponse } from "../../src/handshake/upgrade_response.ts";
import { KEY } from "./head_arbitraries.ts";
import { ensure, pieces, same } from "./target.ts";

const deflate = new PerMessageDeflate();
const OFFERED = {
  key: KEY,
  protocols: ["chat", "superchat"],
  extensions: [{ name: "permessage-deflate", params: [] }],
};

/** Returns the result of `run`, or the HandshakeError that it throws. Rethrows any other error. */
function attempt<T>(run: () => T): T | HandshakeError {
  try {
    return run();
  } catch (error) {
    if (error instanceof HandshakeError) return error;
    throw error;
  }
}

function parseAnswer(bytes: Uint8Array): ResponseHead {
  const parser = new ResponseHeadParser();
  ensure(parser.push(bytes) !== -1, () => "an answer without an end");
  return parser.head!;
}

/** Checks that a refusal is a response that can be parsed, with the right status. */
function assertRefusal(error: HandshakeError, statuses: number[]): number {
  ensure(statuses.includes(error.status), () => `status ${error.status}: ${error}`);
  ensure(/^ERR_HANDSHAKE_[A-Z_]+$/.test(error.code), () => error.code);
  ensure(/^[\x20-\x7e]*$/.test(error.message), () => `${JSON.stringify(error.message)}`);
  const { status } = parseAnswer(writeErrorResponse(error));
  ensure(status === error.status, () => `answered ${status} for ${error.status}`);
  return status;
}

/** Returns a server's result for a request: the status, or what the application gets. */
export function judgeRequest(head: RequestHead): string {
  if (!isUpgrade(head)) {
    const refusal = attempt(() => validateHttpRequest(head));
    if (refusal !== undefined) return `${assertRefusal(refusal, [400, 405])}`;
    assertRequest(head);
    return "plain HTTP";
  }
  const upgrade = attempt(() => parseUpgradeRequest(head));
  if (upgrade instanceof HandshakeError) return `${assertRefusal(upgrade, [400, 405, 426])}`;
  assertRequest(head);
  const refusal = attempt(() => createOriginCheck()(upgrade.origin, upgrade.host));
  if (refusal !== undefined) return `${assertRefusal(refusal, [403])}`;
  const agreements = acceptOffers([deflate], upgrade.extensions);
  const { key, protocols, extensions } = upgrade;
  const [protocol] = protocols;
  const answer = parseAnswer(writeUpgradeResponse({
    acceptKey: computeAcceptKey(upgrade.key),
    protocol,
    extensions: serializeExtensions(agreements.map(({ response }) => response)),
  }));
  const agreed = parseUpgradeResponse(answer, { key, protocols, extensions });
  ensure(agreed.protocol === (protocol ?? ""), () => `protocol ${agreed.protocol}`);
  ensure(agreed.extensions.length === agreements.length, () => "other extensions");
  return agreements.length === 0 ? "101" : "101, compressed";
}

/** Checks that the URL of an accepted head is valid, and has the host of the Host field. */
function assertRequest(head: RequestHead): void {
  const { url } = toRequest(head);
  const field = head.headers.get("host")!;
  ensure(!/[@/?#\\,\s]/.test(field), () => `Host ${field} has been passed`);
  const host = new URL(`http://${field}/`);
  ensure(new URL(url).host === host.host, () => `${url} for Host ${host.host}`);
  const [path] = head.target.replace(/^\w+:\/\/[^/?]*/, "").split("?");
  ensure(new URL(url).pathname === (path || "/"), () => `${url} for ${head.target}`);
}

/** Returns a client's result for a response. */
export function judgeResponse(head: ResponseHead, rest: Uint8Array, cut: number): string {
  const agreed = attempt(() => parseUpgradeResponse(head, OFFERED));
  if (!(agreed instanceof HandshakeError)) {
    ensure(head.status === 101, () => `agreed with status ${head.status}`);
    return "101";
  }
  ensure(agreed.status === head.status, () => `status ${agreed.status} for ${head.status}`);
  ensure(/^ERR_HANDSHAKE_[A-Z_]+$/.test(agreed.code), () => agreed.code);
  const [whole, inPieces] = [new ResponseBody(head), new ResponseBody(head)];
  whole.push(rest);
  for (const piece of pieces(rest, cut)) {
    inPieces.push(piece);
    piece.fill(0xdd);
  }
  ensure(same(whole.bytes, inPieces.bytes), () => `body ${inPieces.text}, not ${whole.text}`);
  ensure(whole.isDone === inPieces.isDone, () => `done: ${inPieces.isDone}`);
  ensure(whole.bytes.length <= 4096, () => `${whole.bytes.length} bytes of body`);
  return head.status === 101 ? "101, refused" : "refused";
}
