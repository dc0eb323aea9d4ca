import { isAmount, isList, isOptional, isString } from "./json_checks.ts";
import type { Check } from "./json_checks.ts";
import type { Message } from "./types.ts";

/** A message between nodes about the members of a topic. */
export type PresenceMessage<State> = PresenceContent<State> & { node: string };

/** The content of a message, without the node that sends it. */
export type PresenceContent<State> =
  /** A heartbeat of the node. */
  | { type: "heartbeat" }
  /** The node ends, and its members leave. */
  | { type: "bye" }
  /** Members of the node that have joined, changed or left since the version before. */
  | { type: "diff"; version: number; set: [key: string, state: State][]; left: string[] }
  /** All members of the node. */
  | { type: "all"; version: number; set: [key: string, state: State][] }
  /** A question for all members: to all nodes, or to one. Outside a topic, for those of all topics. */
  | { type: "request"; to?: string; question?: number }
  /** The node has sent its members of all topics, since another has asked: the versions, in parts. */
  | {
    type: "told";
    to: string;
    question: number | undefined;
    versions: [topic: string, version: number][];
    /** The number of topics in later parts. */
    rest: number;
  };

/** Decodes a message. @returns `undefined` if the input is no message of a node. */
export function decodePresence<State>(data: Message): PresenceMessage<State> | undefined {
  try {
    const message = JSON.parse(data as string);
    return typeof message.node === "string" && isValid(message) ? message : undefined;
  } catch {
    return undefined;
  }
}

function isValid(message: Record<string, unknown>): boolean {
  const { type, version, set, left, to, question, versions, rest } = message;
  switch (type) {
    case "heartbeat":
    case "bye":
      return true;
    case "diff":
      return isAmount(version) && isEntries(set) && isList(left, isString);
    case "all":
      return isAmount(version) && isEntries(set);
    case "request":
      return isOptional(to, isString) && isOptional(question, isAmount);
    case "told":
      return isString(to) && isOptional(question, isAmount) && isAmount(rest) &&
        isEntries(versions, isAmount);
    default:
      return false;
  }
}

/** Whether a value is a list of pairs, of a string and another value. */
function isEntries(value: unknown, is: Check = () => true): boolean {
  return isList(value, (entry) => Array.isArray(entry) && isString(entry[0]) && is(entry[1]));
}
