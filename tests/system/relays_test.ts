// Topics of several nodes, over real brokers that are killed and started again.
import process from "node:process";
import { presence, topics } from "../../src/topics/mod.ts";
import type { Gap, Topics } from "../../src/topics/mod.ts";
import {
  assert,
  assertEquals,
  deadline,
  delay,
  eventually,
  onTestEnd,
  testIf,
} from "../harness.ts";
import { brokers, clients, relayOver } from "../support/brokers.ts";
import type { ClientName } from "../support/brokers.ts";

/** How often a broker is killed in a test: 3 times, or as the environment says. */
const KILLS = Number(process.env.BROKER_KILLS ?? 3);

/** A subscriber that keeps a ledger: the messages of each publisher, and those reported as lost. */
class Ledger {
  readyState = 1;
  readonly received = new Map<string, number[]>();
  readonly gaps: Gap[] = [];

  send(data: unknown): void {
    const [publisher, number] = (data as string).split(" ");
    const numbers = this.received.get(publisher!) ?? [];
    this.received.set(publisher!, numbers);
    numbers.push(Number(number));
  }

  close(): void {
    this.readyState = 3;
  }

  get lost(): number {
    return this.gaps.reduce((sum, { count }) => sum + (count ?? NaN), 0);
  }

  get count(): number {
    return [...this.received.values()].reduce((sum, { length }) => sum + length, 0);
  }
}

async function node(
  client: ClientName,
  port: number,
  options: Parameters<typeof topics>[0] = {},
): Promise<Topics & { errors: unknown[] }> {
  const errors: unknown[] = [];
  const relay = await relayOver(client, port, { prefix: "test", heartbeat: 200 });
  const made = topics({ relay, onError: (error) => errors.push(error), ...options });
  onTestEnd(async () => await made[Symbol.asyncDispose]());
  return Object.assign(made, { errors });
}

