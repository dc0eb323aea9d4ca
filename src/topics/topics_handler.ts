import { encodeWith } from "./options.ts";
import { CloseCode } from "../protocol/close_code.ts";
import { unusable } from "../protocol/options.ts";
import { aFunction, checkOptions, isPlainObject } from "../util/options.ts";
import type { OptionChecks } from "../util/options.ts";
import { getOrCreate } from "../util/maps.ts";
import { callGuarded, callReporter } from "../util/promises.ts";
import { formatPosition, parseControl, parsePosition, unwrap, wrap } from "./topics_protocol.ts";
import type { ServerControl } from "./topics_protocol.ts";
import type {
  Gap,
  Message,
  Peer,
  Position,
  Publication,
  SubscribeOptions,
  Subscription,
  SubscriptionStart,
  Topics,
} from "./types.ts";

/** The maximum number of pending `subscribe()` calls per client. */
const MAX_PENDING = 64;

/** Options of {@linkcode topicsHandler}. */
export interface TopicsHandlerOptions<Socket extends Peer> {
  /**
   * Decides whether a client may subscribe to a topic, and with which options. `true` or a plain object of
   * options accepts the subscription; any other value and an exception reject it. The client provides
   * `since`.
   *
   * @default {undefined} No client may subscribe.
   */
  subscribe?: (
    socket: Socket,
    topic: string,
  ) => SubscribeOptions | boolean | Promise<SubscribeOptions | boolean>;
  /** Called with each application message. @default {undefined} These messages are ignored. */
  message?: (socket: Socket, message: Message) => unknown;
  /** Called with each exception of a callback. @default {undefined} Exceptions are printed. */
  onError?: (error: unknown) => void;
}

const handlerOptionChecks: OptionChecks<TopicsHandlerOptions<Peer>> = {
  subscribe: aFunction,
  message: aFunction,
  onError: aFunction,
};

/** The callbacks that {@linkcode topicsHandler} returns: a handler for `serve()`. */
export interface TopicsHandler<Socket extends Peer> {
  /** Starts serving a connection. */
  open(socket: Socket): void;
  /** Handles a message of the client. */
  message(socket: Socket, message: string | Uint8Array): unknown;
  /** Ends the subscriptions of a connection. */
  close(socket: Socket): void;
}

/** The wire encoders of a topic, by the application's `encode` function. */
type Encoders = Map<SubscribeOptions["encode"], (publication: Publication) => Message>;

/** The number of a topic on the wire, for all clients that are subscribed to it. */
interface NumberedTopic {
  readonly name: string;
  readonly number: number;
  /** The number of the topic's subscriptions. */
  uses: number;
  readonly encoders: Encoders;
  readonly encodersWithoutOffsets: Encoders;
}

/** The subscriptions of one client. */
interface Client {
  readonly byNumber: Map<number, { topic: NumberedTopic; subscription: Subscription }>;
  /** Topics for which `subscribe()` is pending. */
  readonly pending: Set<string>;
}

/**
 * Creates the callbacks of a server for the subprotocol `sluice.topics.v1`. Clients subscribe to the topics
 * that `subscribe` accepts, and recover missed messages of kept topics.
 *
 * @throws {TypeError} If an option is unknown, or no function.
 *
 * @example
 * ```ts
 * import { serve } from "@sluice/websocket";
 * import { openFeed, topics, TOPICS_PROTOCOL, topicsHandler } from "@sluice/websocket/topics";
 * import { assertEquals } from "@std/assert";
 *
 * await using news = topics({ keep: { messages: 100, age: 600_000 } });
 * await using server = serve(
 *   { hostname: "127.0.0.1", port: 0, protocols: [TOPICS_PROTOCOL] },
 *   topicsHandler(news, { subscribe: (_socket, topic) => topic === "world" }),
 * );
 * const { port } = server.addr as { port: number };
 *
 * await using feed = openFeed(`ws://127.0.0.1:${port}/`, { topics: ["world"] });
 * for await (const event of feed) {
 *   if (event.type === "subscribed") news.publish("world", "hello");
 *   if (event.type === "message") {
 *     assertEquals(event.data, "hello");
 *     break;
 *   }
 * }
 * ```
 */
export function topicsHandler<Socket extends Peer>(
  topics: Topics,
  options: TopicsHandlerOptions<Socket> = {},
): TopicsHandler<Socket> {
  checkOptions("topicsHandler()", options, handlerOptionChecks);
  const handler = new Handler<Socket>(topics, options);
  return {
    open: () => {},
    message: (socket, message) => handler.message(socket, message),
    close: (socket) => handler.close(socket),
  };
}

