/** The actions of a driver: calls of the API, events of the network, and the passing of time. */

import type { Random } from "../fuzz/random.ts";
import { MOST_FED } from "./actor.ts";
import type { SocketActor } from "./actor.ts";
import type { Action } from "./config.ts";
import type { Scenario } from "./scenario.ts";
import { realTurn } from "./virtual_time.ts";
import type { NetEvent } from "./wire.ts";

type Args = Action extends readonly [string, ...infer Rest] ? Rest : never;
type Arg = Args[number];

/** One kind of action. */
interface Verb {
  /** How often it is chosen, compared with the others. */
  readonly weight: number;
  /** Chooses the arguments; `undefined` if the action makes no sense now. */
  choose(random: Random, scenario: Scenario): Arg[] | undefined;
  /** Performs it; an action that is not possible any more has no effect. */
  perform(scenario: Scenario, ...args: Arg[]): void | Promise<void>;
}

const KINDS = ["text", "binary"] as const;
type ContentKind = typeof KINDS[number];

const NET_EVENTS: readonly NetEvent[] = ["data", "fin", "reset", "room", "closed"];

function size(random: Random, scenario: Scenario): number {
  const { leastSize, mostSize } = scenario.config;
  return leastSize + (random.once(4) ? random.below(mostSize) : random.small(40));
}

const CODES = [1000, 1000, 1001, 3000, 4999] as const;

/** An action of one open connection. */
function ofSocket(
  weight: number,
  perform: (actor: SocketActor, ...args: Arg[]) => void,
  choose: (random: Random, scenario: Scenario, actor: SocketActor) => Arg[] | undefined = () => [],
): Verb {
  return {
    weight,
    choose(random, scenario) {
      const { actors } = scenario;
      if (actors.length === 0) return undefined;
      const index = random.below(actors.length);
      const actor = actors[index]!;
      if (!actor.isOpened) return undefined;
      const args = choose(random, scenario, actor);
      return args && [index, ...args];
    },
    perform(scenario, index, ...args) {
      const actor = scenario.actors[index as number];
      if (actor?.isOpened) perform(actor, ...args);
    },
  };
}

/** An action of a connection that is read in one of the forms, and not automatically. */
function ofForm(
  form: string,
  weight: number,
  perform: (actor: SocketActor, ...args: Arg[]) => void,
): Verb {
  return ofSocket(
    weight,
    (actor, ...args) => {
      if (actor.form === form && !actor.isAuto) perform(actor, ...args);
    },
    (random, _scenario, actor) =>
      actor.form !== form || actor.isAuto ? undefined : [random.pick([0, 0, 1, 20, 1000, 10_000])],
  );
}

/** An action of one of the clients that are no connections. */
function ofClient<Client>(
  clients: (scenario: Scenario) => readonly Client[],
  weight: number,
  perform: (client: Client, ...args: Arg[]) => void,
  choose: (random: Random, scenario: Scenario) => Arg[] = () => [],
): Verb {
  return {
    weight,
    choose(random, scenario) {
      const { length } = clients(scenario);
      return length === 0 ? undefined : [random.below(length), ...choose(random, scenario)];
    },
    perform(scenario, index, ...args) {
      const client = clients(scenario)[index as number];
      if (client !== undefined) perform(client, ...args);
    },
  };
}

const streamOf = (scenario: Scenario) => scenario.streamActors;
const reconnectOf = (scenario: Scenario) => scenario.reconnectActors;

const chooseMessage = (random: Random, scenario: Scenario): Arg[] => [
  random.pick(KINDS),
  size(random, scenario),
];
const writes = (_random: Random, scenario: Scenario) =>
  scenario.config.usesWritable ? [] : undefined;

