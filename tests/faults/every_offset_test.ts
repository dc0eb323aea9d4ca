// Recorded sessions, replayed with a fault at every byte.
import { test } from "../harness.ts";
import type { Fault, FaultKind } from "../support/fault_transport.ts";
import { playAll } from "./play_all.ts";
import { record } from "./sessions.ts";
import type { Session, SessionPlan } from "./sessions.ts";

const MESSAGES = ["Hello", "fragm\u00e9nts", new Uint8Array(126).fill(7)];
const READ_FAULTS: readonly FaultKind[] = ["cut", "reset", "stall"];
const WRITE_FAULTS: readonly FaultKind[] = ["write error", "write stall"];

/** A fault of each kind at every offset of the bytes of the peer, and of this end. */
function everywhere(session: Session, withHandshake: boolean): Fault[] {
  const faults: Fault[] = [];
  for (const kind of READ_FAULTS) {
    for (let at = withHandshake ? 0 : session.headLength; at <= session.length; at++) {
      faults.push({ kind, at });
    }
  }
  for (const kind of WRITE_FAULTS) {
    for (let at = withHandshake ? 0 : session.sentHeadLength; at < session.sentLength; at++) {
      faults.push({ kind, at });
    }
  }
  return faults;
}

type Closer = SessionPlan["closer"];
const PLANS: readonly [SessionPlan["role"], SessionPlan["use"], readonly Closer[]][] = [
  ["server", "serve with callbacks", ["peer", "subject"]],
  ["server", "serve with a function", ["subject"]],
  ["server", "for await", ["peer"]],
  ["server", "readable and writable", ["peer", "subject"]],
  ["server", "messageStreams", ["peer", "subject"]],
  ["client", "for await", ["peer"]],
  ["client", "readable and writable", ["peer", "subject"]],
  ["client", "messageStreams", ["peer", "subject"]],
];
/** The kinds of handshakes: of serve(), accept() and connectOver(). */
const HANDSHAKES = ["serve with callbacks", "for await"];

for (const [role, use, closers] of PLANS) {
  for (const closer of closers) {
    const isCompressed = closer === "subject";
    const plan: SessionPlan = { role, use, closer, isCompressed, messages: MESSAGES };
    const what = `${role}, ${use}, closed by the ${closer}`;

    test(`a fault at every byte of a session leaves nothing: ${what}`, async () => {
      const session = await record(plan);
      const faults = everywhere(session, closer === "peer" && HANDSHAKES.includes(use));
      await playAll(session, [undefined, ...faults]);
    });

    test(`a session byte by byte, or at once, is the same: ${what}`, async () => {
      const session = await record(plan);
      const memory = { maxChunk: 1, capacity: 8 };
      const isEager = true;
      const writesByteByByte = true;
      await playAll(session, [undefined], { memory });
      await playAll(session, [undefined], { memory, writesByteByByte });
      await playAll(session, [undefined], { isEager });
      await playAll(session, [undefined], { isEager, memory, writesByteByByte });
    });

    test(`a fault at bytes of a session that comes at once leaves nothing: ${what}`, async () => {
      const session = await record(plan);
      const faults = everywhere(session, false).filter(({ at }) => at % 7 === 0);
      await playAll(session, faults, { isEager: true, writesByteByByte: true });
    });
  }
}
