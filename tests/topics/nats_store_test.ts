import type { BrokerEvents } from "../../src/topics/broker.ts";
import { NatsStore } from "../../src/topics/nats_store.ts";
import type { JetStream, NatsConnection, NatsMessage } from "../../src/topics/nats_types.ts";
import { assert, assertEquals, assertRejects, test } from "../harness.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

type Callback = (error: Error | null, message: NatsMessage) => void;

/** What happens to the messages of a consumer, by its number. */
type Fault = "lose one" | "lose the end" | "repeat" | "stall" | "forget" | undefined;

/** A stream whose odd numbers are messages of the topic `news`. It answers requests in the next turn. */
class FakeStream implements Pick<NatsConnection, "publish" | "subscribe" | "request"> {
  requests: string[] = [];
  /** The subjects that were published to. */
  published: string[] = [];
  readonly subscriptions = new Map<string, Callback>();
  #consumers = 0;

  /** @param last The last number, which is even. @param faults What happens to each consumer. */
  constructor(readonly last: number, readonly faults: Fault[] = []) {}

  subscribe(subject: string, { callback }: { callback: Callback }): { unsubscribe(): void } {
    this.subscriptions.set(subject, callback);
    return { unsubscribe: () => this.subscriptions.delete(subject) };
  }

  publish(subject: string): void {
    this.published.push(subject);
  }

  request(subject: string, payload: Uint8Array): Promise<{ data: Uint8Array }> {
    this.requests.push(subject);
    const answer = this.#answer(subject, JSON.parse(decoder.decode(payload)));
    const data = encoder.encode(JSON.stringify(answer));
    return new Promise((resolve) => setTimeout(() => resolve({ data }), 0));
  }

  #answer(
    subject: string,
    request: {
      seq?: number;
      last_by_subj?: string;
      config?: { deliver_subject: string; opt_start_seq: number };
    },
  ): unknown {
    const { last } = this;
    if (subject.includes("STREAM.INFO")) {
      return { created: "2026", config: {}, state: { first_seq: 1, last_seq: last } };
    }
    if (request.config !== undefined) {
      const { deliver_subject, opt_start_seq } = request.config;
      const seqs: number[] = [];
      for (let seq = opt_start_seq | 1; seq < last; seq += 2) seqs.push(seq);
      setTimeout(() => this.#deliver(deliver_subject, seqs, this.faults[this.#consumers++]), 0);
      return { num_pending: seqs.length, delivered: { consumer_seq: 0 } };
    }
    const asked = request.last_by_subj === undefined ? request.seq! : last - 1;
    const seq = asked | 1;
    if (seq > last) return { error: { code: 404, description: "no message found" } };
    return { message: { seq, data: btoa(`node ${seq} t -\n${seq}`) } };
  }

  #deliver(subject: string, seqs: number[], fault: Fault): void {
    const send = (message: Omit<NatsMessage, "subject">) =>
      this.subscriptions.get(subject)?.(null, { subject, ...message });
    for (const [n, seq] of seqs.entries()) {
      if (fault === "lose the end" && n > 2) {
        const get = (name: string) => name === "Nats-Last-Consumer" ? `${seqs.length}` : "";
        return send({ headers: { get }, data: new Uint8Array(0) });
      }
      if (fault === "forget" && n > 2) return;
      if (fault === "lose one" && n === 2) continue;
      const reply = `$JS.ACK.S.c.1.${seq}.${n + 1}.0.${seqs.length - n - 1}`;
      const data = encoder.encode(`node ${seq} t -\n${seq}`);
      send({ reply, data });
      if (fault === "repeat") send({ reply, data });
      if (fault === "stall" && n === 1) {
        send({ reply: "$JS.FC.S.c.1", data: new Uint8Array(0) });
        const get = (name: string) => name === "Nats-Last-Consumer" ? "2" : "$JS.FC.S.c.2";
        send({ headers: { get }, data: new Uint8Array(0) });
      }
    }
  }
}

function storeOf(stream: FakeStream): NatsStore {
  return new NatsStore(stream as unknown as NatsConnection, {} as JetStream, "S", "test");
}

function odd(count: number): number[] {
  return Array.from({ length: count }, (_, n) => 2 * n + 1);
}

test("NatsStore reads a history by one consumer, in few requests", async () => {
  const stream = new FakeStream(1000);
  const { publications, position, complete } = await storeOf(stream)
    .read("news", undefined, Infinity);
  assertEquals([position, complete], [{ epoch: "2026", offset: 1000 }, true]);
  assertEquals(publications.map(({ position }) => position!.offset), odd(500));
  assertEquals(publications.map(({ data }) => Number(data)), odd(500));
  assert(stream.requests.length < 8, `${stream.requests.length} requests`);
  assertEquals(stream.subscriptions.size, 0);
});

const FAULTS = [
  ["loses a message", "lose one"],
  ["loses the last messages", "lose the end"],
  ["repeats messages", "repeat"],
  ["waits for the flow control", "stall"],
] as const;

for (const [what, fault] of FAULTS) {
  test(`NatsStore reads a whole history if the connection ${what}`, async () => {
    const stream = new FakeStream(20, [fault]);
    const { publications, complete } = await storeOf(stream).read("news", undefined, Infinity);
    assertEquals(complete, true);
    assertEquals(publications.map(({ position }) => position!.offset), odd(10));
    const created = stream.requests.filter((subject) => subject.includes("CONSUMER.CREATE"));
    // After a lost message it continues with another consumer.
    assertEquals(created.length, fault.startsWith("lose") ? 2 : 1);
    // The flow control waits for its answers.
    assertEquals(stream.published, fault === "stall" ? ["$JS.FC.S.c.1", "$JS.FC.S.c.2"] : []);
    assertEquals(stream.subscriptions.size, 0);
  });
}

