import { ExceptedPeers } from "../../src/topics/excepted_peers.ts";
import { assertEquals, test } from "../harness.ts";
import { FakePeer } from "./fake_peer.ts";

const at = (offset: number, epoch = "e") => ({ epoch, offset });

test("a message is forgotten when it is delivered at its confirmed position", () => {
  const excepted = new ExceptedPeers();
  const peer = new FakePeer();
  excepted.add(1, peer);
  excepted.stored(1, at(5));
  assertEquals(excepted.size, 1);
  assertEquals(excepted.delivered(1, at(5)), peer);
  assertEquals(excepted.size, 0);
  excepted.add(2, peer);
  assertEquals(excepted.delivered(2, at(6)), peer);
  excepted.stored(2, at(6));
  assertEquals(excepted.size, 0);
});

test("a message that is stored twice is not sent to the peer at either position", () => {
  const excepted = new ExceptedPeers();
  const peer = new FakePeer();
  excepted.add(1, peer);
  assertEquals(excepted.delivered(1, at(5)), peer);
  excepted.stored(1, at(6));
  assertEquals(excepted.delivered(1, at(6)), peer);
  assertEquals(excepted.delivered(1, at(7)), undefined);
  excepted.add(2, peer);
  excepted.stored(2, at(5, "f"));
  assertEquals(excepted.delivered(2, at(5)), peer);
  assertEquals(excepted.delivered(2, at(5, "f")), peer);
  assertEquals(excepted.size, 0);
});

test("a message without a position is delivered once, and an unknown one has no peer", () => {
  const excepted = new ExceptedPeers();
  const peer = new FakePeer();
  excepted.add(1, peer);
  assertEquals(excepted.delivered(1, undefined), peer);
  assertEquals(excepted.delivered(1, undefined), undefined);
  excepted.stored(1, at(1));
  excepted.add(2, peer);
  excepted.clear();
  assertEquals(excepted.delivered(2, at(2)), undefined);
});

test("of messages that are never delivered, the last 1,024 are remembered", () => {
  const excepted = new ExceptedPeers();
  const peer = new FakePeer();
  for (let number = 1; number <= 1025; number++) excepted.add(number, peer);
  assertEquals(excepted.size, 1024);
  assertEquals(excepted.delivered(1, at(1)), undefined);
  assertEquals(excepted.delivered(2, at(2)), peer);
});
