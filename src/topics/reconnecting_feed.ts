import { checkNames, unusable } from "../protocol/options.ts";
import { checkSince, checkTopic } from "./options.ts";
import type { ReconnectEvent } from "../client/reconnect_events.ts";
import type { Sendable } from "../connection/sendable.ts";
import {
  applicationMessage,
  formatPosition,
  parseControl,
  parsePosition,
  TOPICS_PROTOCOL,
  unwrap,
} from "./topics_protocol.ts";
import type { ClientControl } from "./topics_protocol.ts";
import type { Gap, Message, Position } from "./types.ts";

/** An event of a {@linkcode Feed}. Events come in order. */
export type FeedEvent =
  /** The subscription is active. Unless `recovered` is true, messages may be missing: reload the data. */
  | { type: "subscribed"; topic: string; recovered: boolean; position?: Position }
  /** A message of a topic. */
  | { type: "message"; topic: string; data: Message; position?: Position }
  /** A message of the application. */
  | { type: "application"; data: Message }
  /** Messages of a topic are missing here. */
  | { type: "gap"; topic: string; count: number | undefined; why: Gap["why"] }
  /** The server has rejected the subscription. */
  | { type: "refused"; topic: string; reason: string }
  /** The connection has closed. `retryIn` is the delay of the next attempt, if there is one. */
  | { type: "close"; retryIn: number | undefined };

/** The topics of {@linkcode openFeed}. */
export interface FeedTopics {
  /** The topics to subscribe to. @default {[]} */
  topics?: readonly string[];
  /** The position of the last message of a topic that an earlier feed has received. */
  since?: Readonly<Record<string, Position>>;
}

/**
 * Checks the topics of a feed.
 *
 * @throws {TypeError} If they are no list of names, or `since` has no positions.
 */
export function checkFeedTopics({ topics, since }: Required<FeedTopics>): void {
  if (!Array.isArray(topics)) {
    throw unusable("option topics of openFeed()", topics, "a list of names");
  }
  for (const topic of topics) checkTopic(topic, "open a feed");
  for (const position of Object.values(since)) checkSince("openFeed()", position);
}

/** A client of `sluice.topics.v1`: one sequence of events across all connections. */
export interface Feed extends AsyncIterable<FeedEvent>, AsyncDisposable {
  /** Subscribes to a topic, now and on each later connection. */
  subscribe(topic: string, options?: { since?: Position }): void;
  /** Ends a subscription. */
  unsubscribe(topic: string): void;
  /** Sends a message to the application on the server; see {@linkcode ReconnectingWebSocket.send}. */
  send(data: Message): Promise<void>;
}

/** A connection, as a feed uses it. */
interface FeedConnection {
  send(data: string): Promise<void>;
}

/** A ReconnectingWebSocket, as a feed uses it, on each platform. */
export interface FeedSocket extends AsyncIterable<ReconnectEvent<FeedConnection>>, AsyncDisposable {
  send(data: Sendable): Promise<void>;
  close(code?: number, reason?: string): Promise<unknown>;
}

/** A topic that the feed is subscribed to. */
interface FeedTopic {
  /** The position of the last message that the loop was given. */
  position: Position | undefined;
  /** The connection on which the subscription was requested. */
  connection?: FeedConnection | undefined;
}

/** Implementation of {@linkcode openFeed}, on each platform. */
export class ReconnectingFeed implements Feed {
  readonly #socket: FeedSocket;
  readonly #violationCode: number;
  readonly #topics = new Map<string, FeedTopic>();
  /** The names of the topics by their numbers on the current connection. */
  readonly #names = new Map<number, string>();
  #connection: FeedConnection | undefined;

  /** @param violationCode The close code if the server violates the subprotocol. */
  constructor(
    socket: FeedSocket,
    { topics, since }: Required<FeedTopics>,
    violationCode: number,
  ) {
    this.#socket = socket;
    this.#violationCode = violationCode;
    for (const topic of topics) {
      this.#add(topic, Object.hasOwn(since, topic) ? since[topic] : undefined);
    }
  }

