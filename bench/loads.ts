/** The loads of the generator, by name. */

/** The content of a message. */
export type Payload = "binary" | "ascii" | "utf8" | "json";

/** The kind of a load. */
export type Kind = "echo" | "broadcast" | "handshakes" | "idle" | "http";

/** The mode that a server is started in. */
export type Mode = "echo" | "compressed" | "broadcast" | "handshakes" | "idle" | "http";

/** A load. */
export interface Load {
  name: string;
  /** Its description in the report. */
  title: string;
  /** The group that `--loads` can name. */
  group: string;
  kind: Kind;
  mode: Mode;
  /** The unit of the result. */
  unit: "messages/s" | "deliveries/s" | "connections/s" | "bytes/connection" | "requests/s";
  connections: number;
  /** The number of messages in flight on each connection. */
  inFlight: number;
  /** The payload's size in bytes; of text, in UTF-8. */
  size: number;
  payload: Payload;
  /** The name of the same load with binary messages, for comparison. */
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

/** The properties that the other loads share. */
const OTHER = { group: "other", inFlight: 1, size: 0, payload: "binary" } as const;

/** The properties that the HTTP loads share. */
const HTTP = {
  group: "http",
  kind: "http",
  mode: "http",
  unit: "requests/s",
  inFlight: 1,
  payload: "binary",
} as const;

/** All loads. */
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
    name: "broadcast-32",
    title:
      "32 messages of 64 B at once to 1,000 connections, then the next; p50 and p99 to the last one",
    kind: "broadcast",
    mode: "broadcast",
    unit: "deliveries/s",
    connections: 1000,
    inFlight: 32,
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
  {
    ...HTTP,
    name: "http-get",
    title: "GET of 13 bytes, 64 connections that persist",
    connections: 64,
    size: 13,
  },
  {
    ...HTTP,
    name: "http-post",
    title: "POST of 1 KiB that is echoed, 64 connections that persist",
    connections: 64,
    size: 1024,
  },
  {
    ...HTTP,
    name: "http-up",
    title: "POST of 1 MiB, answered with its size, 4 connections that persist",
    connections: 4,
    size: 1024 * 1024,
  },
  {
    ...HTTP,
    name: "http-down",
    title: "GET of 64 MiB from a stream of 64 KiB pieces, 2 connections that persist",
    connections: 2,
    size: 64 * 1024 * 1024,
  },
  {
    ...HTTP,
    name: "http-down-buffer",
    title: "GET of 64 MiB from one Uint8Array, 2 connections that persist",
    connections: 2,
    size: 64 * 1024 * 1024,
  },
];

/** The input of the generator. */
export interface Task {
  load: Load;
  port: number;
  /** The id of the server's process. */
  pid: number;
  /** Whether to do the opening handshake, or to send the same frames over raw TCP. */
  websocket: boolean;
  seconds: number;
  warmUp: number;
}

/** The output of the generator. */
export interface Result {
  /** The result, in the load's unit. */
  value: number;
  /** The median latency, in milliseconds. */
  p50?: number;
  /** The 99th percentile of the latency, in milliseconds. */
  p99?: number;
  /** The server's CPU time as a share of one core; 1.5 is one and a half cores. */
  serverCpu?: number;
  /** The generator's CPU time as a share of one core. Near 1, the generator may limit the rate. */
  generatorCpu?: number;
  /** The CPU time of the server's process per unit of the load, in microseconds. */
  cpuPerUnit?: number;
  /** The extensions that the server agreed to. */
  extensions?: string;
  /** The reason why there is no value: the server does not support the load. */
  skipped?: string;
}
