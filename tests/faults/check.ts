/** What must hold after a session, whatever fault it had. */

import type { CloseInfo } from "../../src/connection/close_info.ts";
import { ReadyState } from "../../src/connection/ready_state.ts";
import type { Message } from "../../src/protocol/message.ts";
import { assert, assertEquals } from "../harness.ts";
import { sameBytes } from "../protocol/frames.ts";
import { wholeFrames } from "../support/frames.ts";
import { joined } from "./drives.ts";
import { headEnd } from "./sessions.ts";
import type { FaultTransport } from "../support/fault_transport.ts";
import type { Played, Session } from "./sessions.ts";

/** Fails unless a session has ended correctly and has left nothing behind. */
export async function check(session: Session, played: Played, info: CloseInfo): Promise<void> {
  const { subject, transport } = played;
  const { app } = subject;
  assertEquals(app.promises.pending, [], "promises that are pending");
  assertEquals(subject.counted.size, 0, "connections that are counted");
  assert(transport.isGone, "the transport is open");
  checkRejections(played, info);
  checkMessages(session, played);
  if (subject.socket === undefined) return;

  const { socket } = subject;
  const sent = transport.bytes("out");
  const hasClose = transport.received >= session.closeEnd;
  const hasSentClose = wholeFrames(sent.slice(headEnd(sent))).frames
    .some(({ first }) => first === 0x88);
  const reason = session.closer === "peer" ? "bye" : ""; // Ours is answered with its code.
  assertEquals(
    [info.closeCode, info.reason, info.wasClean],
    hasClose ? [1000, reason, hasSentClose] : [1006, "", false],
    "how it was closed",
  );
  if (info.wasClean) assertEquals(info.error, undefined, "the error of a clean close");
  assertEquals(socket.readyState, ReadyState.Closed);
  assertEquals(socket.bufferedAmount, 0, "bytes that are still buffered");
  assertEquals(await socket.closed, info, "closed, asked for later");
  if (session.use === "serve with callbacks") {
    assertEquals([app.told[0], app.told.at(-1)], ["open", `close ${info.closeCode}`]);
    assertEquals(app.told.filter((event) => event !== "error").length, 2, "callbacks");
  }
  // A late caller gets the same answers.
  await socket.ready;
  assertEquals(await socket.send("late").catch(({ name }) => name), "InvalidStateError");
  assertEquals(await socket.ping().catch(({ name }) => name), "InvalidStateError");
  assertEquals(await socket.close(1000), info);
}

/** Promises reject only because the connection has ended. */
function checkRejections({ subject, transport }: Played, info: CloseInfo): void {
  for (const { name, error } of subject.app.promises.rejected) {
    // The error of a stream whose other end is closed is the platform's.
    if (name === "the handshake" || name.startsWith("the echo")) continue;
    const isEnd = error === transport.error || error === info.error ||
      error === subject.app.readError ||
      (error instanceof DOMException && error.name === "InvalidStateError") ||
      (name === "writer.close()" && error instanceof TypeError);
    assert(isEnd, `${name} has rejected with ${error}`);
  }
}

/** Returns how many messages were received to their last byte. */
export function messagesCome(session: Session, transport: FaultTransport): number {
  return session.messageEnds.filter((end) => end <= transport.received).length;
}

/** Checks that the complete messages were received, and the start of the next one. */
function checkMessages(session: Session, { subject, transport }: Played): void {
  const { messages, parts } = subject.app;
  const count = messagesCome(session, transport);
  const { kind } = transport.fault ?? {};
  // A loop that awaits its echo does not reach the messages after it.
  const isExact = kind === undefined || kind === "cut" || kind === "stall" ||
    session.use === "serve with callbacks";
  assert(
    isExact ? messages.length === count : messages.length <= count,
    `${messages.length} messages are there, ${count} have come`,
  );
  for (const [i, message] of messages.entries()) {
    assert(isSame(message, session.messages[i]), `message ${i} is another`);
  }
  if (parts.length === 0) return;
  const part = joined(typeof parts[0] === "string" ? "text" : "binary", parts);
  const whole = session.messages[messages.length];
  assert(isSame(part, whole.slice(0, part.length)), "the start of a message is another");
}

function isSame(a: Message, b: Message): boolean {
  return typeof a === "string" || typeof b === "string" ? a === b : sameBytes(a, b);
}