  subscribe(topic: string, options: { since?: Position } = {}): void {
    checkTopic(topic, "subscribe");
    checkNames("subscribe()", options, ["since"]);
    const { since } = options;
    checkSince("subscribe()", since);
    if (this.#topics.has(topic)) return;
    this.#add(topic, since);
    this.#ask(topic);
  }

  unsubscribe(topic: string): void {
    const found = this.#topics.get(topic);
    this.#topics.delete(topic);
    if (found?.connection === this.#connection) this.#control({ unsubscribe: topic });
  }

  send(data: Message): Promise<void> {
    return this.#socket.send(applicationMessage(data));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FeedEvent, void, undefined> {
    for await (const event of this.#socket) {
      if (event.type === "open") {
        this.#connection = event.connection;
        this.#names.clear();
        for (const topic of this.#topics.keys()) this.#ask(topic);
      } else if (event.type === "close") {
        this.#connection = undefined;
        yield { type: "close", retryIn: event.retryIn };
      } else {
        const received = this.#receive(event.data);
        if (received !== undefined) yield received;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#socket[Symbol.asyncDispose]();
  }

  #add(topic: string, position: Position | undefined): void {
    this.#topics.set(topic, { position });
  }

  /** Requests a topic, once per connection. */
  #ask(topic: string): void {
    const found = this.#topics.get(topic)!;
    if (found.connection === this.#connection) return;
    found.connection = this.#connection;
    const { position } = found;
    this.#control({ subscribe: topic, since: formatPosition(position) });
  }

  /** Sends a request, if there is a connection. */
  #control(control: ClientControl): void {
    this.#connection?.send(JSON.stringify(control));
  }

  #receive(message: string | Uint8Array): FeedEvent | undefined {
    const control = parseControl(message);
    return control === undefined ? this.#receiveMessage(message) : this.#receiveControl(control);
  }

  #receiveMessage(message: string | Uint8Array): FeedEvent | undefined {
    const envelope = unwrap(message);
    if (envelope === undefined) return this.#violated("a message without a topic's number");
    const { number, offset, data } = envelope;
    if (number === 0) return { type: "application", data };
    const topic = this.#names.get(number)!;
    const found = this.#topics.get(topic);
    // The message was sent before the subscription began, or was in flight when the client unsubscribed.
    if (found === undefined) return undefined;
    const epoch = found.position?.epoch;
    if (offset === undefined || epoch === undefined) return { type: "message", topic, data };
    const position = { epoch, offset };
    found.position = position;
    return { type: "message", topic, data, position };
  }

  #receiveControl(control: Record<string, unknown>): FeedEvent | undefined {
    const { topic: number, name, at, recovered, refused, reason, gap, count, why } = control;
    if (typeof number === "number" && typeof name === "string") {
      const found = this.#topics.get(name);
      if (found === undefined) return undefined;
      this.#names.set(number, name);
      const position = parsePosition(at);
      const isRecovered = recovered === true && found.position?.epoch === position?.epoch;
      // Messages after a recovered position are sent again. Otherwise the topic starts at its end.
      if (!isRecovered) found.position = position;
      return {
        type: "subscribed",
        topic: name,
        recovered: isRecovered,
        ...(position === undefined ? {} : { position }),
      };
    }
    if (typeof refused === "string") {
      this.#topics.delete(refused);
      return { type: "refused", topic: refused, reason: String(reason) };
    }
    if (typeof gap === "number") {
      const topic = this.#names.get(gap);
      if (topic === undefined) return undefined;
      const known = typeof count === "number" ? count : undefined;
      return { type: "gap", topic, count: known, why: why as Gap["why"] };
    }
    if (typeof control.unsubscribed === "number") {
      this.#names.delete(control.unsubscribed);
      return undefined;
    }
    return this.#violated("an unknown control message");
  }

  /** Ends the feed: its server does not speak the subprotocol. */
  #violated(what: string): undefined {
    void this.#socket.close(this.#violationCode, `${TOPICS_PROTOCOL}: ${what}`);
    return undefined;
  }
}
