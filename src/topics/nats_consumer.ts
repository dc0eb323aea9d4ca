import { Timeouts } from "../util/timeouts.ts";
import type { NatsConnection, NatsMessage } from "./nats_types.ts";

/** The interval at which JetStream reports that a consumer is idle, in milliseconds. */
const IDLE_HEARTBEAT = 1000;

/** The silence after which a read has failed, in milliseconds. */
const TIMEOUT = 4000;

/** How often a read continues after a lost message. */
const MAX_TRIES = 5;

const NOTHING = /* @__PURE__ */ new Uint8Array(0);

/** A stored message, with its number in the stream. */
export interface StoredBytes {
  readonly seq: number;
  readonly data: Uint8Array;
}

/** The place of a stored message: its numbers in the stream and the consumer, and how many come after it. */
interface Place {
  readonly seq: number;
  readonly delivered: number;
  readonly pending: number;
}

/** Whether a message of a consumer is a stored one: others report that it is idle. */
export function isStored({ reply }: NatsMessage): boolean {
  return reply?.startsWith("$JS.ACK.") === true;
}

/** Returns the place of a stored message. */
export function placeOf({ reply }: NatsMessage): Place {
  // $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>
  const tokens = reply!.split(".");
  const [seq, delivered, , pending] = tokens.slice(tokens.length >= 11 ? 7 : 5).map(Number);
  return { seq: seq!, delivered: delivered!, pending: pending! };
}

/**
 * Handles a message that is not a stored one. A request of the flow control is answered, so that the broker
 * continues.
 *
 * @returns The consumer's number of its last message if it is idle; otherwise `undefined`.
 */
export function takeStatus(
  connection: NatsConnection,
  { reply, headers }: NatsMessage,
): number | undefined {
  const control = reply || headers?.get("Nats-Consumer-Stalled");
  if (!control) return Number(headers?.get("Nats-Last-Consumer") ?? 0);
  if (control.startsWith("$JS.FC.")) connection.publish(control, NOTHING);
  return undefined;
}

/**
 * The configuration of a consumer.
 *
 * @param subject The subject on which it delivers.
 * @param filter The subject of the messages.
 * @param first The number in the stream from which it begins.
 */
export function consumerConfig(subject: string, filter: string, first: number): object {
  return {
    deliver_subject: subject,
    deliver_policy: "by_start_sequence",
    opt_start_seq: first,
    filter_subject: filter,
    ack_policy: "none",
    replay_policy: "instant",
    flow_control: true,
    idle_heartbeat: IDLE_HEARTBEAT * 1e6,
    inactive_threshold: 30e9,
    mem_storage: true,
    num_replicas: 1,
  };
}

/** Creates a consumer. @returns JetStream's description of it. */
export type CreateConsumer = (config: object) => Promise<unknown>;

/**
 * Reads stored messages by a consumer for each read: the broker sends all of them after one request. With a
 * request for each message, a read would take as many turns of an event loop that may be busy.
 */
export class NatsReader {
  readonly #connection: NatsConnection;
  readonly #create: CreateConsumer;
  readonly #timeouts = new Timeouts();
  #isStopped = false;

  constructor(connection: NatsConnection, create: CreateConsumer) {
    this.#connection = connection;
    this.#create = create;
  }

  /**
   * Reads the messages of a subject from a number of the stream to another one.
   *
   * @param inbox Returns the subject on which a consumer delivers.
   */
  async read(
    filter: string,
    first: number,
    last: number,
    inbox: () => string,
  ): Promise<StoredBytes[]> {
    const stored: StoredBytes[] = [];
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const from = (stored.at(-1)?.seq ?? first - 1) + 1;
      const isWhole = await this.#continue(stored, consumerConfig(inbox(), filter, from), last);
      if (isWhole) return stored.filter(({ seq }) => seq <= last);
    }
    throw new DOMException("Messages of the stream were lost again and again", "NetworkError");
  }

  /** Ends all reads. */
  stop(): void {
    this.#isStopped = true;
    this.#timeouts.clear();
  }

  /** Reads until the end of the messages. @returns `false` if one was lost. */
  async #continue(stored: StoredBytes[], config: object, last: number): Promise<boolean> {
    const { deliver_subject: inbox } = config as { deliver_subject: string };
    const { promise: isWhole, resolve } = Promise.withResolvers<boolean>();
    /** How many messages have come, and those that report the state of the consumer. */
    let [count, heard] = [0, 0];
    const subscription = this.#connection.subscribe(inbox, {
      callback: (error, message) => {
        if (error !== null) return resolve(false);
        heard++;
        if (!isStored(message)) {
          const idle = takeStatus(this.#connection, message);
          if (idle !== undefined) resolve(idle <= count);
          return;
        }
        const { seq, delivered, pending } = placeOf(message);
        if (delivered <= count) return; // It has come twice.
        if (delivered > count + 1) return resolve(false);
        count++;
        stored.push({ seq, data: message.data });
        if (seq >= last || pending === 0) resolve(true);
      },
    });
    try {
      const { num_pending: pending, delivered } = await this.#create(config) as {
        num_pending?: number;
        delivered?: { consumer_seq: number };
      };
      if (pending === 0 && (delivered?.consumer_seq ?? 0) === 0) resolve(true);
      while (!this.#isStopped) {
        const before = heard;
        const result = await this.#timeouts.withTimeout(TIMEOUT, isWhole);
        if (result !== undefined) return result;
        if (heard === before) break;
      }
      throw new DOMException("The broker has not sent the messages of the stream", "NetworkError");
    } finally {
      subscription.unsubscribe();
    }
  }
}
