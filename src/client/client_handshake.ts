import { coreOf, WebSocketConnection } from "../connection/connection.ts";
import { reportError } from "../connection/report_error.ts";
import { uncounted } from "../connection/counters.ts";
import { startWithHandler } from "../connection/handler.ts";
import type { ResolvedHandler } from "../connection/handler.ts";
import type { Extension, ExtensionAgreement } from "../extensions/extension.ts";
import { acceptResponses } from "../extensions/negotiation.ts";
import { serializeExtensions } from "../handshake/extensions_header.ts";
import type { ExtensionOffer } from "../protocol/extension_offer.ts";
import { writeRequest } from "../http/request_writer.ts";
import { parseUpgradeResponse, upgradeRefused } from "../handshake/upgrade_response.ts";
import { HandshakeError } from "../http/errors.ts";
import type { Transport } from "../transport/transport.ts";
import { timers as processTimers } from "../util/timers.ts";
import type { HandshakePlan } from "./connect_plan.ts";
import { httpExchange } from "./http_exchange.ts";

/**
 * Performs the client's half of the opening handshake on a transport, and creates the connection.
 *
 * @throws {HandshakeError} If the server does not answer with 101, or answers with what was not asked
 * for. The transport is closed.
 */
export function openWebSocket(
  transport: Transport,
  plan: HandshakePlan,
  signal: AbortSignal,
  handler?: ResolvedHandler<unknown>,
): Promise<WebSocketConnection> {
  const { url, key, protocols, extensions, offers, fields, overflow, limits } = plan;
  const { timers = processTimers } = plan;
  return httpExchange(transport, {
    request: writeRequest("GET", url.target, fields),
    limits,
    timers,
    signal,
    peer: "The server",
    isWanted: (status) => status === 101,
    take(head, early) {
      const agreed = parseUpgradeResponse(head, { key, protocols, extensions: offers });
      if (plan.requiresProtocol && protocols.length > 0 && agreed.protocol === "") {
        throw new HandshakeError("Cannot open WebSocket: the server has chosen no subprotocol", {
          code: "ERR_HANDSHAKE_PROTOCOL",
          status: 101,
        });
      }
      const socket = new WebSocketConnection<unknown>({
        settings: {
          role: "client",
          limits,
          timers,
          budget: undefined,
          counters: uncounted,
          overflow,
          payload: plan.payload,
          overwriteBorrowed: plan.overwriteBorrowed,
          discardMessages: plan.discardMessages,
          overRate: plan.overRate,
          inspect: plan.inspect,
          makeRequest: () => new Request(url.href.replace(/^ws/, "http"), { headers: fields }),
          // Without a handler, the application finds the error in `closed`.
          onError: (error) => handler === undefined || reportError(undefined, error),
          onClosed: undefined,
          responseHeaders: () => new Headers([...head.headers]),
        },
        transport,
        protocol: agreed.protocol,
        extensions: serializeExtensions(agreed.extensions),
        agreements: agree(extensions, agreed.extensions),
        data: undefined,
        headText: "",
      });
      const start = { answer: new Uint8Array(0), early };
      if (handler === undefined) coreOf(socket).start(start);
      else startWithHandler(socket, start, handler);
      return socket;
    },
    refuse: upgradeRefused,
  });
}

/**
 * Matches the server's extensions with the offers.
 *
 * RFC 6455 §4.1: "If the response includes a |Sec-WebSocket-Extensions| header field and this header
 * field indicates the use of an extension that was not present in the client's handshake [...], the
 * client MUST _Fail the WebSocket Connection_."
 */
function agree(
  extensions: readonly Extension[],
  responses: readonly ExtensionOffer[],
): ExtensionAgreement[] {
  try {
    return acceptResponses(extensions, responses);
  } catch (cause) {
    throw new HandshakeError((cause as Error).message, {
      code: "ERR_HANDSHAKE_EXTENSIONS",
      status: 101,
      cause,
    });
  }
}
