import fc from "fast-check";
import { Pings } from "../../src/connection/pings.ts";
import { assertEquals, assertRejects, delay, test } from "../harness.ts";
import { turns } from "../support/open.ts";

test("Pings numbers its frames, and resolves to the time until the Pong", async () => {
  const pings = new Pings();
  const first = pings.make();
  const second = pings.make();
  assertEquals(first.frame, { opcode: 9, payload: new Uint8Array([0, 0, 0, 0]) });
  assertEquals(second.frame, { opcode: 9, payload: new Uint8Array([0, 0, 0, 1]) });
  await delay(20);
  pings.pong(second.frame.payload!);
  const [one, two] = await Promise.all([first.roundTrip, second.roundTrip]);
  assertEquals(one >= two && two >= 15, true, `${one} and ${two} ms`);
});

test("Pings reads the number wherever it stands in its buffer", async () => {
  const pings = new Pings();
  const { roundTrip } = pings.make();
  pings.pong(new Uint8Array([9, 9, 0, 0, 0, 0]).subarray(2));
  await roundTrip;
});

test("Pings ignores a Pong that answers nothing", async () => {
  const pings = new Pings();
  let isAnswered = false;
  pings.make().roundTrip.then(() => isAnswered = true, () => {});
  for (const payload of [[], [0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0, 0]]) {
    pings.pong(new Uint8Array(payload));
  }
  await turns();
  assertEquals(isAnswered, false);
});

test("Pings keep one heartbeat's, whose Pong gives the round trip and nothing else", async () => {
  const pings = new Pings();
  assertEquals([pings.hasBeat, pings.roundTrip], [false, undefined]);
  const asked = pings.make();
  const old = pings.beat();
  assertEquals(pings.hasBeat, true);
  const beat = pings.beat();
  assertEquals(beat.payload, new Uint8Array([0, 0, 0, 2]));
  assertEquals(pings.pong(old.payload!), false);
  assertEquals(pings.roundTrip, undefined);
  await delay(20);
  assertEquals(pings.pong(beat.payload!), true);
  assertEquals(pings.hasBeat, false);
  assertEquals(pings.roundTrip! >= 15, true, `${pings.roundTrip} ms`);
  // It answers those before it.
  assertEquals(await asked.roundTrip >= 15, true);
  assertEquals(pings.pong(beat.payload!), false);
  pings.beat();
  pings.close(new Error("gone"));
  assertEquals(pings.hasBeat, false);
});

test("Pings' close rejects all, whether somebody looks or not", async () => {
  const pings = new Pings();
  const { roundTrip } = pings.make();
  pings.make();
  const gone = new Error("gone");
  pings.close(gone);
  assertEquals(await assertRejects(() => roundTrip), gone);
  pings.pong(new Uint8Array(4));
});

test("Pings are answered by their own Pong or a later one, whatever Pongs come", () => {
  const id = fc.integer({ min: -1, max: 12 });
  const step = fc.oneof(fc.constantFrom("make", "beat"), id, fc.uint8Array({ maxLength: 6 }));
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const pings = new Pings();
    let sent = 0;
    let open: { id: number; isBeat: boolean }[] = [];
    for (const step of steps) {
      if (step === "make" || step === "beat") {
        const isBeat = step === "beat";
        if (isBeat) open = open.filter((ping) => !ping.isBeat);
        const { payload } = isBeat ? pings.beat() : pings.make().frame;
        assertEquals(payload, new Uint8Array([0, 0, 0, sent]));
        open.push({ id: sent++, isBeat });
      } else {
        const payload = typeof step === "number" ? new Uint8Array([0, 0, 0, step]) : step;
        const named = payload.length === 4 ? new DataView(payload.buffer).getUint32(0) : -1;
        const isAnswer = open.some(({ id }) => id === named);
        assertEquals(pings.pong(payload), isAnswer);
        if (isAnswer) open = open.filter(({ id }) => id > named);
      }
      assertEquals(pings.hasBeat, open.some(({ isBeat }) => isBeat));
    }
    pings.close(new Error("gone"));
  }));
});
