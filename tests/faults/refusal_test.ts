// A refusal whose body is a stream, with a fault at every byte of the request and of the answer.
import { accept } from "../../src/server/accept.ts";
import { memoryPair } from "../../src/transport/memory_transport.ts";
import { assert, assertEquals, deadline, test } from "../harness.ts";
import { FaultTransport } from "../support/fault_transport.ts";
import type { Fault, FaultKind } from "../support/fault_transport.ts";
import { upgradeRequest } from "../support/http.ts";
import { PromiseWatch, TimerWatch, unwatchedDelay, watchRejections } from "../support/leaks.ts";

const SHORT = { closeTimeout: 20, handshakeTimeout: 30 };
const LONG = { closeTimeout: 60_000, handshakeTimeout: 60_000 };
const REQUEST = new TextEncoder().encode(upgradeRequest());

/** A body, and whether it was read to its end or cancelled. */
function body(endless: boolean) {
  const state = { isOver: false, hasBegun: false };
  let left = 3;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      state.hasBegun = true;
      if (left-- > 0) return controller.enqueue(new TextEncoder().encode("Go away\n"));
      if (endless) return;
      state.isOver = true;
      controller.close();
    },
    cancel: () => void (state.isOver = true),
  }, { highWaterMark: 0 });
  return { state, stream };
}

/** Sends a request, is refused with a body, and leaves when the response has ended. */
function refuse(fault: Fault | undefined, endless: boolean) {
  const promises = new PromiseWatch();
  const [here, there] = memoryPair();
  const transport = new FaultTransport(here, { fault });
  const { state, stream } = body(endless);
  there.handler = { data() {}, drain() {}, end: () => there.close(), close() {} };
  there.write(REQUEST);
  const limits = fault?.kind.includes("stall") ? SHORT : LONG;
  const upgrade = () => new Response(stream, { status: 403 });
  promises.watch("accept()", accept(transport, { limits, upgrade })).catch(() => {});
  return { promises, transport, state, there };
}

async function playAll(faults: readonly (Fault | undefined)[], endless: boolean): Promise<number> {
  const timers = new TimerWatch();
  watchRejections();
  const all = faults.map((fault) => refuse(fault, endless));
  await unwatchedDelay(5);
  // A body without an end is not waited for.
  if (endless) { for (const { there } of all) there.abort(); }
  for (const [i, { promises, transport, state }] of all.entries()) {
    const fault = faults[i];
    const what = fault === undefined ? "no fault" : `${fault.kind} after byte ${fault.at}`;
    const gone = async () => {
      while (!transport.isGone || promises.pending.length > 0) await unwatchedDelay(1);
    };
    await deadline(gone(), 10_000, what);
    for (let i = 0; i < 20 && state.hasBegun && !state.isOver; i++) await unwatchedDelay(i);
    assertEquals(promises.rejected.length, 1, what);
    assert(!state.hasBegun || state.isOver, `${what}: the body is neither read nor cancelled`);
  }
  await timers.assertNone("the refusals");
  return all[0].transport.sent;
}

for (const endless of [false, true]) {
  const name = endless ? "that never ends" : "of three chunks";
  test(`a fault at every byte of a refusal leaves nothing: a body ${name}`, async () => {
    const sent = await playAll([undefined], endless);
    const everywhere = (kind: FaultKind, end: number) =>
      Array.from({ length: end }, (_, at) => ({ kind, at }));
    await playAll([
      ...everywhere("cut", REQUEST.length + 1),
      ...everywhere("reset", REQUEST.length + 1),
      ...(endless ? [] : everywhere("stall", REQUEST.length + 1)),
      ...everywhere("write error", sent),
      ...everywhere("write stall", sent),
    ], endless);
  });
}
