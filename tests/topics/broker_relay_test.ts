import { BrokerRelay } from "../../src/topics/broker_relay.ts";
import type { RelayedMessage } from "../../src/topics/types.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  delay,
  eventually,
  onTestEnd,
  test,
} from "../harness.ts";
import { block } from "../support/block.ts";
import { FakeHub } from "./fake_broker.ts";

const HEARTBEAT = 50;

/** A node on a broker: its relay, and what it was told. */
async function node(hub: FakeHub, id: string, waits = true, heartbeat = HEARTBEAT) {
  const broker = hub.connect();
  const relay = new BrokerRelay(broker, { prefix: "test", heartbeat });
  const seen = {
    received: [] as unknown[],
    lost: [] as (number | undefined)[],
    states: [] as boolean[],
    errors: [] as string[],
  };
  onTestEnd(async () => await relay[Symbol.asyncDispose]());
  const started = relay.start({
    id,
    receive: ({ data }) => seen.received.push(data),
    gap: ({ count }) => seen.lost.push(count),
    state: (isUp) => seen.states.push(isUp),
    error: (error) => seen.errors.push((error as Error).message),
  });
  if (waits) await started;
  const send = (data: string) => relay.send({ topic: "x", data, node: id });
  return { broker, relay, send, started, ...seen };
}

type Node = Awaited<ReturnType<typeof node>>;

/** Two nodes that know each other; the second one receives the topic. */
async function pair() {
  const hub = new FakeHub();
  const [a, b] = [await node(hub, "a"), await node(hub, "b")];
  await b.relay.subscribe("x", false);
  return { hub, a, b };
}

/** Sends a message to a node that does not receive it. */
async function sendUnreceived(from: Node, to: Node, data: string): Promise<void> {
  to.broker.isDeaf = true;
  from.send(data);
  await delay(1);
  to.broker.isDeaf = false;
}

test("BrokerRelay carries messages to the other nodes that receive the topic", async () => {
  const { a, b } = await pair();
  const confirm = a.send("1");
  b.send("own");
  await confirm();
  assertEquals([a.received, b.received, b.lost], [[], ["1"], []]);
});

test("BrokerRelay counts what a node has missed while its broker's client was deaf", async () => {
  const { a, b } = await pair();
  a.send("1");
  await delay(1);
  b.broker.isDeaf = true;
  for (let n = 2; n <= 4; n++) a.send(`${n}`);
  await eventually(() => b.states.includes(false), 5000, "the broker is out of reach");
  // The other node has said all its heartbeats with the number by now.
  await delay(4 * HEARTBEAT);
  assert(b.broker.renewals > 0);
  b.broker.isDeaf = false;
  await eventually(() => b.lost.length > 0, 5000, "the loss");
  a.send("5");
  await delay(1);
  assertEquals([b.received, b.lost], [["1", "5"], [3]]);
});

test("BrokerRelay announces again what it has sent while the broker was out of reach", async () => {
  const { a, b } = await pair();
  a.send("1");
  await delay(1);
  a.broker.isMute = true;
  await eventually(() => a.states.includes(false), 5000, "the broker is out of reach");
  a.send("2");
  await delay(5 * HEARTBEAT);
  assertEquals(b.lost, []);
  a.broker.isMute = false;
  await eventually(() => b.lost.length > 0, 5000, "the loss");
  assertEquals([b.received, b.lost], [["1"], [1]]);
});

test("BrokerRelay tells of its last numbers when it ends", async () => {
  const { hub, a, b } = await pair();
  a.send("1");
  await delay(1);
  await sendUnreceived(a, b, "2");
  await a.relay[Symbol.asyncDispose]();
  await delay(1);
  assertEquals([b.received, b.lost, hub.said("bye").length], [["1"], [1], 1]);
});

/** Lets a node send to as many topics as a heartbeat announces. */
function sendToOthers({ relay }: { relay: BrokerRelay }) {
  for (let n = 0; n < 500; n++) relay.send({ topic: `other/${n}`, data: "", node: "a" });
}

