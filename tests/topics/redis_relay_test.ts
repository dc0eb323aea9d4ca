import { natsRelay, redisRelay, topics } from "../../src/topics/mod.ts";
import type { NatsConnection, Peer, RedisClient, RelayOptions } from "../../src/topics/mod.ts";
import { assertEquals, assertThrows, delay, eventually, test } from "../harness.ts";

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

/** A client whose clients for subscriptions connect as the test decides. */
class FakeConnectingClient extends FakeBunClient {
  isClosed = false;

  constructor(readonly connecting: () => Promise<void>, all?: FakeBunClient[]) {
    super(all);
  }

  override duplicate(): Promise<FakeConnectingClient> {
    return Promise.resolve(new FakeConnectingClient(this.connecting, this.all));
  }

  override connect(): Promise<void> {
    return this.connecting();
  }

  override close(): void {
    this.isClosed = true;
  }
}

/** Starts a relay whose heartbeats are rare. */
function started(connecting: () => Promise<void>) {
  const client = new FakeConnectingClient(connecting);
  const options = { prefix: "test", heartbeat: 60_000 };
  const relay = redisRelay(client as unknown as RedisClient, options);
  const errors: string[] = [];
  const error = (error: unknown) => errors.push((error as Error).message);
  void relay.start({ id: "a", receive() {}, gap() {}, state() {}, error });
  const closed = () => client.all.map((client) => (client as FakeConnectingClient).isClosed);
  return { relay, errors, closed };
}

test("redisRelay closes a client that can't connect, and reports the error", async () => {
  const { relay, errors, closed } = started(() => Promise.reject(new Error("refused")));
  await eventually(() => errors.length > 0, 5000, "the error");
  assertEquals([errors, closed()], [["refused"], [false, true]]);
  await relay[Symbol.asyncDispose]();
});

test("redisRelay closes a client that does not connect within 2 s", async () => {
  const { relay, errors, closed } = started(() => new Promise(() => {}));
  await eventually(() => errors.length > 0, 5000, "the error");
  assertEquals([errors, closed()], [["no connection within 2 s"], [false, true]]);
  await relay[Symbol.asyncDispose]();
});

test("redisRelay that ends closes a client that is connecting, without an error", async () => {
  const { relay, errors, closed } = started(() => new Promise(() => {}));
  await eventually(() => closed().length === 2, 5000, "the client");
  await delay(0);
  await relay[Symbol.asyncDispose]();
  await delay(0);
  assertEquals([errors, closed()], [[], [false, true]]);
});

test("redisRelay() and natsRelay() report options that can't be used", () => {
  const client = new FakeBunClient() as unknown as RedisClient;
  const redis = (options: object) => () => redisRelay(client, options as RelayOptions);
  const nats = (options: object) => () =>
    natsRelay({} as NatsConnection, { prefix: "test", ...options });
  assertThrows(redis({ prefix: "a b" }), TypeError, "option prefix of redisRelay(): expected 1 to");
  assertThrows(redis({ prefix: "a", beat: 1 }), TypeError, "option beat of redisRelay(): unknown");
  assertThrows(redis({ prefix: "a", missed: 0 }), RangeError, "option missed of redisRelay()");
  assertThrows(nats({ heartbeat: 0.5 }), RangeError, "an integer from 1 to 86400000, got 0.5");
  assertThrows(nats({ jetstreams: {} }), TypeError, "option jetstreams of natsRelay(): unknown");
  assertThrows(nats({ stream: "x" }), TypeError, "expected both jetstream and stream, or none");
  const jetstream = {};
  assertThrows(nats({ jetstream, stream: "a.b" }), TypeError, 'the name of a stream, got "a.b"');
  const none = () => redisRelay({} as RedisClient, { prefix: "test" });
  assertThrows(none, TypeError, "expected a client with duplicate()");
});