/** All of them, by name. */
const verbs: Record<string, Verb> = {
  send: ofSocket(
    20,
    (actor, kind, size, isAttended) =>
      actor.send(kind as ContentKind, size as number, isAttended as boolean),
    (random, scenario) => [
      ...chooseMessage(random, scenario),
      // In a stream of parts, only the state of its promise says whether a message is missing.
      scenario.config.forms.includes("streams") || !random.once(6),
    ],
  ),
  sendMany: ofSocket(
    4,
    (actor, kind, size, count) => {
      for (let i = 0; i < (count as number); i++) {
        actor.send(kind as ContentKind, size as number, true);
      }
    },
    (random, scenario) => [...chooseMessage(random, scenario), 2 + random.small(30)],
  ),
  sendStream: ofSocket(
    4,
    (actor, kind) => actor.sendStream(kind as ContentKind),
    (random, _scenario, actor) => actor.openFeeds > 3 ? undefined : [random.pick(KINDS)],
  ),
  feed: ofSocket(
    16,
    (actor, index, size) => actor.feed(index as number, size as number),
    (random, _scenario, actor) =>
      actor.openFeeds === 0
        ? undefined
        : [random.small(actor.openFeeds), 1 + random.small(random.once(3) ? MOST_FED : 60)],
  ),
  endFeed: ofSocket(
    5,
    (actor, index) => actor.endFeed(index as number),
    (random, _scenario, actor) =>
      actor.openFeeds === 0 ? undefined : [random.small(actor.openFeeds)],
  ),
  failFeed: ofSocket(
    1,
    (actor, index) => actor.failFeed(index as number),
    (random, _scenario, actor) =>
      actor.openFeeds === 0 || !random.once(4) ? undefined : [random.small(actor.openFeeds)],
  ),
  ready: ofSocket(4, (actor) => actor.ready()),
  ping: ofSocket(4, (actor) => actor.ping()),
  close: ofSocket(
    1,
    (actor, code, reason) =>
      actor.close(code === null ? undefined : code as number, reason as string),
    (random) =>
      random.once(5) ? [null, ""] : random.once(2) ? [random.pick(CODES), "why"] : undefined,
  ),
  abort: ofSocket(1, (actor) => actor.abort(), (random) => random.once(4) ? [] : undefined),
  next: ofForm("iterator", 16, (actor) => actor.next()),
  return: ofForm("iterator", 1, (actor) => actor.return()),
  read: ofForm("readable", 16, (actor) => actor.streams.read()),
  cancel: ofForm("readable", 0.2, (actor) => actor.streams.cancel()),
  pipe: ofSocket(
    2,
    (actor) => {
      // Two echoes at both ends of a connection would never end.
      const isServer = actor.name.startsWith("s");
      if (isServer && actor.form === "readable" && !actor.isAuto) actor.streams.pipe();
    },
    (_random, scenario, actor) =>
      scenario.config.usesWritable && actor.form === "readable" ? [] : undefined,
  ),
  nextStream: ofForm("streams", 8, (actor) => actor.nextStream()),
  readStream: ofForm("streams", 20, (actor, size) => actor.readStream(size as number)),
  readStreamTwice: ofForm("streams", 4, (actor, size) => {
    actor.readStream(size as number);
    actor.readStream(size as number);
  }),
  cancelStream: ofForm("streams", 1, (actor) => actor.cancelStream()),
  write: ofSocket(
    14,
    (actor, kind, size) => actor.streams.write(actor.message(kind as ContentKind, size as number)),
    (random, scenario) =>
      scenario.config.usesWritable ? chooseMessage(random, scenario) : undefined,
  ),
  closeWriter: ofSocket(0.4, (actor) => actor.streams.closeWriter(), writes),
  abortWriter: ofSocket(0.2, (actor) => actor.streams.abortWriter(), writes),
  auto: ofSocket(
    1,
    (actor) => actor.streams.isPiped || actor.auto(),
    (random) => random.once(3) ? [] : undefined,
  ),

  connect: client((scenario) => scenario.connect()),
  connectStream: client((scenario) => scenario.connectStream()),
  reconnect: client((scenario) => scenario.reconnect()),
  establish: {
    weight: 20,
    choose: (random, { network }) =>
      network.attempts === 0 ? undefined : [random.below(network.attempts)],
    perform: ({ network }, index) => network.establish(index as number),
  },
  shutdown: {
    weight: 0.3,
    choose: (random, { config }) =>
      config.kind === "server" && random.once(3)
        ? [random.pick([0, 0, 300]), random.pick([10, 40_000]), random.once(4)]
        : undefined,
    perform: (scenario, spread, deadline, drain) =>
      scenario.shutdown({
        spread: spread as number,
        deadline: deadline as number,
        drain: drain as boolean,
      }),
  },
  endHandler: {
    weight: 0.5,
    choose: (random, { actors, config }) => {
      const index = random.below(Math.max(1, actors.length));
      const isHandled = config.kind === "server" && actors[index]?.name.startsWith("s");
      return isHandled ? [index, random.once(3)] : undefined;
    },
    perform: (scenario, index, fails) => {
      const actor = scenario.actors[index as number];
      if (actor !== undefined) scenario.endHandler(actor, fails as boolean);
    },
  },
  streamRead: ofClient(streamOf, 8, (client) => client.isAuto || client.streams?.read()),
  streamWrite: ofClient(
    streamOf,
    8,
    (client, kind, size) =>
      client.streams?.write(client.message(kind as ContentKind, size as number)),
    chooseMessage,
  ),
  streamCloseWriter: ofClient(streamOf, 0.3, (client) => client.streams?.closeWriter()),
  streamAbortWriter: ofClient(streamOf, 0.2, (client) => client.streams?.abortWriter()),
  streamCancel: ofClient(streamOf, 0.2, (client) => client.isAuto || client.streams?.cancel()),
  streamClose: ofClient(
    streamOf,
    0.5,
    (client, code) => client.close(code === null ? undefined : code as number, ""),
    (random) => [random.pick([null, 1000, 3000])],
  ),
  streamAuto: ofClient(streamOf, 0.5, (client) => client.auto()),
  reconnectSend: ofClient(
    reconnectOf,
    12,
    (client, kind, size) => client.send(kind as ContentKind, size as number),
    chooseMessage,
  ),
  reconnectNext: ofClient(reconnectOf, 12, (client) => client.isAuto || client.next()),
  reconnectReturn: ofClient(reconnectOf, 0.5, (client) => client.return()),
  reconnectClose: ofClient(reconnectOf, 0.3, (client) => client.close(1000, "")),
  reconnectAuto: ofClient(reconnectOf, 0.5, (client) => client.auto()),

  net: {
    weight: 90,
    choose(random, { ends }) {
      if (ends.length === 0) return undefined;
      const index = random.below(ends.length);
      const { events } = ends[index]!;
      if (events.length === 0) return undefined;
      const most = random.pick([1, 3, 50, 1000, 65_536, 65_536, 65_536]);
      return [index, random.pick(events), most];
    },
    perform(scenario, index, event, most) {
      const end = scenario.ends[index as number];
      if (!end?.events.includes(event as NetEvent)) return;
      scenario.netEvents++;
      end.fire(NET_EVENTS.find((name) => name === event)!, most as number);
    },
  },
  stall: {
    weight: 1,
    choose: (random, { ends }) => ends.length === 0 ? undefined : [random.below(ends.length)],
    perform: ({ ends }, index) => {
      const end = ends[index as number];
      if (end !== undefined) end.isStalled = true;
    },
  },
  unstall: {
    weight: 3,
    choose(random, { ends }) {
      if (ends.length === 0) return undefined;
      const index = random.below(ends.length);
      return ends[index]!.isStalled ? [index] : undefined;
    },
    perform: ({ ends }, index) => {
      const end = ends[index as number];
      if (end !== undefined) end.isStalled = false;
    },
  },
  break: {
    weight: 0.2,
    choose: (random, { ends }) =>
      ends.length === 0 || !random.once(3) ? undefined : [random.below(ends.length)],
    perform: (scenario, index) => {
      scenario.isBroken = true;
      scenario.ends[index as number]?.breakDown();
    },
  },
  tick: {
    weight: 6,
    choose: (random) => [random.pick([1, 1, 4, 20, 200, 600, 3000, 25_000])],
    perform: ({ time }, ms) => time.advance(ms as number),
  },
  late: {
    weight: 1,
    choose: (random) => [random.pick([20, 1000, 60_000])],
    perform: ({ time }, ms) => time.stall(ms as number),
  },
  immediates: {
    weight: 15,
    choose: (_random, { time }) => time.hasImmediates ? [] : undefined,
    perform: ({ time }) => time.runImmediates(),
  },
  turn: { weight: 60, choose: () => [], perform: () => realTurn() },
};

function client(perform: (scenario: Scenario) => void): Verb {
  return {
    weight: 4,
    choose: (_random, scenario) => scenario.canConnect ? [] : undefined,
    perform,
  };
}

const table = Object.entries(verbs);
const sum = table.reduce((all, [, { weight }]) => all + weight, 0);

/** Chooses an action that is possible now. */
export function chooseAction(random: Random, scenario: Scenario): Action {
  while (true) {
    let at = random.next() / 2 ** 32 * sum;
    const [name, verb] = table.find(([, { weight }]) => (at -= weight) < 0) ?? table.at(-1)!;
    const args = verb.choose(random, scenario);
    if (args !== undefined) return [name, ...args];
  }
}

/** Performs an action, and checks what holds at all times. */
export async function perform(scenario: Scenario, [name, ...args]: Action): Promise<void> {
  try {
    await verbs[name]!.perform(scenario, ...args);
  } catch (error) {
    scenario.violated(error);
  }
  scenario.check();
}