test("BrokerRelay announces all topics, if a heartbeat is too short for those with messages", async () => {
  const { a, b } = await pair();
  sendToOthers(a);
  await sendUnreceived(a, b, "1");
  const timer = setInterval(() => sendToOthers(a), HEARTBEAT / 2);
  onTestEnd(() => clearInterval(timer));
  await eventually(() => b.lost.length > 0, 3000, "the loss");
  assertEquals(b.lost, [1]);
});

test("BrokerRelay tells of the last numbers of all topics when it ends", async () => {
  const { hub, a, b } = await pair();
  sendToOthers(a);
  await sendUnreceived(a, b, "1");
  await a.relay[Symbol.asyncDispose]();
  await delay(1);
  assertEquals([b.lost, hub.said("bye").length], [[1], 2]);
});

test("BrokerRelay settles everything that is pending when it ends", async () => {
  const { a } = await pair();
  const stored = a.relay.store({ topic: "k", data: "1", node: "a" }, { messages: 1, age: 1 });
  a.broker.isMute = true;
  const confirmed = a.send("1")();
  const ready = a.relay.subscribe("y", false);
  await Promise.all([
    assertRejects(() => stored, DOMException, "the relay has ended"),
    assertRejects(() => confirmed, DOMException, "the connection was lost"),
    a.relay[Symbol.asyncDispose](),
  ]);
  await ready;
});

test("BrokerRelay tells a later subscriber's caller only once earlier losses are reported", async () => {
  const { a, b } = await pair();
  a.send("1");
  await delay(1);
  await sendUnreceived(a, b, "2");
  assertEquals(b.lost, []);
  await b.relay.subscribe("x", false);
  assertEquals(b.lost, [1]);
});

test("BrokerRelay shares one question among subscribers of the same time", async () => {
  const { hub, b } = await pair();
  const before = hub.said("question").length;
  await Promise.all(Array.from({ length: 100 }, () => b.relay.subscribe("x", false)));
  assert(hub.said("question").length - before <= 3, `${hub.said("question").length - before}`);
});

test("BrokerRelay repeats a question to a node that could not receive it", async () => {
  const hub = new FakeHub();
  // Long heartbeats, so that a busy machine does not prolong one until the question has timed out.
  const start = (id: string) => node(hub, id, true, 500);
  const [a, b, c] = [await start("a"), await start("b"), await start("c")];
  const heartbeats = () => hub.said("heartbeat").filter(({ node }) => node === "a").length;
  await eventually(() => heartbeats() > 1, 2000, "they know each other");
  a.broker.isDeaf = true;
  const subscribed = b.relay.subscribe("x", false);
  await delay(5);
  a.broker.isDeaf = false;
  await subscribed;
  const { question, topics } = hub.said("question").find(({ to }) => to === "a")!;
  assertEquals(topics, ["x"]);
  const answers = hub.said("answer").filter((answer) =>
    answer.to === "b" && answer.question === question
  );
  assertEquals(answers.map(({ node }) => node), ["c", "a"]);
  // A loss at once after that is counted.
  await sendUnreceived(a, b, "1");
  await eventually(() => b.lost.length > 0, 2000, "the lost message");
  assertEquals([b.lost, b.received, c.lost], [[1], [], []]);
});

test("BrokerRelay asks all nodes again, if its question came back only as one to a single node", async () => {
  const hub = new FakeHub();
  const start = (id: string) => node(hub, id, true, 200);
  const [a, b] = [await start("a"), await start("b")];
  await b.relay.subscribe("x", false);
  await eventually(() => hub.said("heartbeat").length > 3, 2000, "they know each other");
  b.broker.isMute = true;
  const subscribed = b.relay.subscribe("x", false);
  await delay(1);
  b.broker.isMute = false;
  // This node has not heard the question. Its message is of before the subscription.
  const c = await start("c");
  await sendUnreceived(c, b, "1");
  await subscribed;
  assertEquals(b.lost, [1]);
  assert(hub.said("question").some(({ node, to }) => node === "b" && to === "a"), "a repetition");
  assertEquals([a.lost, b.received, b.states], [[], [], [true]]);
});

