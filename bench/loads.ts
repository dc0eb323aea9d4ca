/** The loads: what the generator does to a server, by name. */

/** What a message is. */
export type Payload = "binary" | "ascii" | "utf8" | "json";

/** What the generator does. */
export type Kind = "echo" | "broadcast" | "handshakes" | "idle";

/** What a server is told to do with messages. */
export type Mode = "echo" | "compressed" | "broadcast" | "handshakes" | "idle";

/** One load. */
export interface Load {
  name: string;
  /** What it is, in the report. */
  title: string;
  /** By which `--loads` finds several at once. */
  group: string;
  kind: Kind;
  mode: Mode;
  /** What is counted. */
  unit: "messages/s" | "deliveries/s" | "connections/s" | "bytes/connection";
  connections: number;
  /** How many messages each connection has in flight. */
  inFlight: number;
  /** The payload's size, in bytes of UTF-8 where it's text. */
  size: number;
  payload: Payload;
  /** The same load with binary messages, to compare with. */
  binary?: string;
}

const SHAPES: readonly [connections: number, inFlight: number, size: number][] = [
  [1, 1, 16],
  [64, 1, 16],
  [16, 64, 16],
  [16, 16, 1024],
  [8, 4, 65536],
  [2, 2, 1048576],
];

const PAYLOADS = { binary: "binary", ascii: "ASCII text", utf8: "non-ASCII text" } as const;

function echo(
  payload: keyof typeof PAYLOADS,
  [connections, inFlight, size]: typeof SHAPES[number],
): Load {
  const binary = `${connections}x${inFlight}x${size}`;
  const isBinary = payload === "binary";
  return {
    name: isBinary ? binary : `${binary}-${payload}`,
    title: `${connections} ${
      connections === 1 ? "connection" : "connections"
    } x ${inFlight} in flight, ${size} B, ${PAYLOADS[payload]}`,
    group: isBinary ? "binary" : "text",
    kind: "echo",
    mode: "echo",
    unit: "messages/s",
    connections,
    inFlight,
    size,
    payload,
    ...(isBinary ? {} : { binary }),
  };
}

/** What the special loads have in common. */
const OTHER = { group: "other", inFlight: 1, size: 0, payload: "binary" } as const;

/** All of them. */
export const LOADS: readonly Load[] = [
  ...SHAPES.map((shape) => echo("binary", shape)),
  ...SHAPES.map((shape) => echo("ascii", shape)),
  echo("utf8", [16, 16, 1024]),
  {
    name: "json-compressed",
    title: "16 connections x 16 in flight, JSON of 1 KiB, permessage-deflate with context kept",
    group: "other",
    kind: "echo",
    mode: "compressed",
    unit: "messages/s",
    connections: 16,
    inFlight: 16,
    size: 1100,
    payload: "json",
  },
  {
    ...OTHER,
    name: "broadcast",
    title: "one message of 64 B to 1,000 connections, then the next; p50 and p99 to the last one",
    kind: "broadcast",
    mode: "broadcast",
    unit: "deliveries/s",
    connections: 1000,
    size: 64,
  },
  {
    ...OTHER,
    name: "handshakes",
    title: "whole lives of connections, 16 at a time; p50 and p99 from connect to the 101",
    kind: "handshakes",
    mode: "handshakes",
    unit: "connections/s",
    connections: 16,
  },
  {
    ...OTHER,
    name: "idle",
    title: "memory of 5,000 connections that have done nothing but the handshake",
    kind: "idle",
    mode: "idle",
    unit: "bytes/connection",
    connections: 5000,
  },
  {
    ...OTHER,
    name: "idle-used",
    title: "memory of 5,000 connections that have echoed 1 KiB each",
    kind: "idle",
    mode: "idle",
    unit: "bytes/connection",
    connections: 5000,
    size: 1024,
  },
];

/** What the generator is told. */
export interface Task {
  load: Load;
  port: number;
  /** The server's process. */
  pid: number;
  /** Whether to speak WebSocket, or only to send the same bytes as if. */
  websocket: boolean;
  seconds: number;
  warmUp: number;
}

/** What the generator answers. */
export interface Result {
  /** In the load's unit. */
  value: number;
  /** The median latency, in milliseconds. */
  p50?: number;
  /** The latency that 99 of 100 keep to, in milliseconds. */
  p99?: number;
  /** The share of one core that the server used; 1.5 is one and a half. */
  serverCpu?: number;
  /** The same of the generator: near 1, it may be what limits the rate. */
  generatorCpu?: number;
  /** The extensions that the server agreed to. */
  extensions?: string;
  /** Why there is no value: the server doesn't do what the load needs. */
  skipped?: string;
}
