import { connect, serve } from "@sluice/websocket";
import type { ServeOptions, WebSocketConnection } from "@sluice/websocket";
import { openFeed, topics, TOPICS_PROTOCOL, topicsHandler } from "../../src/topics/mod.ts";
import type { Feed, FeedEvent, Topics, TopicsHandlerOptions } from "../../src/topics/mod.ts";
import { assert, assertEquals, eventually, onTestEnd, test } from "../harness.ts";

type Socket = WebSocketConnection<unknown>;

/** A server of topics on a port of its own, or on one that is given. */
function serveTopics(
  feed: Topics,
  handler: TopicsHandlerOptions<Socket>,
  options: Partial<ServeOptions<unknown>> = {},
) {
  const server = serve(
    { port: 0, hostname: "127.0.0.1", protocols: [TOPICS_PROTOCOL], onListen() {}, ...options },
    topicsHandler(feed, handler),
  );
  onTestEnd(() => server.shutdown({ deadline: 0 }));
  const { port } = server.addr as { port: number };
  return { server, port, url: `ws://127.0.0.1:${port}/` };
}

/** Takes events until `count` of them are of `type`. */
async function take(
  events: AsyncIterator<FeedEvent>,
  type: FeedEvent["type"],
  count = 1,
): Promise<FeedEvent[]> {
  const taken: FeedEvent[] = [];
  while (taken.filter((event) => event.type === type).length < count) {
    const { value, done } = await events.next();
    assert(!done, `the feed ended before ${type}`);
    taken.push(value);
  }
  return taken;
}

function open(url: string, options: Parameters<typeof openFeed>[1]): Feed {
  const feed = openFeed(url, { initialDelay: 10, maxDelay: 50, ...options });
  onTestEnd(async () => await feed[Symbol.asyncDispose]());
  return feed;
}

test("a feed gets the messages of its topics, text and bytes, and those of the application", async () => {
  await using rooms = topics();
  const asked: unknown[] = [];
  const { url } = serveTopics(rooms, {
    subscribe: (_socket, topic) => topic !== "secret",
    message: (_socket, message) => asked.push(message),
  });
  const feed = open(url, { topics: ["a", "secret"] });
  const events = feed[Symbol.asyncIterator]();
  const start = await take(events, "refused");
  assertEquals(start, [
    { type: "subscribed", topic: "a", recovered: false },
    { type: "refused", topic: "secret", reason: "not allowed" },
  ]);
  rooms.publish("a", "text");
  rooms.publish("a", Uint8Array.of(1, 2));
  rooms.publish("secret", "not for you");
  assertEquals(await take(events, "message", 2), [
    { type: "message", topic: "a", data: "text" },
    { type: "message", topic: "a", data: Uint8Array.of(1, 2) },
  ]);
  feed.send("hello");
  feed.send(Uint8Array.of(3));
  await eventually(() => asked.length === 2, 5000, "messages of the application");
  assertEquals(asked, ["hello", Uint8Array.of(3)]);
  feed.unsubscribe("a");
  await eventually(() => rooms.size("a") === 0, 5000, "no subscriber");
  feed.subscribe("b");
  assertEquals((await take(events, "subscribed"))[0], {
    type: "subscribed",
    topic: "b",
    recovered: false,
  });
});

test("nobody may subscribe by default", async () => {
  await using rooms = topics();
  const { url } = serveTopics(rooms, {});
  const events = open(url, { topics: ["a"] })[Symbol.asyncIterator]();
  assertEquals((await take(events, "refused"))[0], {
    type: "refused",
    topic: "a",
    reason: "not allowed",
  });
});

for (const answer of [undefined, null, 0, 1, "yes", false]) {
  test(`subscribe() that returns ${JSON.stringify(answer)} refuses`, async () => {
    await using rooms = topics();
    const { url } = serveTopics(rooms, { subscribe: () => answer as boolean });
    const events = open(url, { topics: ["a"] })[Symbol.asyncIterator]();
    assertEquals((await take(events, "refused")).length, 1);
    assertEquals(rooms.size("a"), 0);
  });
}

