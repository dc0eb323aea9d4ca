// Messages that are larger than every queue, with a fault around each frame, and at some other bytes.
import { test } from "../harness.ts";
import { random, randomBytes } from "../protocol/frames.ts";
import type { Fault } from "../support/fault_transport.ts";
import { playAll } from "./play_all.ts";
import { record } from "./sessions.ts";
import type { Session, SessionPlan } from "./sessions.ts";

const SIZE = 64 * 1024;
/** Small queues, so that backpressure applies in both directions. */
const LIMITS = { outgoingHighWaterMark: 1000, incomingHighWaterMark: 1000 };

/** The offsets of the faults: before and after the end of each frame, and some others. */
function offsets(session: Session): number[] {
  const next = random(session.length);
  const around = session.frameEnds.flatMap((end) => [end - 1, end, end + 1, end + 3, end + 9]);
  const others = Array.from({ length: 24 }, () => next() % session.length);
  return [...around, ...others].filter((at) => at >= session.headLength && at <= session.length);
}

function faults(session: Session): Fault[] {
  const next = random(session.sentLength);
  const { sentHeadLength: start, sentLength: end } = session;
  const ours = Array.from({ length: 24 }, () => start + next() % (end - start));
  return [
    ...(["cut", "reset", "stall"] as const).flatMap((kind) =>
      offsets(session).map((at) => ({ kind, at }))
    ),
    ...(["write error", "write stall"] as const).flatMap((kind) =>
      ours.map((at) => ({ kind, at }))
    ),
  ];
}

const PLANS: readonly Pick<SessionPlan, "role" | "use" | "isCompressed">[] = [
  { role: "server", use: "serve with callbacks", isCompressed: false },
  { role: "server", use: "for await", isCompressed: true },
  { role: "server", use: "readable and writable", isCompressed: false },
  { role: "server", use: "messageStreams", isCompressed: true },
  { role: "client", use: "for await", isCompressed: false },
  { role: "client", use: "readable and writable", isCompressed: true },
  { role: "client", use: "messageStreams", isCompressed: false },
];

for (const plan of PLANS) {
  test(`a fault in 64 KiB leaves nothing: ${plan.role}, ${plan.use}`, async () => {
    const messages = ["Hello", randomBytes(SIZE), "x".repeat(SIZE)];
    const session = await record({ ...plan, closer: "peer", messages, limits: LIMITS });
    const memory = { capacity: 4096 };
    await playAll(session, [undefined, ...faults(session)], { memory });
  });
}
