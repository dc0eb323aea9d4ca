import { assert, assertEquals, assertLess, assertRejects, delay, test } from "../harness.ts";
import { ROLES } from "../protocol/frames.ts";
import { open, turns } from "../support/open.ts";
import { closeFrame, First } from "../support/memory_peer.ts";

for (const role of ROLES) {
  test(`ping of a ${role} resolves to the round trip in milliseconds`, async () => {
    const { socket, peer } = open({ role });
    const pinged = socket.ping();
    await peer.received(1);
    const { first, payload } = peer.frames[0];
    assertEquals(first, First.Ping);
    await delay(20);
    peer.send({ first: First.Pong, payload });
    const roundTrip = await pinged;
    assert(roundTrip >= 15, `${roundTrip} ms`);
    assertLess(roundTrip, 5000);
  });

  test(`a ${role} answers each Ping with its payload`, async () => {
    const { peer } = open({ role });
    const payload = new Uint8Array(125).fill(7);
    peer.send({ first: First.Ping }, { first: First.Ping, payload });
    await peer.received(2);
    assertEquals(peer.frames.map(({ first }) => first), [First.Pong, First.Pong]);
    assertEquals(peer.frames.map(({ payload }) => payload), [new Uint8Array(0), payload]);
  });
}

test("ping may be called several times, and a Pong answers those before it, too", async () => {
  const { socket, peer } = open();
  const pings = [socket.ping(), socket.ping(), socket.ping()];
  await peer.received(3);
  const payloads = peer.frames.map(({ payload }) => payload);
  assertEquals(new Set(payloads.map(String)).size, 3);
  peer.send({ first: First.Pong, payload: payloads[1] });
  await Promise.all(pings.slice(0, 2));
  let isLate = true;
  pings[2].then(() => isLate = false);
  // Neither an answer to an answered one, nor an unsolicited one, answers the third.
  peer.send({ first: First.Pong, payload: payloads[0] }, { first: First.Pong });
  peer.send({ first: First.Pong, payload: "????" });
  await turns();
  assert(isLate);
  peer.send({ first: First.Pong, payload: payloads[2] });
  await pings[2];
});

test("ping rejects if the connection ends before the Pong, and the promise may be ignored", async () => {
  const { socket } = open();
  const pinged = socket.ping();
  socket.ping();
  socket.abort();
  assertEquals((await assertRejects(() => pinged, DOMException)).name, "InvalidStateError");
});

test("ping rejects if the connection is not open, and the promise may be ignored", async () => {
  const { socket, peer } = open();
  socket.close(1000);
  socket.ping();
  assertEquals((await assertRejects(() => socket.ping(), DOMException)).name, "InvalidStateError");
  await peer.closeBack();
  await socket.closed;
  await assertRejects(() => socket.ping(), DOMException);
  assertEquals(peer.words, ["close 1000"]);
});

test("a ping under way is answered while the connection closes", async () => {
  const { socket, peer } = open();
  const pinged = socket.ping();
  socket.close(1000);
  await peer.received(2);
  peer.send({ first: First.Pong, payload: peer.frames[0].payload }, closeFrame(1000));
  assert(await pinged >= 0);
  await peer.end();
});
