/** M1 and S1: subscribers that do not read. */

import { serve } from "../../../mod.ts";
import type { TcpAddr, WebSocketConnection, WebSocketServer } from "../../../mod.ts";
import { topics } from "../../../src/topics/mod.ts";
import type { Publication, Topics, WhenSlow } from "../../../src/topics/mod.ts";
import { Process, runtime } from "../cluster/processes.ts";
import { atMost, exactly, heap, median, MIB, resident, short, sleep } from "./bar.ts";
import type { Row, Size } from "./bar.ts";
import type { ClientsConfig, Received } from "./clients_main.ts";

/** Starts clients, and resolves when they are connected. */
async function startClients(config: ClientsConfig): Promise<Process> {
  const clients = new Process(runtime, new URL("clients_main.ts", import.meta.url).href, config);
  await clients.ask("open");
  return clients;
}

function portOf(server: WebSocketServer): number {
  return (server.addr as TcpAddr).port;
}

/** M1: the memory of messages that wait for subscribers that do not read. */
export async function stalledMemory(size: Size): Promise<Row[]> {
  const count = size === "full" ? 100 : 10;
  const rooms = topics();
  const server = serve({ hostname: "127.0.0.1", port: 0 }, {
    open: (socket) => void rooms.subscribe(socket, "x"),
  });
  const clients = await startClients({ port: portOf(server), reading: 0, stalled: count });
  while (rooms.size("x") < count) await sleep(10);
  await heap();
  const before = resident();
  let most = before;
  const content = new Uint8Array(MIB);
  for (let n = 0; n < 14; n++) {
    rooms.publish("x", content.fill(n));
    await sleep(100);
    most = Math.max(most, resident());
  }
  const subscribers = rooms.size("x");
  await clients.kill();
  await server.shutdown({ deadline: 100 });
  await rooms[Symbol.asyncDispose]();

  const waiting = await waitingMemory(size === "full" ? 1000 : 100);
  return [
    exactly(`subscribers that are left of ${count}`, subscribers, count),
    atMost(`RSS, ${count} stalled x 14 messages of 1 MiB`, (most - before) / MIB, 24, "MiB"),
    ...waiting,
  ];
}

/** The heap of 64 messages of 1 KiB that wait for each of many peers. */
async function waitingMemory(count: number): Promise<Row[]> {
  await using rooms = topics();
  const peers = Array.from({ length: count }, () => ({
    readyState: 1,
    bufferedAmount: 0,
    ready: new Promise(() => {}),
    send() {},
    close() {},
  }));
  for (const peer of peers) rooms.subscribe(peer, "x", { whenSlow: "drop-oldest" });
  // Each has had a queue before.
  for (const peer of peers) peer.bufferedAmount = 100_000;
  const before = await heap();
  const content = new Uint8Array(1024);
  for (let n = 0; n < 64; n++) rooms.publish("x", content);
  const after = await heap();
  const { waiting } = rooms.stats;
  return [
    exactly("messages that wait", waiting, 64 * count),
    atMost(`heap, ${count} stalled x 64 waiting of 1 KiB`, (after - before) / MIB, 1, "MiB"),
  ];
}

/** The message with a number, as `clients_main.ts` reads it. */
function messageOf(number: number, isGap = false, size = 64): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, number);
  view.setFloat64(4, Date.now());
  view.setUint8(12, isGap ? 1 : 0);
  return bytes;
}

/** Pads a message, so that the buffers of the kernels are full soon. */
function padded({ data }: Publication): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8192);
  bytes.set(data as Uint8Array);
  return bytes;
}

/** S1: the accounts of one stalled subscriber among many, for each policy. */
export async function oneStalled(size: Size): Promise<Row[]> {
  const rows: Row[] = [];
  for (const policy of ["close", "drop-oldest", "drop-newest", "latest"] as const) {
    rows.push(...await stalledWith(policy, size));
  }
  return rows;
}

