import { aSignal } from "../util/options.ts";
import { onRejected } from "../util/promises.ts";
import type {
  Keep,
  Message,
  Position,
  Publication,
  PublishOptions,
  SubscribeOptions,
  TopicsOptions,
} from "./types.ts";

/** The longest name of a topic, in UTF-16 units. */
const MAX_TOPIC_LENGTH = 1024;

const POLICIES = ["close", "drop-oldest", "drop-newest", "latest"];

/** @throws {TypeError} If the name of a topic is not a string of 1 to 1,024 UTF-16 units. */
export function checkTopic(topic: unknown, what: string): void {
  if (typeof topic !== "string") {
    throw new TypeError(`Cannot ${what}: expected a topic's name, got ${describe(topic)}`);
  }
  if (topic.length === 0 || topic.length > MAX_TOPIC_LENGTH) {
    throw new TypeError(
      `Cannot ${what}: expected a topic's name of 1 to 1,024 characters, got ${topic.length}`,
    );
  }
}

/** @throws {TypeError} If the message is neither a string nor a `Uint8Array`. */
export function checkMessage(data: unknown): void {
  if (typeof data === "string" || data instanceof Uint8Array) return;
  throw new TypeError(`Cannot publish: expected a string or a Uint8Array, got ${describe(data)}`);
}

/**
 * Encodes a message with the application's function.
 *
 * @throws {TypeError} If the result is no message. A promise is none.
 * @throws {unknown} What the function throws.
 */
export function encodeWith(
  encode: SubscribeOptions["encode"],
  publication: Publication,
): Message {
  if (encode === undefined) return publication.data;
  const data = encode(publication);
  onRejected(data, () => {}); // The TypeError is reported.
  checkMessage(data);
  return data;
}

/** Checks the options of `topics()`. */
export function checkOptions(options: TopicsOptions): void {
  const what = "Cannot make topics";
  const names = ["keep", "maxHistoryMemory", "maxSubscriptions", "relay", "onGap", "onError"];
  checkNames(what, options, names);
  const { keep, maxHistoryMemory, maxSubscriptions } = options;
  checkNumber(what, { maxHistoryMemory, maxSubscriptions });
  checkFunctions(what, { onGap: options.onGap, onError: options.onError });
  if (keep !== undefined && typeof keep !== "function") checkKeep(keep);
}

/** Checks the limits of a kept topic. */
export function checkKeep(keep: Keep): void {
  const what = "Cannot keep a topic";
  checkNames(what, keep, ["messages", "bytes", "age"]);
  const { messages, bytes = Infinity, age } = keep;
  for (const [name, value] of Object.entries({ messages, bytes, age })) {
    if (typeof value !== "number" || !(value > 0)) {
      throw new RangeError(
        `${what}: expected ${name} to be a number above 0, got ${describe(value)}`,
      );
    }
  }
}

/** Checks the options of `subscribe()`. */
export function checkSubscribeOptions(options: SubscribeOptions): void {
  const what = "Cannot subscribe";
  const names = ["whenSlow", "maxWaiting", "key", "since", "encode", "onStart", "onGap", "signal"];
  checkNames(what, options, names);
  const { whenSlow, maxWaiting, key, since, encode, onStart, onGap, signal } = options;
  if (whenSlow !== undefined && !POLICIES.includes(whenSlow)) {
    throw new TypeError(
      `${what}: expected whenSlow to be one of ${POLICIES.join(", ")}, got ${describe(whenSlow)}`,
    );
  }
  checkNumber(what, { maxWaiting });
  checkFunctions(what, { key, encode, onStart, onGap });
  checkSignal(what, signal);
  checkSince(what, since);
}

/** Checks the options of `history()`. */
export function checkHistoryOptions(options: { since?: Position; limit?: number }): void {
  const what = "Cannot read a history";
  checkNames(what, options, ["since", "limit"]);
  checkNumber(what, { limit: options.limit });
  checkSince(what, options.since);
}

/** @throws {TypeError} If a position that is set is none. */
export function checkSince(what: string, since: Position | undefined): void {
  if (since === undefined) return;
  if (typeof since?.epoch !== "string" || typeof since.offset !== "number") {
    throw new TypeError(`${what}: expected since to be a position, got ${describe(since)}`);
  }
}

function checkSignal(what: string, signal: unknown): void {
  const expected = signal === undefined ? undefined : aSignal(signal, "signal");
  if (expected === undefined) return;
  throw new TypeError(`${what}: expected signal to be ${expected}, got ${describe(signal)}`);
}

/** @throws {TypeError} If it is no object, or has an unknown name. */
export function checkNames(what: string, options: unknown, names: string[]): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`${what}: expected options, got ${describe(options)}`);
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(`${what}: there is no option ${unknown}; there are ${names.join(", ")}`);
  }
}

function checkNumber(what: string, values: Record<string, number | undefined>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === Infinity || (Number.isInteger(value) && value >= 1)) {
      continue;
    }
    throw new RangeError(
      `${what}: expected ${name} to be an integer above 0, got ${describe(value)}`,
    );
  }
}

function checkFunctions(what: string, values: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || typeof value === "function") continue;
    throw new TypeError(`${what}: expected ${name} to be a function, got ${describe(value)}`);
  }
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  return typeof value === "object" && value !== null ? `an ${typeof value}` : String(value);
}

/** Checks the options of `publish()`. */
export function checkPublishOptions(options: PublishOptions): void {
  const what = "Cannot publish";
  checkNames(what, options, ["except", "id"]);
  const { id } = options;
  if (id === undefined || (typeof id === "string" && id.length > 0 && id.length <= 256)) return;
  throw new TypeError(`${what}: expected an id of 1 to 256 characters, got ${describe(id)}`);
}
