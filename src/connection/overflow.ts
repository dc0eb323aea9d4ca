import { CloseCode, encodeClosePayload } from "../protocol/close_code.ts";
import type { OutgoingMessage } from "../protocol/message.ts";
import { notOpen } from "./ready_state.ts";
import { byteLengthOf, isLonger, tooLong } from "./sendable.ts";
import type { SenderCore } from "./sender_core.ts";

/**
 * The send queue has no room for a message: returns the error, and applies the option `overflow`.
 *
 * @param bufferedAmount The number of bytes that wait.
 */
export function refuse(
  message: OutgoingMessage,
  core: Pick<SenderCore, "settings" | "sendClose">,
  bufferedAmount: number,
): DOMException {
  const { limits: { maxBufferedAmount }, overflow, counters } = core.settings;
  counters.overflows++;
  if (isLonger(message, maxBufferedAmount)) {
    return tooLong(byteLengthOf(message), maxBufferedAmount);
  }
  const text = `Cannot send: the peer has stopped reading, ${bufferedAmount} bytes wait, at most ` +
    `${maxBufferedAmount} may`;
  if (overflow === "reject") return new DOMException(text, "QuotaExceededError");
  const error = notOpen(text);
  // RFC 6455 §7.4.1, by IANA's registry: 1013, try again later.
  core.sendClose(encodeClosePayload(CloseCode.TryAgainLater));
  return error;
}
