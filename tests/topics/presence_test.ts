import { presence, topics } from "../../src/topics/mod.ts";
import type { Presence, PresenceChange, Relay, RelayNode, Topics } from "../../src/topics/mod.ts";
import {
  assert,
  assertEquals,
  assertThrows,
  delay,
  eventually,
  onTestEnd,
  test,
} from "../harness.ts";
import { block } from "../support/block.ts";
import { FakePeer, PlainPeer } from "./fake_peer.ts";

interface State {
  name: string;
}

function make(options: Parameters<typeof presence>[1] = {}, rooms?: Topics) {
  const own = rooms ?? topics();
  const people = presence<State>(own, { interval: 50, grace: 100, ...options });
  onTestEnd(async () => {
    await people[Symbol.asyncDispose]();
    if (rooms === undefined) await own[Symbol.asyncDispose]();
  });
  return { rooms: own, people };
}

/** Collects the changes of a topic until the test ends. */
function watch(people: Presence<State>, topic: string): PresenceChange<State>[] {
  const changes: PresenceChange<State>[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const change of people.changes(topic, { signal: stop.signal })) changes.push(change);
  })();
  onTestEnd(async () => {
    stop.abort();
    await watching;
  });
  return changes;
}

/** A node that watches the topic "x" and hears the other nodes. */
async function watching() {
  const { rooms, people: here } = make({ grace: 0 });
  watch(here, "x");
  await delay(10);
  return { rooms, here };
}

/** Collects the messages of a type between nodes. */
function listen(rooms: Topics, topic: string, type: string) {
  const heard: {
    node: string;
    to?: string;
    question?: number;
    set?: unknown;
    versions?: unknown;
    rest?: number;
  }[] = [];
  const send = (data: unknown) => {
    const message = JSON.parse(data as string);
    if (message.type === type) heard.push(message);
  };
  rooms.subscribe({ readyState: 1, send, close() {} }, topic);
  return heard;
}

/** A change in a form that is easy to compare. */
function shape({ joined, changed, left, count }: PresenceChange<State>) {
  return [[...joined.keys()].sort(), [...changed.keys()].sort(), [...left].sort(), count];
}

test("presence tells who is there first, then joins, changes and leaves, gathered", async () => {
  const { people } = make();
  const [a, b] = [new FakePeer(), new FakePeer()];
  const ada = people.join(a, "lobby", "ada", { name: "Ada" });
  const changes = watch(people, "lobby");
  await eventually(() => changes.length === 1, 5000, "the members of now");
  people.join(b, "lobby", "bob", { name: "Bob" });
  ada.update({ name: "Ada L." });
  assertEquals(people.count("lobby"), 2);
  await eventually(() => changes.length === 2, 5000, "a change");
  b.end();
  await eventually(() => changes.length === 3, 5000, "the leave");
  assertEquals(changes.map(shape), [
    [["ada"], [], [], 1],
    [["bob"], ["ada"], [], 2],
    [[], [], ["bob"], 1],
  ]);
  assertEquals([...people.members("lobby")], [["ada", { name: "Ada L." }]]);
});

test("a member is a key: it leaves with its last connection, after the grace", async () => {
  const { people } = make({ grace: 80 });
  const changes = watch(people, "x");
  const [phone, laptop] = [new FakePeer(), new FakePeer()];
  people.join(phone, "x", "ada", { name: "Ada" });
  people.join(laptop, "x", "ada", { name: "Ada" });
  await eventually(() => changes.at(-1)?.count === 1, 5000, "one member");
  phone.end();
  await delay(150);
  assertEquals(people.count("x"), 1);
  // A reload: the connection is replaced within the grace.
  laptop.end();
  people.join(new FakePeer(), "x", "ada", { name: "Ada" });
  await delay(200);
  assertEquals(changes.flatMap(({ left }) => left), []);
  assertEquals(people.count("x"), 1);
});

test("1,000 members that join and leave within a second are told in three changes at most", async () => {
  const { people } = make({ interval: 1000, grace: 0 });
  const changes = watch(people, "x");
  await delay(0);
  const peers = Array.from({ length: 1000 }, () => new FakePeer());
  for (const [n, peer] of peers.entries()) people.join(peer, "x", `${n}`, { name: `${n}` });
  await delay(500);
  for (const peer of peers) peer.end();
  await eventually(() => people.count("x") === 0, 5000, "all have left");
  await eventually(() => changes.at(-1)?.count === 0, 5000, "the last change");
  await delay(1100);
  assert(changes.length <= 3, `${changes.length} changes`);
});

test("above maxMembers only the count is told", async () => {
  const { people } = make({ maxMembers: 10 });
  for (let n = 0; n < 20; n++) people.join(new FakePeer(), "x", `${n}`, { name: "" });
  const changes = watch(people, "x");
  await eventually(() => changes.length === 1, 5000, "a change");
  assertEquals(shape(changes[0]!), [[], [], [], 20]);
});