test("BrokerRelay asks a node that is heard but deaf until it answers", async () => {
  const { a, b } = await pair();
  b.broker.isDeaf = true;
  a.send("1");
  await eventually(() => b.states.includes(false), 5000, "the broker is out of reach");
  // The other node neither announces the message any more, nor does so when it is no longer deaf.
  await delay(6 * HEARTBEAT);
  a.broker.isDeaf = true;
  b.broker.isDeaf = false;
  await eventually(() => b.states.at(-1) === true, 5000, "the broker is within reach");
  // The time for an answer is over.
  await delay(4 * HEARTBEAT);
  assertEquals(b.lost, []);
  a.broker.isDeaf = false;
  await eventually(() => b.lost.length > 0, 1000, "the loss");
  a.send("2");
  await delay(1);
  assertEquals([b.received, b.lost], [["2"], [1]]);
});

test("BrokerRelay notes in time that the broker is lost after a block of the event loop", async () => {
  const hub = new FakeHub();
  const { broker, states } = await node(hub, "a");
  const [channel, payload] = hub.log.find(([, text]) => text.includes('"heartbeat"'))!;
  block(20 * HEARTBEAT);
  broker.deliver(channel, payload);
  broker.isMute = true;
  const started = performance.now();
  await eventually(() => states.at(-1) === false, 5000, "the broker is lost");
  assert(performance.now() - started < 10 * HEARTBEAT, `${performance.now() - started} ms`);
});

test("BrokerRelay asks for the numbers of all topics after a block of the event loop", async () => {
  const { hub, b } = await pair();
  const asked = () => hub.said("question").filter(({ node }) => node === "b");
  await delay(2 * HEARTBEAT);
  const before = asked().length;
  block(5 * HEARTBEAT);
  await eventually(() => asked().length > before, 2000, "a question");
  assertEquals([asked().at(-1)!.topics, b.states], [["x"], [true]]);
});

test("BrokerRelay asks for the numbers of all topics, if a heartbeat has not come back", async () => {
  const { hub, b } = await pair();
  const said = (type: string) => hub.said(type).filter(({ node }) => node === "b");
  await delay(2 * HEARTBEAT);
  const [heartbeats, questions] = [said("heartbeat").length, said("question").length];
  b.broker.isDeaf = true;
  await eventually(() => said("heartbeat").length > heartbeats, 2000, "a heartbeat");
  b.broker.isDeaf = false;
  await eventually(() => said("question").length > questions, 2000, "a question");
  assertEquals(said("question")[questions]!.topics, ["x"]);
});

test("BrokerRelay does not count a block of its event loop as silence of another node", async () => {
  const hub = new FakeHub();
  const { relay, lost } = await node(hub, "b");
  await relay.subscribe("x", false);
  const asked = () => hub.said("question");
  const say = (control: object) => hub.publish("test.n", JSON.stringify({ node: "a", ...control }));
  const answer = (x: number) =>
    say({ type: "answer", to: "b", question: asked().at(-1)!.question, age: 1, numbers: { x } });
  const isAskedAgain = async () => {
    const before = asked().length;
    await eventually(() => asked().length > before, 2000, "a question");
  };
  const heartbeat = { type: "heartbeat", instance: "a", numbers: {} };
  say(heartbeat);
  await isAskedAgain();
  answer(0);
  await delay(2 * HEARTBEAT);
  // The connection was lost during the block: a question after it is not answered.
  block(5 * HEARTBEAT);
  await isAskedAgain();
  await delay(HEARTBEAT);
  say(heartbeat);
  await delay(1);
  assert(asked().some(({ to }) => to === "a"));
  answer(1);
  await eventually(() => lost.length > 0, 1000, "the loss");
  assertEquals(lost, [1]);
});

