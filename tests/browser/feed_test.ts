// openFeed() of the entry for browsers, over the runtime's own WebSocket.
import { openFeed } from "../../src/browser/mod.ts";
import type { FeedEvent } from "../../src/browser/mod.ts";
import { topics, TOPICS_PROTOCOL, topicsHandler } from "../../src/topics/mod.ts";
import { assert, assertEquals, deadline, onTestEnd, test } from "../harness.ts";
import { serving } from "../support/server.ts";

async function next(events: AsyncIterator<FeedEvent>): Promise<FeedEvent> {
  const { value, done } = await deadline(events.next(), 10_000, "an event");
  assert(!done, "the feed has ended");
  return value;
}

test("a browser's feed continues a kept topic after a lost connection, without a hole", async () => {
  await using rooms = topics({ keep: { messages: 100, age: 60_000 } });
  const { url, server } = serving(
    topicsHandler(rooms, { subscribe: () => true }),
    { protocols: [TOPICS_PROTOCOL] },
  );
  const feed = openFeed(url, { topics: ["news"], initialDelay: 1, maxDelay: 5 });
  onTestEnd(async () => await feed[Symbol.asyncDispose]());
  const events = feed[Symbol.asyncIterator]();
  const first = await next(events);
  assert(first.type === "subscribed");
  rooms.publish("news", "one");
  const one = await next(events);
  assert(one.type === "message");
  assertEquals([one.data, one.position?.offset], ["one", 1]);
  for (const socket of server.connections) socket.abort();
  rooms.publish("news", "two");
  const rest = [];
  while (rest.length < 3) rest.push(await next(events));
  const [lost, again, two] = rest;
  assert(lost?.type === "close" && again?.type === "subscribed" && two?.type === "message");
  assertEquals(again.recovered, true);
  assertEquals(two.data, "two");
});

test("a browser's feed closes a connection that does not speak its subprotocol with 4008", async () => {
  const closed = Promise.withResolvers<number>();
  const { url } = serving(async (socket) => {
    await socket.send("no header");
    closed.resolve((await socket.closed).closeCode);
  }, { protocols: [TOPICS_PROTOCOL] });
  const feed = openFeed(url, {});
  onTestEnd(async () => await feed[Symbol.asyncDispose]());
  for await (const event of feed) assertEquals(event.type, "close");
  assertEquals(await deadline(closed.promise, 5000, "the close"), 4008);
});