test("a peer that says nothing of its end is found, and leave() ends a membership at once", async () => {
  const { people } = make({ grace: 0 });
  const silent = new PlainPeer();
  people.join(silent, "x", "a", { name: "" });
  const { leave, update } = people.join(new FakePeer(), "x", "b", { name: "" });
  leave();
  leave();
  update({ name: "ignored" });
  silent.readyState = 3;
  await eventually(() => people.count("x") === 0, 5000, "nobody is there");
  assertThrows(() => people.join(silent, "x", "a", { name: "" }), DOMException, "not open");
  for (
    const [options, name, most] of [
      [{ grace: -1 }, "grace", 2 ** 31 - 1],
      [{ interval: 2 ** 31 }, "interval", 2 ** 31 - 1],
      [{ grace: "5" as unknown as number }, "grace", 2 ** 31 - 1],
      [{ maxMembers: NaN }, "maxMembers", Infinity],
    ] as const
  ) {
    const message = `Cannot use option ${name} of presence(): expected a number from 0 to ${most}`;
    assertThrows(() => presence(topics(), options), RangeError, message);
  }
});

test("two nodes on the same topics see each other's members, and lose them with the node", async () => {
  const { rooms, people: here } = make({ grace: 0 });
  const there = presence<State>(rooms, { grace: 0 });
  there.join(new FakePeer(), "x", "early", { name: "" });
  const changes = watch(here, "x");
  await eventually(() => here.count("x") === 1, 5000, "who was there before");
  const both = new FakePeer();
  here.join(both, "x", "both", { name: "here" });
  there.join(new FakePeer(), "x", "both", { name: "there" });
  await eventually(() => there.count("x") === 2 && here.count("x") === 2, 5000, "two members");
  both.end();
  await delay(200);
  assertEquals(here.members("x").get("both"), { name: "there" });
  await there[Symbol.asyncDispose]();
  await eventually(() => here.count("x") === 0, 5000, "none is left");
  await eventually(() => changes.at(-1)?.count === 0, 5000, "the last change");
  assertEquals(changes.flatMap(({ left }) => left).sort(), ["both", "early"]);
});

test("the members of a node that is silent leave within four seconds", async () => {
  const { rooms, here } = await watching();
  // What a node that was killed has said.
  const node = "a0000000-0000-0000-0000-000000000000";
  const set = [["ghost", { name: "" }]];
  rooms.publish("\0presence/x", JSON.stringify({ node, type: "all", version: 1, set }));
  await eventually(() => here.count("x") === 1, 5000, "the member of the other node");
  const started = performance.now();
  await eventually(() => here.count("x") === 0, 10_000, "the member has left");
  const time = performance.now() - started;
  assert(time > 2000 && time < 4500, `${time} ms`);
  // The node was only out of reach: it is asked for its members until it has answered.
  const asked = listen(rooms, "\0presence/", "request");
  const say = (topic: string, message: object) =>
    rooms.publish(`\0presence/${topic}`, JSON.stringify({ node, ...message }));
  for (let n = 0; n < 3; n++) say("", { type: "heartbeat" });
  await eventually(() => asked.length === 1, 5000, "a question to the node");
  await delay(700);
  say("", { type: "heartbeat" });
  await eventually(() => asked.length === 2, 5000, "the question again");
  assertEquals(asked.map(({ to }) => to), [node, node]);
  // An answer to an earlier question, or to another node, was on its way for longer.
  const { node: to, question } = asked[0]!;
  const answer = { type: "told", to, versions: [["x", 1], ["other", 5]], rest: 0 };
  say("", { ...answer, question: question! - 1 });
  say("", { ...answer, to: "another", question });
  // The members of a topic were lost before this answer, the last part of which tells of another topic.
  say("", { ...answer, question, rest: 1 });
  say("", { ...answer, question, versions: [] });
  await delay(700);
  say("", { type: "heartbeat" });
  await eventually(() => asked.length === 3, 5000, "the question once more");
  say("x", { type: "all", version: 1, set });
  // A first part does not end the questions.
  const last = asked[2]!.question;
  say("", { ...answer, question: last, rest: 1 });
  await delay(700);
  say("", { type: "heartbeat" });
  await eventually(() => asked.length === 4, 5000, "the question after a part of an answer");
  say("", { ...answer, question: last });
  await eventually(() => here.count("x") === 1, 5000, "the member is back");
  await delay(700);
  say("", { type: "heartbeat" });
  await delay(50);
  assertEquals(asked.length, 4);
});

test("a block of the event loop does not prolong the silence of a node that was heard after it", async () => {
  const { rooms, here } = await watching();
  block(2500);
  const node = "c0000000-0000-0000-0000-000000000000";
  const set = [["ghost", { name: "" }]];
  rooms.publish("\0presence/x", JSON.stringify({ node, type: "all", version: 1, set }));
  const started = performance.now();
  await eventually(() => here.count("x") === 1, 5000, "the member of the other node");
  await eventually(() => here.count("x") === 0, 10_000, "the member has left");
  const time = performance.now() - started;
  assert(time > 2000 && time < 4200, `${time} ms`);
});

