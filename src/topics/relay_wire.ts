import { concat } from "../protocol/bytes.ts";
import { isAmount, isList, isOptional, isString } from "./json_checks.ts";
import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import type { Message, Position, RelayedMessage } from "./types.ts";

/** A message between nodes. */
export interface WireMessage {
  node: string;
  /**
   * Its number among the node's messages of the topic, from 1, or from 1 above a multiple of 2 ** 32 if the node
   * may have forgotten the earlier ones; 0 if the topic is kept.
   */
  number: number;
  id: string | undefined;
  data: Message;
}

/** `<node> <number> <t or b> <id or ->`, a line feed, and the data. */
const HEADER = /^([\w-]{1,64}) (\d{1,16}) ([tb]) (\S+)\n/;

/** The maximum length of a header, in bytes. The publisher limits the length of ids. */
const MAX_HEADER = 4096;

const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function headerOf({ node, number, id, data }: WireMessage): string {
  const type = typeof data === "string" ? "t" : "b";
  return `${node} ${number} ${type} ${id === undefined ? "-" : `+${encodeURIComponent(id)}`}\n`;
}

/** Encodes a message as text, with bytes as base64. */
export function encodeText(message: WireMessage): string {
  const { data } = message;
  return headerOf(message) + (typeof data === "string" ? data : encodeBase64(data));
}

/** Encodes a message as new bytes. */
export function encodeBytes(message: WireMessage): Uint8Array<ArrayBuffer> {
  const { data } = message;
  if (typeof data === "string") return encoder.encode(headerOf(message) + data);
  return concat(encoder.encode(headerOf(message)), data);
}

/** Decodes the output of `encodeText()` or `encodeBytes()`. @returns `undefined` for any other input. */
export function decode(payload: string | Uint8Array): WireMessage | undefined {
  try {
    const isText = typeof payload === "string";
    const start = isText ? payload : latin1(payload.subarray(0, MAX_HEADER));
    const [header, node, number, type, id] = HEADER.exec(start) ?? [];
    if (header === undefined) return undefined;
    const rest = typeof payload === "string"
      ? payload.slice(header.length)
      : payload.subarray(header.length);
    let data: Message;
    if (typeof rest === "string") data = type === "t" ? rest : decodeBase64(rest);
    else data = type === "t" ? decoder.decode(rest) : new Uint8Array(rest);
    return {
      node: node!,
      number: Number(number),
      id: id === "-" ? undefined : decodeURIComponent(id!.slice(1)),
      data,
    };
  } catch {
    return undefined;
  }
}

function latin1(bytes: Uint8Array): string {
  const line = bytes.indexOf(0x0a);
  return line === -1 ? "" : String.fromCharCode(...bytes.subarray(0, line + 1));
}

/** A control message between nodes. */
export type NodeControl =
  /** A heartbeat: the last numbers of topics with recent messages. `instance` tells nodes of one name apart. */
  | { type: "heartbeat"; node: string; instance: string; numbers: Record<string, number> }
  /** A question for the numbers of topics, to all nodes or to one. */
  | { type: "question"; node: string; to?: string | undefined; question: number; topics: string[] }
  /** The answer of a node to the question. */
  | {
    type: "answer";
    node: string;
    to: string;
    question: number;
    age: number;
    numbers: Record<string, number>;
  }
  /** A probe, which comes back when the broker has all messages that were sent before it. */
  | { type: "probe"; node: string; probe: number }
  /** A node that ends, with its uptime and the last numbers of topics with recent messages. */
  | { type: "bye"; node: string; age: number; numbers: Record<string, number> };

/** Decodes a control message. @returns `undefined` if the input is not a control message. */
export function decodeControl(payload: string | Uint8Array): NodeControl | undefined {
  try {
    const text = typeof payload === "string" ? payload : decoder.decode(payload);
    const control = JSON.parse(text) as Record<string, unknown>;
    const { type, node, instance, to, question, probe, age, numbers, topics } = control;
    if (typeof node !== "string" || !/^[\w-]{1,64}$/.test(node)) return undefined;
    const isValid = type === "heartbeat" && isString(instance) && isNumbers(numbers) ||
      type === "question" && isAmount(question) && isList(topics, isString) &&
        isOptional(to, isString) ||
      type === "answer" && isString(to) && isAmount(question) && isAmount(age) &&
        isNumbers(numbers) ||
      type === "probe" && isAmount(probe) || type === "bye" && isAmount(age) && isNumbers(numbers);
    return isValid ? control as unknown as NodeControl : undefined;
  } catch {
    return undefined;
  }
}

function isNumbers(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.values(value).every(isAmount);
}

/** Encodes a topic's name for a subject or a channel, without `*`, `>`, `.` and spaces. */
export function encodeTopic(topic: string): string {
  return encodeURIComponent(topic).replaceAll(
    /[.!~*'()]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Returns the bytes of a message's data: of text, its UTF-8. */
export function byteLengthOf(data: Message): number {
  return typeof data === "string" ? encoder.encode(data).length : data.length;
}

/** Returns the form of a message between nodes. */
export function wireOf({ node, id, data }: RelayedMessage, number: number): WireMessage {
  return { node, number, id, data };
}

/** Returns the form of a message for the topics of a node. */
export function relayed(
  topic: string,
  message: WireMessage & { position?: Position },
): RelayedMessage {
  const { node, number, id, data, position } = message;
  return {
    topic,
    data,
    node,
    number,
    ...(id === undefined ? {} : { id }),
    ...(position === undefined ? {} : { position }),
  };
}