class Handler<Socket extends Peer> {
  readonly #topics: Topics;
  readonly #options: TopicsHandlerOptions<Socket>;
  readonly #clients = new WeakMap<Socket, Client>();
  readonly #numbered = new Map<string, NumberedTopic>();
  #lastNumber = 0;
  readonly #report = (error: unknown): void => {
    const { onError = console.error } = this.#options;
    callReporter(() => onError(error));
  };

  constructor(topics: Topics, options: TopicsHandlerOptions<Socket>) {
    this.#topics = topics;
    this.#options = options;
  }

  message(socket: Socket, message: string | Uint8Array): unknown {
    const control = parseControl(message);
    if (control === undefined) {
      const envelope = unwrap(message);
      if (envelope?.number === 0 && envelope.offset === undefined) {
        return this.#options.message?.(socket, envelope.data);
      }
      this.#violated(socket, "expected a control message, or a message that begins with 0");
      return;
    }
    const { subscribe, unsubscribe, since } = control;
    if (typeof subscribe === "string") {
      this.#subscribe(socket, subscribe, since).catch(this.#report);
    } else if (typeof unsubscribe === "number" || typeof unsubscribe === "string") {
      this.#unsubscribe(socket, unsubscribe);
    } else this.#violated(socket, "expected subscribe or unsubscribe");
    return;
  }

  close(socket: Socket): void {
    const client = this.#clients.get(socket);
    this.#clients.delete(socket);
    for (const { topic, subscription } of client?.byNumber.values() ?? []) {
      subscription.unsubscribe();
      this.#release(topic);
    }
    client?.pending.clear();
  }

  #clientOf(socket: Socket): Client {
    return getOrCreate(this.#clients, socket, () => ({ byNumber: new Map(), pending: new Set() }));
  }

  async #subscribe(socket: Socket, name: string, since: unknown): Promise<void> {
    const client = this.#clientOf(socket);
    const refuse = (reason: string) => this.#send(socket, { refused: name, reason });
    const position = parsePosition(since);
    if (since !== undefined && position === undefined) return refuse("since is no position");
    if (client.pending.has(name)) return refuse("asked for already");
    if (client.pending.size >= MAX_PENDING) return refuse("too many at once");
    client.pending.add(name);
    let answer: unknown;
    try {
      answer = await this.#options.subscribe?.(socket, name);
    } catch (error) {
      this.#report(error);
    }
    // The client may have closed or unsubscribed in the meantime.
    if (!client.pending.delete(name) || socket.readyState !== 1) return;
    // Not any object: a Response or an Error means a refusal.
    if (answer !== true && !isPlainObject(answer)) {
      if (answer !== false && answer !== undefined) {
        this.#report(
          unusable("the result of subscribe()", answer, "a boolean or a plain object of options"),
        );
      }
      return refuse("not allowed");
    }
    try {
      this.#begin(
        socket,
        client,
        name,
        answer === true ? {} : answer,
        position,
      );
    } catch (error) {
      if (error instanceof DOMException) return refuse(error.message);
      this.#report(error);
      refuse("not possible");
    }
  }

  #begin(
    socket: Socket,
    client: Client,
    name: string,
    options: SubscribeOptions,
    since: Position | undefined,
  ): void {
    const topic = this.#numberOf(name);
    const { number } = topic;
    const onGap = (gap: Gap) => {
      const { count, why } = gap;
      this.#send(socket, { gap: number, count, why });
      return options.onGap?.(gap);
    };
    // "latest" may send offsets out of order, so a client can't continue after one of them.
    const hasOffsets = options.whenSlow !== "latest";
    const encode = encoderOf(topic, options.encode, hasOffsets);
    const onStart = (start: SubscriptionStart) => {
      const { recovered, position } = start;
      this.#send(socket, {
        topic: number,
        name,
        at: formatPosition(position),
        recovered,
      });
      return options.onStart?.(start);
    };
    let subscription: Subscription;
    try {
      const all: SubscribeOptions = { ...options, onStart, onGap, encode };
      if (since !== undefined) all.since = since;
      subscription = this.#topics.subscribe(socket, name, all);
    } catch (error) {
      this.#release(topic);
      throw error;
    }
    client.byNumber.set(number, { topic, subscription });
  }

  #unsubscribe(socket: Socket, which: string | number): void {
    const client = this.#clientOf(socket);
    if (typeof which === "string" && client.pending.delete(which)) return;
    for (const [number, { topic, subscription }] of client.byNumber) {
      if (number !== which && topic.name !== which) continue;
      client.byNumber.delete(number);
      subscription.unsubscribe();
      this.#release(topic);
      this.#send(socket, { unsubscribed: number });
      return;
    }
  }

  #numberOf(name: string): NumberedTopic {
    const topic = getOrCreate(this.#numbered, name, () => {
      const number = ++this.#lastNumber;
      return { name, number, uses: 0, encoders: new Map(), encodersWithoutOffsets: new Map() };
    });
    topic.uses++;
    return topic;
  }

  #release(topic: NumberedTopic): void {
    if (--topic.uses === 0) this.#numbered.delete(topic.name);
  }

  #send(socket: Socket, control: ServerControl): void {
    callGuarded(() => socket.send(JSON.stringify(control)), this.#report);
  }

  /** Closes a connection whose client does not speak the subprotocol (RFC 6455 §7.4.1). */
  #violated(socket: Socket, what: string): void {
    callGuarded(() => socket.close(CloseCode.PolicyViolation, what), this.#report);
  }
}

/** Returns one function per topic and `encode`, so that a message is encoded once for all clients. */
function encoderOf(
  topic: NumberedTopic,
  encode: SubscribeOptions["encode"],
  hasOffsets: boolean,
): (publication: Publication) => Message {
  const encoders = hasOffsets ? topic.encoders : topic.encodersWithoutOffsets;
  return getOrCreate(encoders, encode, () => (publication) => {
    const offset = hasOffsets ? publication.position?.offset : undefined;
    return wrap(topic.number, offset, encodeWith(encode, publication));
  });
}