/** Advances the clock by minutes, in steps with heartbeats between them. */
async function passMinutes(minutes: number) {
  const { now } = performance;
  let shift = 0;
  onTestEnd(() => {
    performance.now = now;
  });
  performance.now = () => now.call(performance) + shift;
  while (shift < minutes * 60_000) {
    shift += 240_000;
    await delay(3 * HEARTBEAT);
  }
}

test("BrokerRelay counts from the start a topic that was not used for long", async () => {
  const { a, b } = await pair();
  for (let n = 1; n <= 3; n++) a.send(`${n}`);
  await delay(1);
  await passMinutes(24);
  a.send("4");
  await delay(1);
  await sendUnreceived(a, b, "5");
  a.send("6");
  await delay(1);
  assertEquals([b.received, b.lost], [["1", "2", "3", "4", "6"], [1]]);
});

test("BrokerRelay counts what it has missed while the broker was out of reach for long", async () => {
  const { a, b } = await pair();
  a.send("1");
  await delay(1);
  b.broker.isDeaf = true;
  await eventually(() => b.states.includes(false), 5000, "the broker is out of reach");
  await passMinutes(12);
  a.send("2");
  a.send("3");
  // The other node no longer announces it.
  await delay(5 * HEARTBEAT);
  b.broker.isDeaf = false;
  await eventually(() => b.lost.length > 0, 1000, "the loss");
  a.send("4");
  await delay(1);
  assertEquals([b.received, b.lost], [["1", "4"], [2]]);
});

test("BrokerRelay starts once the broker is within reach", async () => {
  const hub = new FakeHub();
  const broker = hub.connect();
  broker.isDeaf = true;
  const relay = new BrokerRelay(broker, { prefix: "test", heartbeat: HEARTBEAT });
  onTestEnd(async () => await relay[Symbol.asyncDispose]());
  let isStarted = false;
  const callbacks = { receive(_: RelayedMessage) {}, gap() {}, state() {}, error() {} };
  const started = relay.start({ id: "a", ...callbacks }).then(() => isStarted = true);
  await eventually(() => broker.renewals > 0, 5000, "a renewal");
  assertEquals(isStarted, false);
  broker.isDeaf = false;
  await started;
});

test("two nodes with one id are reported, once each", async () => {
  const hub = new FakeHub();
  const [a, b] = [await node(hub, "same"), await node(hub, "same")];
  await delay(4 * HEARTBEAT);
  const error = ["Another node has the id same"];
  assertEquals([a.errors, b.errors], [error, error]);
  // The heartbeats of one do not keep the other up.
  a.broker.isMute = true;
  await eventually(() => a.states.includes(false), 5000, "the broker is out of reach");
});

test("garbage on the channels of a relay does nothing", async () => {
  const { hub, a, b } = await pair();
  const garbage = [
    "",
    "{",
    "null",
    "a 1 t -",
    "\0".repeat(1000),
    new Uint8Array([0xff, 0x0a]),
    '{"type":"heartbeat","node":"ghost","instance":"","numbers":{"x":9007199254740991,"__proto__":1}}',
    '{"type":"answer","node":"ghost","to":"b","question":1e9,"age":0,"numbers":{"x":5}}',
    '{"type":"question","node":"ghost","question":1,"topics":["__proto__","constructor"]}',
    '{"type":"bye","node":"ghost","age":1,"numbers":{"x":5}}',
  ];
  for (const channel of ["test.n", "test.t.x", "test.t.unknown"]) {
    for (const payload of garbage) hub.publish(channel, payload);
  }
  await a.send("1")();
  await delay(3 * HEARTBEAT);
  assertEquals([b.received, b.lost, a.errors, b.errors], [["1"], [], [], []]);
});

test("a message that comes twice is received once", async () => {
  const { hub, a, b } = await pair();
  await a.send("1")();
  const [channel, payload] = hub.log.find(([, payload]) => payload.endsWith("\n1"))!;
  hub.publish(channel, payload);
  await a.send("2")();
  assertEquals([b.received, b.lost], [["1", "2"], []]);
});
