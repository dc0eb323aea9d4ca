/** The actions of a schedule. Each takes numbers that make sense in any state, so that a part of a schedule is one. */

import type { Random } from "../../fuzz/random.ts";
import type { Cluster } from "./cluster.ts";

/** An action: its name, and what it is done with. */
export type ClusterAction = readonly [name: string, a: number, b: number, c: number];

const GARBAGE: (string | Uint8Array)[] = [
  "",
  "garbage",
  new Uint8Array([0, 255, 10]),
  "x 1 q -\n",
  "x 99999999999999999999 t -\n",
  '{"type":"heartbeat","node":"ghost","instance":"","numbers":{"p":9007199254740991,"__proto__":1}}',
  '{"type":"heartbeat","node":"ghost","instance":"","numbers":{"p":-1}}',
  '{"type":"answer","node":"ghost","to":"x","question":1,"age":1,"numbers":{"p":7}}',
  '{"type":"question","node":"ghost","question":1,"topics":["p","__proto__","constructor"]}',
  '{"type":"probe","node":"ghost","probe":1}',
  '{"type":"bye","node":"ghost","age":1,"numbers":{"p":3}}',
  "[]",
  "{",
];

type Perform = (cluster: Cluster, a: number, b: number, c: number) => void;

/** The actions, with how often they are chosen. */
const ACTIONS: [name: string, weight: number, perform: Perform][] = [
  ["publish", 30, (cluster, a, b, c) => {
    const node = cluster.node(a);
    if (node !== undefined && !node.isEnding) cluster.publish(node, b % 3 === 0, b >> 3, c);
  }],
  ["burst", 6, (cluster, a, b, c) => {
    const node = cluster.node(a);
    if (node === undefined || node.isEnding) return;
    for (let n = 0; n < 2 + c % 6; n++) cluster.publish(node, b % 2 === 0, b >> 3, 1);
  }],
  ["subscribe", 14, (cluster, a, b, c) => {
    const node = cluster.node(a);
    if (node !== undefined) cluster.subscribe(node, b % 2 === 0, b >> 3, c);
  }],
  ["unsubscribe", 2, (cluster, a) => {
    const subscriber = cluster.subscriber(a);
    if (subscriber !== undefined) cluster.unsubscribe(subscriber);
  }],
  ["leave", 2, (cluster, a) => {
    const subscriber = cluster.subscriber(a);
    if (subscriber !== undefined) cluster.leave(subscriber);
  }],
  ["comeBack", 5, (cluster, a, b) => {
    const subscriber = cluster.subscriber(a);
    if (subscriber !== undefined) cluster.comeBack(subscriber, b);
  }],
  ["stall", 3, (cluster, a) => {
    const subscriber = cluster.subscriber(a);
    if (subscriber !== undefined) cluster.stall(subscriber);
  }],
  ["resume", 3, (cluster, a) => {
    const subscriber = cluster.subscriber(a);
    if (subscriber !== undefined) cluster.resume(subscriber);
  }],
  ["wait", 25, (cluster, a) => cluster.wait([1, 5, 20, 100, 300, 1000, 1700, 4000][a % 8]!)],
  ["retry", 4, (cluster) => cluster.retry()],
  ["cut", 5, (cluster, a) => cluster.connection(a)?.cut()],
  ["freeze", 4, (cluster, a) => cluster.connection(a)?.link.freeze()],
  ["thaw", 4, (cluster, a) => cluster.connection(a)?.link.thaw()],
  ["lose", 5, (cluster, a, b) => {
    const link = cluster.connection(a)?.link;
    if (link !== undefined) link.losses += 1 + b % 3;
  }],
  ["repeat", 3, (cluster, a, b) => {
    const link = cluster.connection(a)?.link;
    if (link !== undefined) link.repeats += 1 + b % 3;
  }],
  ["garbage", 2, (cluster, a, b) => {
    const topic = ["", "p", "k"][a % 3]!;
    cluster.server.inject(topic, topic === "k", GARBAGE[b % GARBAGE.length]!);
  }],
  ["full", 2, (cluster, a) => cluster.server.isFull = a % 3 > 0],
  ["crashBroker", 3, (cluster, a) => {
    cluster.faultAt = cluster.clock.now;
    if (cluster.server.isUp) cluster.server.crash(a % 3 === 0);
  }],
  ["startBroker", 5, (cluster) => {
    cluster.faultAt = cluster.clock.now;
    if (!cluster.server.isUp) cluster.server.start();
  }],
  ["dropStream", 1, (cluster) => cluster.server.isUp && cluster.server.dropStream()],
  ["block", 2, (cluster, a, b) => {
    const node = cluster.node(a);
    const until = cluster.clock.now + [50, 900, 3000][b % 3]!;
    if (node !== undefined) node.host.busyUntil = Math.max(node.host.busyUntil, until);
  }],
  ["startNode", 3, (cluster) => cluster.startNode()],
  ["crash", 1, (cluster, a) => {
    const node = cluster.node(a);
    if (node !== undefined) cluster.crash(node);
  }],
  ["dispose", 1, (cluster, a) => {
    const node = cluster.node(a);
    if (node !== undefined && !node.isEnding) cluster.dispose(node);
  }],
];

const performOf = new Map(ACTIONS.map(([name, , perform]) => [name, perform]));
const choices = ACTIONS.flatMap(([name, weight]) => Array<string>(weight).fill(name));

export function chooseAction(random: Random): ClusterAction {
  return [random.pick(choices), random.below(1000), random.below(1000), random.below(1000)];
}

export function perform(cluster: Cluster, [name, a, b, c]: ClusterAction): void {
  const run = performOf.get(name);
  if (run === undefined) throw new Error(`There is no action ${name}`);
  run(cluster, a, b, c);
}