test("a node that is heard for the first time is asked for its members", async () => {
  const { rooms, people } = make({ grace: 0 });
  const asked = listen(rooms, "\0presence/", "request");
  const heartbeat = (node: string) =>
    rooms.publish("\0presence/", JSON.stringify({ node, type: "heartbeat" }));
  heartbeat("a");
  await delay(50);
  assertEquals(asked.length, 0); // No topic is of interest yet.
  people.join(new FakePeer(), "x", "a", { name: "A" });
  heartbeat("a");
  heartbeat("b");
  await eventually(() => asked.length > 1, 5000, "a question to each");
  assertEquals(asked.map(({ to }) => to), ["a", "b"]);
});

test("a node that is asked sends its members of all topics, then answers", async () => {
  const { rooms, people } = make({ grace: 0 });
  people.join(new FakePeer(), "x", "a", { name: "A" });
  people.join(new FakePeer(), "y", "b", { name: "B" });
  const heartbeats = listen(rooms, "\0presence/", "heartbeat");
  await eventually(() => heartbeats.length > 0, 5000, "a heartbeat");
  const to = heartbeats[0]!.node;
  const [x, y, told] = [
    listen(rooms, "\0presence/x", "all"),
    listen(rooms, "\0presence/y", "all"),
    listen(rooms, "\0presence/", "told"),
  ];
  const ask = (to: string) =>
    rooms.publish("\0presence/", JSON.stringify({ node: "c", type: "request", to, question: 7 }));
  ask("another");
  ask(to);
  await eventually(() => told.length > 0, 5000, "the answer");
  await delay(20);
  assertEquals(told.map(({ to, question }) => [to, question]), [["c", 7]]);
  assertEquals(told.map(({ versions, rest }) => [versions, rest]), [[[["x", 1], ["y", 1]], 0]]);
  assertEquals(x.map(({ set }) => set), [[["a", { name: "A" }]]]);
  assertEquals(y.map(({ set }) => set), [[["b", { name: "B" }]]]);
});

test("a diff that is missed is asked for again", async () => {
  const { rooms, here } = await watching();
  const asked: unknown[] = [];
  rooms.subscribe({ readyState: 1, send: (data) => asked.push(data), close() {} }, "\0presence/x");
  const node = "b0000000-0000-0000-0000-000000000000";
  const diff = { node, type: "diff", version: 3, set: [["a", { name: "" }]], left: [] };
  rooms.publish("\0presence/x", JSON.stringify(diff));
  const isAsked = () => asked.some((text) => JSON.parse(text as string).to === node);
  await eventually(isAsked, 5000, "a question to the node");
  for (const garbage of ["", "{", "[]", "{}", '{"node":1}', '{"node":"a","type":"none"}']) {
    rooms.publish("\0presence/x", garbage);
  }
  await delay(10);
  assertEquals(here.count("x"), 0);
});

test("presence ignores messages of a form that no node sends", async () => {
  const { rooms, here } = await watching();
  const bodies = [
    { type: "all", version: 1 },
    { type: "all", version: "1", set: [["k", 1]] },
    { type: "all", version: 1, set: [1] },
    { type: "all", version: 1, set: [[1, 2]] },
    { type: "diff", version: 1, set: [["k", 1]] },
    { type: "diff", version: 1, set: {}, left: [] },
    { type: "diff", version: 1, set: [], left: [1] },
    { type: "request", to: 1 },
    { type: "request", question: "1" },
    { type: "told", to: 1, question: 1, versions: [], rest: 0 },
    { type: "told", to: "b", question: 1, versions: [1], rest: 0 },
    { type: "told", to: "b", question: 1, versions: [["x"]], rest: 0 },
    { type: "told", to: "b", question: 1, versions: [] },
  ];
  for (const body of bodies) {
    for (const topic of ["\0presence/x", "\0presence/"]) {
      rooms.publish(topic, JSON.stringify({ node: "a", ...body }));
    }
  }
  await delay(10);
  assertEquals(here.count("x"), 0);
  rooms.publish(
    "\0presence/x",
    JSON.stringify({ node: "a", type: "all", version: 1, set: [["k", { name: "K" }]] }),
  );
  await delay(10);
  assertEquals(here.count("x"), 1);
});

test("messages that are missing before another are asked for", async () => {
  const sent: { topic: string; type: string }[] = [];
  let node!: RelayNode;
  const relay: Relay = {
    start: (started) => (node = started, Promise.resolve()),
    subscribe: () => Promise.resolve(),
    unsubscribe() {},
    send({ topic, data }) {
      sent.push({ topic, type: JSON.parse(data as string).type });
      return () => Promise.resolve();
    },
    store: () => Promise.reject(new Error("not used")),
    read: () => Promise.reject(new Error("not used")),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const rooms = topics({ relay });
  onTestEnd(async () => await rooms[Symbol.asyncDispose]());
  watch(make({}, rooms).people, "x");
  const requests = () => sent.filter(({ type }) => type === "request").map(({ topic }) => topic);
  await eventually(() => requests().length === 1, 5000, "the first question");
  const topic = "\0presence/x";
  node.gap({ topic, count: 1, why: "relay" });
  node.receive({ topic, data: "{}", node: "other", number: 2 });
  await eventually(() => requests().length === 2, 5000, "a question after the gap");
  assertEquals(requests(), [topic, topic]);
});
