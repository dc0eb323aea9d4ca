import { redisRelay, topics } from "../../src/topics/mod.ts";
import type { Peer, RedisClient } from "../../src/topics/mod.ts";
import { assertEquals, delay, test } from "../harness.ts";

type Listener = (message: string, channel: string) => void;

/** A client like Bun's, with a server that passes on what it publishes. */
class FakeBunClient {
  onclose: (() => void) | null = null;
  readonly listeners = new Map<string, Listener>();

  constructor(readonly all: FakeBunClient[] = []) {
    all.push(this);
  }

  duplicate(): Promise<FakeBunClient> {
    return Promise.resolve(new FakeBunClient(this.all));
  }

  connect(): Promise<void> {
    return Promise.resolve();
  }

  subscribe(channel: string, listener: Listener): Promise<void> {
    this.listeners.set(channel, listener);
    return Promise.resolve();
  }

  unsubscribe(channel: string): Promise<void> {
    this.listeners.delete(channel);
    return Promise.resolve();
  }

  send(_command: string, [channel, message]: [string, string]): Promise<void> {
    for (const { listeners } of this.all) listeners.get(channel)?.(message, channel);
    return Promise.resolve();
  }

  close(): void {
    this.listeners.clear();
  }
}

async function subscribed(): Promise<{
  client: FakeBunClient;
  received: unknown[];
  /** Has the client deliver messages with these numbers, and drain the microtasks after each. */
  deliver(numbers: number[]): Promise<void>;
  dispose(): Promise<void>;
}> {
  const client = new FakeBunClient();
  const relay = redisRelay(client as unknown as RedisClient, { prefix: "test" });
  const rooms = topics({ relay });
  const received: unknown[] = [];
  const peer: Peer = {
    readyState: 1,
    send(data) {
      received.push(data);
      queueMicrotask(() => received.push("microtask"));
    },
    close() {},
  };
  await rooms.subscribe(peer, "news").ready;
  return {
    client,
    received,
    async deliver(numbers) {
      for (const number of numbers) {
        await client.send("PUBLISH", ["test.t.news", `other ${number} t -\n${number}`]);
      }
    },
    async dispose() {
      await rooms[Symbol.asyncDispose]();
    },
  };
}

test("redisRelay passes the messages of one turn of Bun's client on together", async () => {
  const { received, deliver, dispose } = await subscribed();
  await deliver([1, 2, 3]);
  assertEquals(received, []);
  await delay(20);
  assertEquals(received.filter((data) => data !== "microtask"), ["1", "2", "3"]);
  assertEquals(received.slice(0, 3), ["1", "2", "3"]);
  await dispose();
});

test("redisRelay passes on what Bun's client has received before it is lost or closed", async () => {
  const { client, received, deliver, dispose } = await subscribed();
  await deliver([1, 2]);
  client.all.at(-1)!.onclose?.();
  assertEquals(received, ["1", "2"]);
  await delay(50);
  assertEquals(client.all.length, 3, "the client for subscriptions is replaced");
  received.length = 0;
  await deliver([3]);
  await dispose();
  await delay(20);
  assertEquals(received, []);
});
