import { CloseCode, isCloseCode } from "../protocol/close_code.ts";
import type { Message } from "../protocol/message.ts";
import type { CloseInfo } from "./close_info.ts";
import { coreOf } from "./connection.ts";
import type { WebSocketConnection } from "./connection.ts";
import { READY } from "./send_waiters.ts";

/** The reason in the Close frame that reports a connection without a usable close code. */
const LOST = "The other connection was lost";
const TOO_BIG = "The message is too big for the other connection";

/**
 * Passes the messages of each of two connections on to the other one, in order and with backpressure, until
 * both are closed: the middle of a gateway, or of a proxy.
 *
 * A connection that is slow slows the other one down: while the send queue is above its high-water mark,
 * nothing more is read for it. A message is passed on when it is complete; its type is kept. Pings are not
 * passed on: each connection has a heartbeat of its own.
 *
 * When one connection is closed, its unread messages are passed on, then its close. The code and the reason
 * are those of the peer's Close frame, if they may be sent:
 *
 * | one connection ends with                  | the other is closed with                                     |
 * | ----------------------------------------- | ------------------------------------------------------------ |
 * | a code and a reason                       | the same                                                     |
 * | 1005: a Close frame without a code        | a Close frame without a code                                 |
 * | 1006 or 1015: no Close frame was received | 1014 if it was a client's connection, to a server that is    |
 * |                                           | lost; 1001 if it was a server's, whose client has left       |
 *
 * A peer that breaks the protocol or a limit is closed with its own code; for the other one it is lost. A
 * message that exceeds `maxBufferedAmount` of the other connection closes both with 1009.
 *
 * @param a A connection that nothing else reads.
 * @param b The other one.
 * @returns A promise of how both have ended, in the order of the arguments. It never rejects.
 * @throws {TypeError} If both are the same connection.
 * @throws {DOMException} An `InvalidStateError` if a connection has callbacks, or its messages are read as
 * streams.
 *
 * @example
 * ```ts
 * import { connect, relay, serve } from "@sluice/websocket";
 *
 * await using backend = serve({ hostname: "127.0.0.1", port: 0 }, {
 *   message: (socket, message) => socket.send(message),
 * });
 * await using gateway = serve({ hostname: "127.0.0.1", port: 0 }, async (client) => {
 *   await relay(client, await connect(backend.url));
 * });
 *
 * const client = await connect(gateway.url);
 * client.send("through the gateway");
 * for await (const message of client) {
 *   console.log(message); // through the gateway
 *   client.close(1000);
 * }
 * ```
 */
export function relay(
  a: WebSocketConnection<unknown>,
  b: WebSocketConnection<unknown>,
): Promise<[a: CloseInfo, b: CloseInfo]> {
  if (a === b) throw new TypeError("Cannot relay a connection to itself: expected two connections");
  for (const socket of [a, b]) {
    const { consumer, readers } = coreOf(socket);
    if (consumer !== readers.queue) {
      throw new DOMException(
        "Cannot relay: the connection's messages go to its callbacks, or are read as streams",
        "InvalidStateError",
      );
    }
  }
  return Promise.all([relayTo(b, a), relayTo(a, b)]);
}

/** Passes on the messages of a connection, then its close; returns how it has ended. */
async function relayTo(
  to: WebSocketConnection<unknown>,
  from: WebSocketConnection<unknown>,
): Promise<CloseInfo> {
  try {
    // Not `closed`, whose reader declares that it will not send any more.
    for await (const messages of from.batches()) {
      for (const message of messages) {
        const sent = send(to, message);
        if (sent !== READY) await sent;
      }
    }
  } catch (error) {
    // Otherwise `to` is not open, which the other direction passes on.
    if ((error as DOMException).name === "QuotaExceededError") {
      from.close(CloseCode.MessageTooBig, TOO_BIG);
      to.close(CloseCode.MessageTooBig, TOO_BIG);
    }
  }
  const info = await coreOf(from).whenClosed;
  const { closeCode, reason } = info;
  if (closeCode === CloseCode.NoStatusReceived) to.close();
  else if (isCloseCode(closeCode)) to.close(closeCode, reason);
  else if (coreOf(from).settings.role === "client") to.close(CloseCode.BadGateway, LOST);
  else to.close(CloseCode.GoingAway, LOST);
  return info;
}

/** Sends a message; if the queue has no room for it now, as soon as it is empty. */
function send(to: WebSocketConnection<unknown>, message: Message): Promise<void> {
  const { sender } = coreOf(to);
  if (sender.hasRoomFor(message)) return to.send(message);
  return sender.whenEmpty().then(() => to.send(message));
}