test("NatsStore rejects a read if each consumer loses a message", async () => {
  const stream = new FakeStream(1000, Array.from({ length: 100 }, () => "lose one"));
  await assertRejects(
    () => storeOf(stream).read("news", undefined, Infinity),
    DOMException,
    "lost again and again",
  );
  assertEquals(stream.subscriptions.size, 0);
});

test("NatsStore rejects a read if the broker sends no more", async () => {
  const stream = new FakeStream(100, ["forget"]);
  const startedAt = performance.now();
  await assertRejects(
    () => storeOf(stream).read("news", undefined, Infinity),
    DOMException,
    "has not sent",
  );
  assert(performance.now() - startedAt > 3900, "It waits for the messages");
  assertEquals(stream.subscriptions.size, 0);
});

test("NatsStore ends a read at stop()", async () => {
  const stream = new FakeStream(100, ["forget"]);
  const store = storeOf(stream);
  const read = assertRejects(() => store.read("news", undefined, Infinity), DOMException);
  setTimeout(() => store.stop(), 50);
  await read;
  assertEquals(stream.subscriptions.size, 0);
});

test("NatsStore reads nothing after the last message, and some with a limit", async () => {
  const stream = new FakeStream(100);
  const read = async (offset: number, limit: number) => {
    const since = { epoch: "2026", offset };
    const { publications, complete } = await storeOf(stream).read("news", since, limit);
    assertEquals(complete, true);
    return publications.map(({ position }) => position!.offset);
  };
  assertEquals(await read(99, Infinity), []);
  assertEquals(await read(97, Infinity), [99]);
  assertEquals(await read(10, 3), [11, 13, 15]);
  assertEquals(await read(10, 0), []);
});

/**
 * A stream with at most two messages of each subject: first `news` has had those of the numbers 2 to 4, and
 * then 5 to 9. Then the stream is deleted, and created again without messages.
 */
class ReplacedStream extends FakeStream {
  /** The number of messages of the stream, and how many of its requests come before it is replaced. */
  constructor(public override last: number, public left: number) {
    super(last);
  }

  override request(subject: string, payload: Uint8Array): Promise<{ data: Uint8Array }> {
    this.requests.push(subject);
    const isNew = this.left-- <= 0;
    const stored = isNew ? [] : [this.last - 1, this.last];
    const answer = this.#answerOf(subject, JSON.parse(decoder.decode(payload)), stored, isNew);
    return Promise.resolve({ data: encoder.encode(JSON.stringify(answer)) });
  }

  #answerOf(
    subject: string,
    request: { seq?: number; config?: { deliver_subject: string; opt_start_seq: number } },
    stored: number[],
    isNew: boolean,
  ): unknown {
    if (subject.includes("STREAM.INFO")) {
      return {
        created: isNew ? "2027" : "2026",
        config: { max_msgs_per_subject: 2 },
        // The first message is one of another topic.
        state: {
          first_seq: isNew ? 0 : 1,
          last_seq: isNew ? 0 : this.last,
          subjects: isNew ? {} : { "test.k.news": 2 },
        },
      };
    }
    if (request.config !== undefined) {
      const { deliver_subject, opt_start_seq } = request.config;
      const seqs = stored.filter((seq) => seq >= opt_start_seq);
      for (const [n, seq] of seqs.entries()) {
        const reply = `$JS.ACK.S.c.1.${seq}.${n + 1}.0.${seqs.length - n - 1}`;
        const data = encoder.encode(`node ${seq} t -\n${seq}`);
        this.subscriptions.get(deliver_subject)?.(null, { subject: deliver_subject, reply, data });
      }
      return { num_pending: seqs.length, delivered: { consumer_seq: 0 } };
    }
    const seq = request.seq === undefined
      ? stored.at(-1)
      : stored.find((other) => other >= request.seq!);
    if (seq === undefined) return { error: { code: 404, description: "no message found" } };
    return { message: { seq, data: btoa(`node ${seq} t -\n${seq}`) } };
  }
}

/** A number of requests that is more than a read or a new consumer sends. */
const MANY = 12;

test("NatsStore reads no history without its dropped messages if the stream is replaced", async () => {
  for (let left = 0; left <= MANY; left++) {
    const stream = new ReplacedStream(9, left);
    const since = { epoch: "2026", offset: 4 };
    const read = storeOf(stream).read("news", since, Infinity);
    const isComplete = await read.then(({ complete }) => complete, () => false);
    assertEquals(isComplete, false, `replaced before request ${left}`);
    assert(stream.requests.length < MANY, `${stream.requests.length} requests`);
  }
});

test("NatsStore tells of dropped messages before the next one if the stream is replaced", async () => {
  for (let left = 0; left <= MANY; left++) {
    const stream = new ReplacedStream(4, MANY);
    const store = storeOf(stream);
    const events: string[] = [];
    const target: BrokerEvents = {
      message() {},
      stored: (_topic, { position }) => events.push(`${position.epoch}:${position.offset}`),
      storeGap: () => events.push("gap"),
      lost() {},
      error: () => events.push("error"),
    };
    await store.follow("news", target);
    [stream.last, stream.left, stream.requests] = [9, left, []];
    store.renew(target, true);
    await new Promise((resolve) => setTimeout(resolve, 0));
    store.stop();
    // What follows an error is asked for again.
    const possible = [["error"], ["gap"], ["gap", "2026:8", "2026:9"]].map((all) => all.join());
    assert(possible.includes(events.join()), `replaced before request ${left}: ${events}`);
    assert(left < MANY || events.length === 3, `not replaced: ${events}`);
    assert(stream.requests.length < MANY, `${stream.requests.length} requests`);
  }
});