async function stalledWith(policy: WhenSlow, size: Size): Promise<Row[]> {
  const [healthy, messages] = size === "full" ? [999, 100_000] : [49, 5000];
  const rooms = topics();
  const server = serve(
    {
      hostname: "127.0.0.1",
      port: 0,
      // The stalled one answers no Ping and reads no Close for minutes.
      limits: { pingInterval: Infinity, closeTimeout: 600_000 },
    },
    {
      open(socket) {
        rooms.subscribe(socket, "x", {
          whenSlow: policy,
          onGap: ({ count }) => socket.send(messageOf(count!, true)),
          ...(socket.request.url.endsWith("/stalled") ? { encode: padded } : {}),
        });
      },
    },
  );
  const p99: number[] = [];
  const rows: Row[] = [];
  for (const stalled of [0, 1]) {
    const clients = await startClients({ port: portOf(server), reading: healthy, stalled });
    while (rooms.size("x") < healthy + stalled) await sleep(10);
    const wrong = await publishAll(rooms, server, messages, policy === "latest" ? 0 : healthy);
    const all = async () => await clients.ask<Record<string, Received[]>>("received");
    const isDone = ({ reading }: Record<string, Received[]>) =>
      reading!.every(({ count, told }) => count + told >= messages);
    for (let n = 0; n < 200 && !isDone(await all()); n++) await sleep(50);
    p99.push(await clients.ask<number>("p99"));
    const { reading } = await all();
    // With "latest", 64 KiB that a client has not read yet make it slow for a moment, at any speed.
    const whole = reading!.filter(({ count, told, wrong }) =>
      count + told === messages && wrong === 0 && (told === 0 || policy === "latest")
    ).length;
    if (stalled === 1) {
      rows.push(
        exactly(`${policy}: returns of publish() whose sum is wrong`, wrong, 0),
        exactly(
          policy === "latest"
            ? "latest: healthy subscribers with all messages or their gaps, in order"
            : `${policy}: healthy subscribers with all messages, in order`,
          whole,
          healthy,
        ),
        await accountOf(clients, policy, messages),
      );
    }
    await clients.kill();
    while (rooms.size("x") > 0) {
      await sleep(10);
    }
  }
  rows.push(
    atMost(`${policy}: p99 beside a stalled one`, p99[1]! / Math.max(p99[0]!, 1), 1.2, "x"),
  );
  await server.shutdown({ deadline: 100 });
  await rooms[Symbol.asyncDispose]();
  return rows;
}

/**
 * Publishes 32 messages a tick.
 *
 * @param healthy The number of subscribers to which each message is sent at least.
 * @returns How many results are wrong.
 */
async function publishAll(
  rooms: Topics,
  server: WebSocketServer,
  messages: number,
  healthy: number,
): Promise<number> {
  let wrong = 0;
  const sockets = [...server.connections] as WebSocketConnection[];
  for (let number = 1; number <= messages;) {
    for (let n = 0; n < 32 && number <= messages; n++, number++) {
      const { subscribers, sent, waiting, dropped, closed } = rooms.publish("x", messageOf(number));
      const sizeBefore = sockets.length;
      const isRight = subscribers === sent + waiting + dropped + closed && sent >= healthy &&
        subscribers <= sizeBefore && subscribers >= sizeBefore - 1;
      if (!isRight) wrong++;
    }
    // At most one is slow: the others keep up.
    do await new Promise((resolve) => setTimeout(resolve, 0)); while (
      sockets.filter(({ bufferedAmount }) => bufferedAmount > 16_384).length > 1
    );
  }
  return wrong;
}

/** The account of the stalled subscriber, after it has read everything. */
async function accountOf(clients: Process, policy: WhenSlow, messages: number): Promise<Row> {
  await clients.ask("resume");
  let account: Received | undefined;
  for (let n = 0; n < 200; n++) {
    [account] = (await clients.ask<{ stalled: [Received] }>("received")).stalled;
    if (account.closeCode > 0 || account.count + account.told >= messages) break;
    await sleep(50);
  }
  const { count, told, wrong, closeCode } = account!;
  if (policy === "close") {
    return {
      what: "close: the stalled one has a stream without a hole, then 1013",
      wanted: "0 wrong, 1013",
      measured: `${wrong} wrong, ${closeCode}, after ${count}`,
      isOk: wrong === 0 && told === 0 && closeCode === 1013 && count < messages,
    };
  }
  return {
    what: `${policy}: received + told by the stalled one, each gap at its place`,
    wanted: `${messages}, 0 wrong`,
    measured: `${count} + ${told} = ${count + told}, ${wrong} wrong`,
    isOk: count + told === messages && wrong === 0 && told > 0,
  };
}

/** A row for a ratio of medians. */
export function ratio(
  what: string,
  ours: readonly number[],
  other: readonly number[],
  limit: number,
): Row {
  const [a, b] = [median(ours), median(other)];
  return {
    what,
    wanted: `<= ${limit} x`,
    measured: `${short(a / b)} x (${short(a)} to ${short(b)})`,
    isOk: a / b <= limit,
    isTime: true,
  };
}
