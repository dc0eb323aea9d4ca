import { HistoryStore, TopicHistory } from "../../src/topics/history.ts";
import { assert, assertEquals, delay, eventually, onTestEnd, test } from "../harness.ts";

function make(maxMemory = 1e6) {
  const expired: string[] = [];
  const store = new HistoryStore(maxMemory, ({ topic }) => expired.push(topic));
  onTestEnd(() => store.close());
  return { store, expired };
}

const keep = (messages: number, age = 60_000, bytes?: number) =>
  bytes === undefined ? { messages, age } : { messages, age, bytes };

function fill(store: HistoryStore, history: TopicHistory, count: number): void {
  for (let n = 1; n <= count; n++) store.append(history, `${n}`);
}

test("TopicHistory numbers messages from 1, and reads those after a position", () => {
  const { store } = make();
  const history = new TopicHistory("x", keep(10));
  assertEquals([history.position.offset, history.isEmpty], [0, true]);
  fill(store, history, 5);
  const { epoch } = history.position;
  const read = (since: number | undefined, limit?: number) => {
    const position = since === undefined ? undefined : { epoch, offset: since };
    const { publications, complete } = history.read(position, limit);
    return [publications.map(({ data }) => data).join(""), complete];
  };
  assertEquals(read(undefined), ["12345", true]);
  assertEquals([read(0), read(3), read(5)], [["12345", true], ["45", true], ["", true]]);
  assertEquals(read(1, 2), ["23", true]);
  for (const offset of [6, -1, 1.5, NaN, Infinity]) assertEquals(read(offset), ["", false]);
  assertEquals(history.read({ epoch: `${epoch}x`, offset: 5 }).complete, false);
});

test("each TopicHistory has an epoch of its own", () => {
  const epochs = Array.from({ length: 100 }, () => new TopicHistory("x", keep(1)).position.epoch);
  assertEquals(new Set(epochs).size, 100);
});

test("HistoryStore bounds a history by messages and by bytes", () => {
  const { store } = make();
  const few = new TopicHistory("few", keep(2));
  const small = new TopicHistory("small", keep(100, 60_000, 100));
  fill(store, few, 5);
  assertEquals(few.read(undefined).publications.map(({ data }) => data), ["4", "5"]);
  for (let n = 0; n < 5; n++) store.append(small, new Uint8Array(40));
  assertEquals([small.read(undefined).publications.length, small.position.offset], [2, 5]);
  store.append(small, new Uint8Array(101));
  assertEquals([small.isEmpty, small.position.offset], [true, 6], "larger than the limit");
  assertEquals(store.messages, 2);
});

test("HistoryStore drops the oldest of all topics over its memory, and counts what is left", () => {
  const { store } = make(1000);
  const [a, b] = [new TopicHistory("a", keep(1e6)), new TopicHistory("b", keep(1e6))];
  for (let n = 0; n < 50; n++) {
    store.append(n % 2 === 0 ? a : b, new Uint8Array(90));
    assert(store.bytes <= 1000, `${store.bytes}`);
  }
  const left = [a, b].map((history) => history.read(undefined).publications.length);
  assertEquals([left, store.messages], [[2, 2], 4]);
  assertEquals(a.read({ epoch: a.position.epoch, offset: 22 }).complete, false);
  assertEquals(a.read({ epoch: a.position.epoch, offset: 23 }).complete, true);
});

test("HistoryStore expires messages by age, then their history, and leaves no memory", async () => {
  const { store, expired } = make();
  const [short, long] = [new TopicHistory("short", keep(9, 30)), new TopicHistory("long", keep(9))];
  fill(store, short, 3);
  fill(store, long, 1);
  await eventually(() => expired.length > 0, 5000, "an expired history");
  assertEquals([expired, short.isEmpty, store.messages], [["short"], true, 1]);
});

test("an empty history lingers for its age", async () => {
  const { store, expired } = make();
  const history = new TopicHistory("x", keep(9, 60));
  store.linger(history);
  await delay(20);
  assertEquals(expired, []);
  await eventually(() => expired.length === 1, 5000, "the end of the history");
});

test("HistoryStore stays correct while many topics drop messages in the middle", () => {
  const { store } = make(Infinity);
  const all = Array.from({ length: 50 }, (_, n) => new TopicHistory(`${n}`, keep(1 + n % 7)));
  for (let n = 0; n < 20_000; n++) store.append(all[(n * 31) % 50]!, `${n}`);
  for (const history of all) {
    const { publications, position } = history.read(undefined);
    const offsets = publications.map(({ position }) => position!.offset);
    const { messages } = history.keep;
    assertEquals(
      offsets,
      Array.from({ length: messages }, (_, n) => position.offset - messages + 1 + n),
    );
  }
  assertEquals(store.messages, all.reduce((sum, history) => sum + history.keep.messages, 0));
});