test("a feed continues where its loop was when the connection broke, without a hole or a repeat", async () => {
  await using news = topics({ keep: { messages: 1000, age: 60_000 } });
  const { server, url } = serveTopics(news, { subscribe: () => true });
  const events = open(url, { topics: ["x"] })[Symbol.asyncIterator]();
  await take(events, "subscribed");
  const received: unknown[] = [];
  let published = 0;
  for (let round = 0; round < 5; round++) {
    for (let n = 0; n < 20; n++) news.publish("x", `${++published}`);
    for (const event of await take(events, "message", 5)) {
      if (event.type === "message") received.push(event.data);
    }
    for (const socket of server.connections) socket.abort();
    for (let n = 0; n < 20; n++) news.publish("x", `${++published}`);
  }
  while (received.length < published) {
    const { value } = await events.next();
    if (value?.type === "message") received.push(value.data);
    if (value?.type === "subscribed") assert(value.recovered);
  }
  assertEquals(received, Array.from({ length: published }, (_, n) => `${n + 1}`));
});

test("a feed learns that it was away for longer than the history", async () => {
  await using news = topics({ keep: { messages: 2, age: 60_000 } });
  const { server, url } = serveTopics(news, { subscribe: () => true });
  const events = open(url, { topics: ["x"] })[Symbol.asyncIterator]();
  await take(events, "subscribed");
  for (const socket of server.connections) socket.abort();
  for (let n = 1; n <= 5; n++) news.publish("x", `${n}`);
  const again = (await take(events, "subscribed")).at(-1);
  assertEquals(again?.type === "subscribed" && [again.recovered, again.position?.offset], [
    false,
    5,
  ]);
  news.publish("x", "6");
  const [message] = await take(events, "message");
  assertEquals(message?.type === "message" && [message.data, message.position?.offset], ["6", 6]);
});

test("a feed can begin with a position of its own", async () => {
  await using news = topics({ keep: { messages: 10, age: 60_000 } });
  const first = await news.publish("x", "1").settled;
  news.publish("x", "2");
  const { url } = serveTopics(news, { subscribe: () => true });
  const events = open(url, { topics: ["x"], since: { x: first! } })[Symbol.asyncIterator]();
  const [subscribed, message] = await take(events, "message");
  assertEquals(subscribed?.type === "subscribed" && subscribed.recovered, true);
  assertEquals(message?.type === "message" && message.data, "2");
});

/** A client without the library: what it gets for what it sends. */
async function raw(url: string) {
  const socket = await connect(url, { protocols: [TOPICS_PROTOCOL] });
  onTestEnd(() => socket.abort());
  const messages = socket[Symbol.asyncIterator]();
  return { socket, next: async () => (await messages.next()).value };
}

test("the wire is what docs say: numbers, offsets, positions", async () => {
  await using news = topics({
    keep: (topic) => topic === "kept" ? { messages: 9, age: 1e6 } : undefined,
  });
  const { url } = serveTopics(news, { subscribe: () => true });
  const { socket, next } = await raw(url);
  socket.send('{"subscribe":"plain"}');
  assertEquals(await next(), '{"topic":1,"name":"plain","recovered":false}');
  socket.send('{"subscribe":"kept"}');
  const { at, ...rest } = JSON.parse(await next() as string);
  assertEquals(rest, { topic: 2, name: "kept", recovered: false });
  assert(/^[\w-]+:0$/.test(at), at);
  news.publish("plain", "a\nb");
  news.publish("kept", Uint8Array.of(0xff));
  assertEquals(await next(), "1\na\nb");
  assertEquals(await next(), Uint8Array.of(0x32, 0x20, 0x31, 0x0a, 0xff));
  socket.send('{"unsubscribe":1}');
  assertEquals(await next(), '{"unsubscribed":1}');
  news.publish("plain", "unheard");
  socket.send('{"subscribe":"kept"}');
  assertEquals(JSON.parse(await next() as string).refused, "kept");
});

for (
  const [message, reason] of [
    ['{"subscribe":""}', "not possible"],
    [`{"subscribe":"${"x".repeat(2000)}"}`, "not possible"],
    ['{"subscribe":"a","since":"forged"}', "since is no position"],
    ['{"subscribe":"a","since":{"epoch":1}}', "since is no position"],
  ] as const
) {
  test(`a server refuses ${message.slice(0, 40)}`, async () => {
    await using news = topics();
    const errors: unknown[] = [];
    const { url } = serveTopics(news, {
      subscribe: () => true,
      onError: (error) => errors.push(error),
    });
    const { socket, next } = await raw(url);
    socket.send(message);
    assertEquals(JSON.parse(await next() as string).reason, reason);
    socket.send('{"subscribe":"other"}');
    assertEquals(JSON.parse(await next() as string).name, "other");
  });
}