for (const client of clients) {
  const broker = client === "nats" ? brokers.nats : brokers.redis;

  testIf(
    broker.canRun,
    `${client}: messages reach the subscribers of all nodes, in order`,
    async () => {
      const { port } = await broker.start();
      const [a, b] = [await node(client, port), await node(client, port)];
      const [onA, onB] = [new Ledger(), new Ledger()];
      await a.subscribe(onA, "x * > y").ready;
      await b.subscribe(onB, "x * > y", { onGap: (gap) => onB.gaps.push(gap) }).ready;
      for (let n = 1; n <= 200; n++) a.publish("x * > y", `a ${n}`);
      await a.publish("x * > y", "a 201").settled;
      await eventually(() => onB.count === 201, 10_000, "all messages");
      const expected = Array.from({ length: 201 }, (_, n) => n + 1);
      assertEquals([onA.received.get("a"), onB.received.get("a")], [expected, expected]);
      assertEquals([onB.gaps, a.errors, b.errors], [[], [], []]);
    },
  );

  testIf(broker.canRun, `${client}: bytes and text arrive as they are`, async () => {
    const { port } = await broker.start();
    const [a, b] = [await node(client, port), await node(client, port)];
    const received: unknown[] = [];
    const peer = { readyState: 1, send: (data: unknown) => received.push(data), close() {} };
    await b.subscribe(peer, "x").ready;
    const all = ["", "é\n\0", "{}", Uint8Array.of(), Uint8Array.from({ length: 256 }, (_, n) => n)];
    for (const data of all) a.publish("x", data);
    await eventually(() => received.length === all.length, 10_000, "all messages");
    assertEquals(received, all);
  });

  testIf(
    broker.canRun,
    `${client}: the broker is killed under load: received and told lost is all that was published`,
    async () => {
      const server = await broker.start();
      const nodes = [await node(client, server.port), await node(client, server.port)];
      const names = ["x", "y", "z"];
      const ledgers: { ledger: Ledger; topic: string; at: number }[] = [];
      for (const [at, rooms] of nodes.entries()) {
        for (const topic of names) {
          const ledger = new Ledger();
          ledgers.push({ ledger, topic, at });
          await rooms.subscribe(ledger, topic, { onGap: (gap) => ledger.gaps.push(gap) }).ready;
        }
      }
      // The second node must know the first one's start, and the other way round.
      await delay(500);
      const published = new Map<string, number>();
      let isPublishing = true;
      const publishing = (async () => {
        while (isPublishing) {
          for (const [at, rooms] of nodes.entries()) {
            for (const topic of names) {
              const number = (published.get(`${at}/${topic}`) ?? 0) + 1;
              published.set(`${at}/${topic}`, number);
              rooms.publish(topic, `${at}/${topic} ${number}`);
            }
          }
          await delay(1);
        }
      })();
      for (let round = 0; round < KILLS; round++) {
        await delay(300);
        await server.kill();
        await delay(300);
        await server.start();
        const before = ledgers.map(({ ledger }) => ledger.count);
        await delay(500);
        await eventually(
          () =>
            ledgers.every(({ ledger, topic, at }, n) => {
              const other = ledger.received.get(`${1 - at}/${topic}`) ?? [];
              return ledger.count > before[n]! && other.length > 0;
            }),
          10_000,
          "delivery after the start",
        );
      }
      await delay(1500);
      isPublishing = false;
      await publishing;
      const state = () =>
        ledgers.map(({ ledger, topic }) => {
          const all = nodes.reduce((sum, _, at) => sum + published.get(`${at}/${topic}`)!, 0);
          return all - ledger.count - ledger.lost;
        });
      await deadline(
        (async () => {
          while (state().some((difference) => difference !== 0)) await delay(50);
        })(),
        10_000,
        `the account: ${state()}`,
      ).catch((error) => {
        throw new Error(`differences ${state()}`, { cause: error });
      });
      for (const { ledger } of ledgers) {
        for (const numbers of ledger.received.values()) {
          assert(
            numbers.every((number, n) => n === 0 || number > numbers[n - 1]!),
            "in order, once",
          );
        }
      }
      assert(ledgers.some(({ ledger }) => ledger.lost > 0), "something was lost");
    },
  );

  testIf(
    broker.canRun,
    `${client}: the members of a node that is cut off leave within 4 s`,
    async () => {
      const { port } = await broker.start();
      const [a, b] = [await node(client, port), await node(client, port)];
      const [here, there] = [presence(a, { grace: 0 }), presence(b, { grace: 0 })];
      const members = () => [...here.members("lobby").keys()].sort();
      here.join(new Ledger(), "lobby", "ada", {});
      there.join(new Ledger(), "lobby", "bob", {});
      await eventually(() => members().length === 2, 10_000, "both members");
      // The node ends without a word: its topics are gone before its presence can say so.
      await b[Symbol.asyncDispose]();
      const started = performance.now();
      await eventually(() => members().length === 1, 10_000, "one member");
      assert(performance.now() - started < 4500);
      assertEquals(members(), ["ada"]);
      await there[Symbol.asyncDispose]();
      await here[Symbol.asyncDispose]();
    },
  );

  const keep = { messages: 10_000, age: 60_000 };

  testIf(
    broker.canRun,
    `${client}: kept topics have one order on all nodes, and recover`,
    async () => {
      const { port } = await broker.start();
      const [a, b] = [await node(client, port, { keep }), await node(client, port, { keep })];
      const [onA, onB, late] = [new Ledger(), new Ledger(), new Ledger()];
      const start = await a.subscribe(onA, "x").ready;
      assertEquals([start.recovered, start.position?.offset], [false, 0]);
      await b.subscribe(onB, "x").ready;
      const settled = [];
      for (let n = 1; n <= 50; n++) {
        settled.push(
          a.publish("x", `a ${n}`).settled,
          b.publish("x", `b ${n}`, { except: onB }).settled,
        );
      }
      const positions = await Promise.all(settled);
      assertEquals(new Set(positions.map((position) => position?.offset)).size, 100);
      await eventually(() => onA.count === 100 && onB.count === 50, 10_000, "all messages");
      const order = Array.from({ length: 50 }, (_, n) => n + 1);
      assertEquals([onA.received.get("a"), onA.received.get("b")], [order, order]);
      assertEquals([onB.received.get("a"), onB.received.get("b")], [order, undefined]);

      const all = await b.history("x");
      assertEquals([all.publications.length, all.position.offset], [100, 100]);
      const since = all.publications[59]!.position!;
      const subscription = b.subscribe(late, "x", { since });
      assertEquals(await subscription.ready, {
        recovered: true,
        position: all.position,
        replayed: 40,
      });
      await eventually(() => late.count === 40, 10_000, "the replay");
      const unknown = b.subscribe(new Ledger(), "x", { since: { ...since, offset: 101 } });
      assertEquals((await unknown.ready).recovered, false);
      assertEquals([a.errors, b.errors], [[], []]);
    },
  );

  testIf(
    broker.canRun,
    `${client}: a subscriber that began before the first message recovers`,
    async () => {
      const { port } = await broker.start();
      const rooms = await node(client, port, { keep });
      const first = new Ledger();
      const { position } = await rooms.subscribe(first, "x").ready;
      await rooms.publish("x", "a 1").settled;
      await rooms.publish("x", "a 2").settled;
      const late = new Ledger();
      const { recovered, replayed } = await rooms.subscribe(late, "x", { since: position! }).ready;
      assertEquals([recovered, replayed], [true, 2]);
    },
  );

  testIf(broker.canRun, `${client}: a message with the same id is stored once`, async () => {
    const { port } = await broker.start();
    const rooms = await node(client, port, { keep });
    const first = await rooms.publish("x", "a 1", { id: "order 7" }).settled;
    assertEquals(await rooms.publish("x", "a 1", { id: "order 7" }).settled, first);
    assertEquals((await rooms.history("x")).publications.length, 1);
  });

  testIf(
    broker.canRun,
    `${client}: kept topics lose and repeat nothing while the broker is killed`,
    async () => {
      const server = await broker.start();
      const nodes = [
        await node(client, server.port, { keep }),
        await node(client, server.port, { keep }),
      ];
      const ledgers: Ledger[] = [];
      for (const rooms of nodes) {
        const ledger = new Ledger();
        ledgers.push(ledger);
        await rooms.subscribe(ledger, "x", { onGap: (gap) => ledger.gaps.push(gap) }).ready;
      }
      let isPublishing = true;
      const acknowledged: number[][] = [[], []];
      const longest = { time: 0 };
      const publishing = nodes.map(async (rooms, at) => {
        for (let n = 1; isPublishing; n++) {
          const data = `${at} ${n}`;
          while (true) {
            const asked = performance.now();
            try {
              await rooms.publish("x", data, { id: data }).settled;
              acknowledged[at]!.push(n);
              break;
            } catch (error) {
              assertEquals((error as DOMException).name, "NetworkError");
            } finally {
              longest.time = Math.max(longest.time, performance.now() - asked);
            }
            await delay(20);
          }
        }
      });
      for (let round = 0; round < KILLS; round++) {
        await delay(400);
        await server.kill();
        await delay(400);
        await server.start();
      }
      await delay(1500);
      isPublishing = false;
      await deadline(Promise.all(publishing), 15_000, "the last acknowledgement");
      const total = acknowledged[0]!.length + acknowledged[1]!.length;
      await eventually(
        () => ledgers.every(({ count }) => count >= total),
        15_000,
        "all acknowledged messages",
      );
      for (const ledger of ledgers) {
        assertEquals([ledger.received.get("0"), ledger.received.get("1")], acknowledged);
        assertEquals(ledger.gaps, []);
      }
      assert(longest.time < 5000, `${longest.time} ms until a message settled`);
    },
  );
}

