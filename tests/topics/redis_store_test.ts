import type { BrokerEvents } from "../../src/topics/broker.ts";
import { RedisStore } from "../../src/topics/redis_store.ts";
import type { Position } from "../../src/topics/types.ts";
import { assertEquals, test } from "../harness.ts";

/** A server that counts the histories of its topic, and begins one if it is told to. */
class FakeServer {
  histories = 0;
  #epoch = "";

  command(_name: string, ...args: string[]): Promise<unknown> {
    const newEpoch = args.at(-1)!;
    if (this.#epoch === "" && newEpoch !== "") this.#epoch = `e${++this.histories}`;
    return Promise.resolve([this.#epoch, "0", "1"]);
  }

  lose(): void {
    this.#epoch = "";
  }
}

test("RedisStore begins a history, and tells a gap, if a followed topic is read that has been lost", async () => {
  const gaps: [count: number | undefined, until: Position | undefined][] = [];
  const events: BrokerEvents = {
    message() {},
    stored() {},
    storeGap: (_topic, count, until) => gaps.push([count, until]),
    lost() {},
    error() {},
  };
  const server = new FakeServer();
  const store = new RedisStore("test", (name, ...args) => server.command(name, ...args));
  assertEquals((await store.read("news", undefined, 0, events)).position, { epoch: "", offset: 0 });
  await store.follow("news", events);
  assertEquals(
    (await store.read("news", undefined, 0, events)).position,
    { epoch: "e1", offset: 0 },
  );
  server.lose();
  const position = { epoch: "e2", offset: 0 };
  assertEquals((await store.read("news", undefined, 0, events)).position, position);
  assertEquals(gaps, [[undefined, position]]);
});
