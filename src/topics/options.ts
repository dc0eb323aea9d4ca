import { SharedMessage } from "../connection/shared_message.ts";
import { checkLimit, show, unusable } from "../protocol/options.ts";
import { aFunction, anything, aSignal, checkOptions, oneOf } from "../util/options.ts";
import type { OptionCheck, OptionChecks } from "../util/options.ts";
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

/** @throws {TypeError} If the name of a topic is not a string of 1 to 1,024 UTF-16 units. */
export function checkTopic(topic: unknown, what: string): void {
  const isString = typeof topic === "string";
  if (isString && topic.length > 0 && topic.length <= MAX_TOPIC_LENGTH) return;
  throw new TypeError(
    `Cannot ${what}: expected a topic's name of 1 to 1,024 characters, got ${
      isString ? topic.length : show(topic)
    }`,
  );
}

/** @throws {TypeError} If the message is neither a string nor a `Uint8Array`. */
export function checkMessage(data: unknown): void {
  if (typeof data === "string" || data instanceof Uint8Array) return;
  throw new TypeError(`Cannot publish: expected a string or a Uint8Array, got ${show(data)}`);
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

/** As {@linkcode encodeWith}, for many connections. Reports an error, and returns `undefined` then. */
export function encodeShared(
  encode: SubscribeOptions["encode"],
  publication: Publication,
  reportError: (error: unknown) => void,
): SharedMessage | undefined {
  try {
    return new SharedMessage(encodeWith(encode, publication));
  } catch (error) {
    reportError(error);
    return undefined;
  }
}

const keepChecks: OptionChecks<Keep> = { messages: anything, bytes: anything, age: anything };

/** Accepts counts. */
const aCount: OptionCheck = (value, path) => {
  checkLimit(`option ${path}`, value, true);
  return undefined;
};

const topicsChecks: OptionChecks<TopicsOptions> = {
  keep: (value) => {
    if (typeof value !== "function") checkKeep(value as Keep);
    return undefined;
  },
  maxHistoryMemory: aCount,
  maxSubscriptions: aCount,
  relay: anything,
  onGap: aFunction,
  onError: aFunction,
};

const subscribeChecks: OptionChecks<SubscribeOptions> = {
  whenSlow: /* @__PURE__ */ oneOf("close", "drop-oldest", "drop-newest", "latest"),
  maxWaiting: aCount,
  key: aFunction,
  since: aPosition,
  encode: aFunction,
  onStart: aFunction,
  onGap: aFunction,
  signal: aSignal,
};

const publishChecks: OptionChecks<PublishOptions> = {
  except: anything,
  id: (id) =>
    typeof id === "string" && id.length > 0 && id.length <= 256
      ? undefined
      : "a string of 1 to 256 characters",
};

const historyChecks: OptionChecks<HistoryOptions> = { since: aPosition, limit: aCount };

/** Options of `history()`. */
interface HistoryOptions {
  since?: Position;
  limit?: number;
}

/** Accepts positions. */
function aPosition(value: unknown): string | undefined {
  const { epoch, offset } = (value ?? {}) as Partial<Position>;
  return typeof epoch === "string" && typeof offset === "number" ? undefined : "a position";
}

/** Checks the options of `topics()`. */
export function checkTopicsOptions(options: TopicsOptions): void {
  checkOptions("topics()", options, topicsChecks);
}

/** Checks the limits of a kept topic. */
export function checkKeep(keep: Keep): void {
  checkOptions("keep", keep, keepChecks);
  const { messages, bytes = Infinity, age } = keep;
  for (const [name, value] of Object.entries({ messages, bytes, age })) {
    checkLimit(`option ${name} of keep`, value, name === "messages");
  }
}

/** Checks the options of `subscribe()`. */
export function checkSubscribeOptions(options: SubscribeOptions): void {
  checkOptions("subscribe()", options, subscribeChecks);
}

/** Checks the options of `history()`. */
export function checkHistoryOptions(options: HistoryOptions): void {
  checkOptions("history()", options, historyChecks);
}

/** Checks the options of `publish()`. */
export function checkPublishOptions(options: PublishOptions): void {
  checkOptions("publish()", options, publishChecks);
}

/** Checks the position that a feed's topic begins with, in less code than `checkOptions()`. */
export function checkSince(owner: string, since: Position | undefined): void {
  if (since === undefined || aPosition(since) === undefined) return;
  throw unusable(`option since of ${owner}`, since, "a position");
}
