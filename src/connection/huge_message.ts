import type { OutgoingMessage } from "../protocol/message.ts";
import type { SenderCore } from "./sender_core.ts";

/** The size from which on a binary message is written from the caller's bytes, without a copy, in bytes. */
export const HUGE: number = 256 * 1024;
/** The number of its bytes that are copied, to be written together with its header. */
export const FIRST_PART: number = 32 * 1024;

/** Whether a message can be written from the caller's bytes: a client masks them, so it copies them. */
export function canWriteSome(
  message: OutgoingMessage,
  { transport, settings }: Pick<SenderCore, "transport" | "settings">,
): message is Uint8Array {
  return typeof message !== "string" && transport.writeSome !== undefined &&
    settings.role === "server" && settings.inspect === undefined;
}
