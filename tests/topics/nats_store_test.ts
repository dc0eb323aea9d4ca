import { NatsStore } from "../../src/topics/nats_store.ts";
import type { JetStream, NatsConnection } from "../../src/topics/nats_types.ts";
import { assert, assertEquals, test } from "../harness.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A stream whose odd numbers are messages of the topic `news`. It answers requests in the next turn. */
class FakeStream {
  rounds = 0;
  requests = 0;
  #isAnswering = false;

  constructor(readonly last: number) {}

  request(subject: string, payload: Uint8Array): Promise<{ data: Uint8Array }> {
    this.requests++;
    if (!this.#isAnswering) {
      this.#isAnswering = true;
      this.rounds++;
      setTimeout(() => this.#isAnswering = false, 0);
    }
    const answer = this.#answer(subject, JSON.parse(decoder.decode(payload)));
    const data = encoder.encode(JSON.stringify(answer));
    return new Promise((resolve) => setTimeout(() => resolve({ data }), 0));
  }

  #answer(subject: string, request: { seq?: number; last_by_subj?: string }): unknown {
    const { last } = this;
    if (subject.includes("STREAM.INFO")) {
      return { created: "2026", config: {}, state: { first_seq: 1, last_seq: last } };
    }
    const asked = request.last_by_subj === undefined ? request.seq! : last - 1;
    const seq = asked % 2 === 1 ? asked : asked + 1;
    if (seq > last) return { error: { code: 404, description: "no message found" } };
    return { message: { seq, data: btoa(`node ${seq} t -\n${seq}`) } };
  }
}

test("NatsStore reads the parts of a history at the same time, in few rounds", async () => {
  const stream = new FakeStream(1000);
  const connection = stream as unknown as NatsConnection;
  const store = new NatsStore(connection, {} as JetStream, "S", "test");
  const { publications, position, complete } = await store.read("news", undefined, Infinity);
  assertEquals([position, complete], [{ epoch: "2026", offset: 1000 }, true]);
  assertEquals(
    publications.map(({ position }) => position!.offset),
    Array.from({ length: 500 }, (_, n) => 2 * n + 1),
  );
  // Each part asks once more, for what comes after it.
  assert(stream.requests < 600, `${stream.requests} requests`);
  assert(stream.rounds < 20, `${stream.rounds} rounds`);
});