test("a forged position gets no message: an epoch that is none, an offset beyond the end", async () => {
  await using news = topics({ keep: { messages: 9, age: 60_000 } });
  const { epoch } = (await news.publish("x", "1").settled)!;
  const { url } = serveTopics(news, { subscribe: () => true });
  for (const since of [`${epoch}x:0`, `${epoch}:2`, `${epoch}:9007199254740991`]) {
    const { socket, next } = await raw(url);
    socket.send(JSON.stringify({ subscribe: "x", since }));
    const { recovered, at } = JSON.parse(await next() as string);
    assertEquals([recovered, at], [false, `${epoch}:1`]);
    news.publish("y", "");
    socket.close();
  }
});

for (
  const message of ["hello", "1\nfor a topic", "0 5\nwith an offset", "{}", "{", new Uint8Array(9)]
) {
  test(`a server closes with 1008 on ${JSON.stringify(message)}`, async () => {
    await using news = topics();
    const { url } = serveTopics(news, { subscribe: () => true });
    const { socket, next } = await raw(url);
    socket.send(message);
    assertEquals(await next(), undefined);
    assertEquals((await socket.closed).closeCode, 1008);
  });
}

test("one client can't have more than 64 subscriptions asked for, or maxSubscriptions of them", async () => {
  await using news = topics({ maxSubscriptions: 3 });
  const waiting: ((answer: boolean) => void)[] = [];
  const { url } = serveTopics(news, {
    subscribe: () => new Promise((resolve) => waiting.push(resolve)),
  });
  const { socket, next } = await raw(url);
  for (let n = 0; n < 66; n++) socket.send(`{"subscribe":"${n}"}`);
  for (const name of ["64", "65"]) {
    assertEquals(JSON.parse(await next() as string), { refused: name, reason: "too many at once" });
  }
  assertEquals(waiting.length, 64);
  socket.send('{"unsubscribe":"0"}');
  socket.send('{"subscribe":"66"}');
  await eventually(() => waiting.length === 65, 5000, "a place for one more");
  for (const answer of waiting) answer(true);
  const answers = [];
  for (let n = 0; n < 64; n++) answers.push(JSON.parse(await next() as string));
  assertEquals(answers.filter(({ topic }) => topic !== undefined).map(({ name }) => name), [
    "1",
    "2",
    "3",
  ]);
  assert(answers.slice(3).every(({ reason }) => reason.includes("maxSubscriptions")));
});

test("slow feeds are told their gaps at the place", async () => {
  await using rooms = topics();
  const { url } = serveTopics(rooms, {
    subscribe: () => ({ whenSlow: "drop-oldest", maxWaiting: 2 }),
  });
  const feed = open(url, { topics: ["x"] });
  const events = feed[Symbol.asyncIterator]();
  await take(events, "subscribed");
  const data = "x".repeat(64 * 1024);
  let published = 0;
  // The loop takes nothing, until the server can't send any more.
  while (rooms.stats.dropped < 10 && published < 5000) {
    rooms.publish("x", `${++published} ${data}`);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert(rooms.stats.dropped >= 10, "the client is slow");
  const { dropped } = rooms.stats;
  let expected = 1;
  let missing = 0;
  while (expected <= published) {
    const { value } = await events.next();
    if (value?.type === "gap") {
      missing += value.count!;
      expected += value.count!;
    } else if (value?.type === "message") {
      assertEquals((value.data as string).split(" ")[0], `${expected++}`);
    }
  }
  assertEquals(missing, dropped);
});

test("subscriptions end with the connection, also those whose answer comes later", async () => {
  await using rooms = topics();
  let answer!: (isAllowed: boolean) => void;
  const { url, server } = serveTopics(rooms, {
    subscribe: (_socket, topic) =>
      topic === "later" ? new Promise((resolve) => answer = resolve) : true,
  });
  const { socket, next } = await raw(url);
  socket.send('{"subscribe":"now"}');
  await next();
  socket.send('{"subscribe":"later"}');
  await eventually(() => answer !== undefined, 5000, "subscribe() is called");
  socket.abort();
  await eventually(() => server.connections.size === 0, 5000, "the client has left");
  answer(true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals([rooms.size("now"), rooms.size("later"), rooms.stats.topics], [0, 0, 0]);
});