// A stream of NATS has bounds of its own.
for (const client of clients.filter((client) => client !== "nats")) {
  testIf(
    brokers.redis.canRun,
    `${client}: histories are bounded by messages, bytes and age`,
    async () => {
      const { port } = await brokers.redis.start();
      const bounds = { messages: 3, bytes: 1000, age: 300 };
      const rooms = await node(client, port, { keep: bounds });
      for (let n = 1; n <= 5; n++) await rooms.publish("x", `a ${n}`).settled;
      const { publications, complete } = await rooms.history("x");
      assertEquals([publications.map(({ data }) => data), complete], [
        ["a 3", "a 4", "a 5"],
        false,
      ]);
      await rooms.publish("x", "b".repeat(998)).settled;
      assertEquals((await rooms.history("x")).publications.length, 1);
      const last = (await rooms.history("x")).position;
      await delay(500);
      const after = await rooms.history("x", { since: { ...last, offset: last.offset - 1 } });
      assertEquals([after.publications, after.complete], [[], false]);
      // The position outlives the messages: a subscriber that has the last one has missed nothing.
      assertEquals((await rooms.history("x", { since: last })).complete, true);
      const next = { ...last, offset: last.offset + 1 };
      assertEquals(await rooms.publish("x", "c".repeat(998)).settled, next);
      assertEquals((await rooms.history("x")).publications.length, 1);
    },
  );
}
