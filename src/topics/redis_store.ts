import { isWithin } from "./position.ts";
import { byteLengthOf, decode, encodeText, encodeTopic } from "./relay_wire.ts";
import type { WireMessage } from "./relay_wire.ts";
import type { BrokerEvents, StoredMessage } from "./broker.ts";
import { parsePosition } from "./topics_protocol.ts";
import type { History, Keep, Position } from "./types.ts";

/**
 * Stores a message and publishes it with its position in one atomic step, so that the history and the live
 * messages agree. The id of a stream entry is the offset. Each key has a time to live. That of the epoch and
 * the offset is a day at least: they outlive the messages, so that a quiet topic does not look like a lost one.
 *
 * KEYS: the hash of the topic (e epoch, o offset, b bytes, a age), the stream, the key of the message's id.
 * ARGV: message, messages to keep, bytes to keep or 0, age in ms, the start of a new epoch, whether there is
 * an id, channel, bytes of the data. Entries: m message, t time, b bytes. An epoch ends with its time: a
 * client may send the command again to a server that has lost everything.
 *
 * The scripts have no substitutions, so that a bundler can leave them out.
 */
const STORE = `
if ARGV[6] == '1' then
  local seen = redis.call('GET', KEYS[3])
  if seen then return seen end
end
local time = redis.call('TIME')
local epoch = redis.call('HGET', KEYS[1], 'e')
if not epoch then
  epoch = ARGV[5] .. '-' .. time[1] .. time[2]
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'e', epoch)
end
local offset = redis.call('HINCRBY', KEYS[1], 'o', 1)
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('XADD', KEYS[2], string.format('%.0f-0', offset), 'm', ARGV[1], 't', string.format('%.0f', now),
  'b', ARGV[8])
local length = redis.call('XLEN', KEYS[2])
if length == 1 then redis.call('HSET', KEYS[1], 'b', 0) end
local bytes = redis.call('HINCRBY', KEYS[1], 'b', ARGV[8])
local most = tonumber(ARGV[2])
local limit = tonumber(ARGV[3])
while length > most or (limit > 0 and bytes > limit and length > 0) do
  local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  redis.call('XDEL', KEYS[2], first[1])
  bytes = redis.call('HINCRBY', KEYS[1], 'b', -first[2][6])
  length = length - 1
end
redis.call('HSET', KEYS[1], 'a', ARGV[4])
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.max(ARGV[4], 86400000)))
redis.call('PEXPIRE', KEYS[2], ARGV[4])
local position = epoch .. ':' .. string.format('%.0f', offset)
if ARGV[6] == '1' then redis.call('SET', KEYS[3], position, 'PX', ARGV[4]) end
redis.call('PUBLISH', ARGV[7], position .. '\\n' .. ARGV[1])
return position
`;

/**
 * Reads a topic. KEYS: the hash and the stream. ARGV: the first requested offset, the maximum number, and the
 * start of an epoch for a topic without messages, or ''. Returns the position, the first offset that is kept,
 * and the entries: offset, message, ...
 */
const READ = `
local epoch = redis.call('HGET', KEYS[1], 'e')
if not epoch then
  if ARGV[3] == '' then return {'', '0', '1'} end
  local now = redis.call('TIME')
  epoch = ARGV[3] .. '-' .. now[1] .. now[2]
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'e', epoch)
  redis.call('PEXPIRE', KEYS[1], 86400000)
end
local offset = redis.call('HGET', KEYS[1], 'o') or '0'
local time = redis.call('TIME')
local age = tonumber(redis.call('HGET', KEYS[1], 'a') or '0')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - age
local first = offset + 1
while true do
  local entry = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  if not entry then break end
  if tonumber(entry[2][4]) >= oldest then
    first = string.match(entry[1], '^%d+')
    break
  end
  redis.call('XDEL', KEYS[2], entry[1])
  redis.call('HINCRBY', KEYS[1], 'b', -entry[2][6])
end
local answer = {epoch, offset, string.format('%.0f', first)}
if tonumber(ARGV[2]) > 0 then
  local entries = redis.call('XRANGE', KEYS[2], ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])
  for _, entry in ipairs(entries) do
    answer[#answer + 1] = string.match(entry[1], '^%d+')
    answer[#answer + 1] = entry[2][2]
  end
end
return answer
`;

/** How often a topic is read whose history begins again meanwhile. */
const MAX_READS = 5;

/** Sends a command to Redis. */
export type RedisCommand = (name: string, ...args: string[]) => Promise<unknown>;

/** The stored messages of a topic. */
interface StoredEntries {
  entries: StoredMessage[];
  position: Position;
  complete: boolean;
}

/** A topic whose stored messages are received. */
interface Followed {
  /** The position of the last delivered message; `undefined` until the topic has been read. */
  last: Position | undefined;
  /** Messages that arrive while the store is being read; otherwise `undefined`. */
  waiting: StoredMessage[] | undefined;
  /** Whether messages may be missing, because the store could not be read. */
  isBehind: boolean;
  /** Whether messages may have been lost since the store was read. */
  isStale: boolean;
  /** Resolves when the store has been read. */
  reading: Promise<void> | undefined;
}

/** Kept topics in Redis: a stream for each topic, and publish/subscribe for live messages. */
export class RedisStore {
  readonly #prefix: string;
  readonly #command: RedisCommand;
  readonly #followed = new Map<string, Followed>();
  readonly #topicOf = new Map<string, string>();

  constructor(prefix: string, command: RedisCommand) {
    this.#prefix = prefix;
    this.#command = command;
  }

  /** The channel of a topic's stored messages. */
  channelOf(topic: string): string {
    return `${this.#prefix}.k.${encodeTopic(topic)}`;
  }

  /** Stores a message. */
  async store(topic: string, message: WireMessage, keep: Keep): Promise<Position> {
    const [hash, stream, key] = this.#keysOf(topic);
    const { messages, bytes = 0, age } = keep;
    const answer = await this.#command(
      "EVAL",
      STORE,
      "3",
      hash,
      stream,
      key + encodeURIComponent(message.id ?? ""),
      encodeText(message),
      String(messages),
      String(Number.isFinite(bytes) ? bytes : 0),
      String(Math.min(Math.ceil(age), 2 ** 48)),
      crypto.randomUUID(),
      message.id === undefined ? "0" : "1",
      this.channelOf(topic),
      String(byteLengthOf(message.data)),
    );
    const position = parsePosition(answer);
    if (position === undefined) throw new TypeError(`Cannot read the broker's answer: ${answer}`);
    return position;
  }

  /** Reads the stored messages after a position, or all. */
  async read(
    topic: string,
    since: Position | undefined,
    limit: number,
    events: BrokerEvents,
  ): Promise<History> {
    for (let tries = 0; tries < MAX_READS; tries++) {
      const { entries, position, complete } = await this.#read(topic, since, limit);
      const followed = this.#followed.get(topic);
      // A followed topic has an epoch: the store has lost one that has none.
      const isAhead = () => followed?.last !== undefined && position.epoch !== followed.last.epoch;
      // Messages that are delivered after this must not be of an earlier history.
      if (isAhead()) await (followed!.reading ?? this.#catchUp(topic, followed!, events));
      if (isAhead()) continue;
      const publications = entries.map(({ data, position }) => ({ topic, data, position }));
      return { publications, position, complete };
    }
    throw new DOMException("The history begins again and again", "OperationError");
  }

  /** @param newEpoch The epoch of a topic that has had no message; `""` if it is only read. */
  async #read(
    topic: string,
    since: Position | undefined,
    limit: number,
    newEpoch = "",
  ): Promise<StoredEntries> {
    const [hash, stream] = this.#keysOf(topic);
    const from = since === undefined ? 0 : since.offset + 1;
    const count = Math.min(limit, 2 ** 31);
    const answer = await this.#command(
      "EVAL",
      READ,
      "2",
      hash,
      stream,
      `${from}`,
      `${count}`,
      newEpoch,
    );
    const [epoch, offset, first, ...stored] = (answer as unknown[]).map(String);
    const position = { epoch: epoch!, offset: Number(offset) };
    const isKnown = since === undefined
      ? Number(first) === 1
      : isWithin(since, Number(first) - 1, position);
    const entries: StoredMessage[] = [];
    for (let i = 0; i < stored.length; i += 2) {
      const message = decode(stored[i + 1]!);
      if (message === undefined || (since !== undefined && !isKnown)) continue;
      entries.push({ ...message, position: { epoch: epoch!, offset: Number(stored[i]) } });
    }
    return { entries, position, complete: isKnown };
  }

  /** Starts to deliver a topic. The caller has subscribed to its channel. */
  async follow(topic: string, events: BrokerEvents): Promise<void> {
    const followed: Followed = {
      last: undefined,
      waiting: undefined,
      isBehind: false,
      isStale: false,
      reading: undefined,
    };
    this.#followed.set(topic, followed);
    this.#topicOf.set(this.channelOf(topic), topic);
    await this.#catchUp(topic, followed, events);
  }

  /** Stops delivering a topic. */
  unfollow(topic: string): void {
    this.#followed.delete(topic);
    this.#topicOf.delete(this.channelOf(topic));
  }

  /** Reads all followed topics again, or those that could not be read: messages may have been lost. */
  catchUp(events: BrokerEvents, isAll: boolean): void {
    for (const [topic, followed] of this.#followed) {
      if (isAll) followed.isStale = true;
      if (followed.reading !== undefined || !(isAll || followed.isBehind)) continue;
      this.#catchUp(topic, followed, events).catch((error) => events.error(error));
    }
  }

  /** Handles a message of a channel. @returns Whether the channel belongs to a kept topic. */
  take(channel: string, payload: string, events: BrokerEvents): boolean {
    const topic = this.#topicOf.get(channel);
    const followed = topic === undefined ? undefined : this.#followed.get(topic);
    if (topic === undefined || followed === undefined) return false;
    const line = payload.indexOf("\n");
    const position = parsePosition(payload.slice(0, Math.max(line, 0)));
    const wire = decode(payload.slice(line + 1));
    if (position === undefined || wire === undefined) return true;
    const message = { ...wire, position };
    if (followed.waiting !== undefined) followed.waiting.push(message);
    else if (followed.last === undefined || !this.#deliver(topic, followed, message, events)) {
      this.#catchUp(topic, followed, events).catch((error) => events.error(error));
    }
    return true;
  }

  /** Delivers a message if it is the next one. @returns `false` if messages may be missing before it. */
  #deliver(
    topic: string,
    followed: Followed,
    message: StoredMessage,
    events: BrokerEvents,
  ): boolean {
    const { position } = message;
    const last = followed.last!;
    // Of another epoch, the message may be of an earlier history. The store has the epoch of now.
    if (position.epoch !== last.epoch) return false;
    if (position.offset <= last.offset) return true;
    if (position.offset > last.offset + 1) return false;
    followed.last = position;
    events.stored(topic, message);
    return true;
  }

  /** Reads the messages that were stored meanwhile, until none is missing before those that have arrived. */
  #catchUp(topic: string, followed: Followed, events: BrokerEvents): Promise<void> {
    followed.isBehind = true;
    followed.waiting ??= [];
    return followed.reading ??= this.#readNext(topic, followed, events);
  }

  async #readNext(topic: string, followed: Followed, events: BrokerEvents): Promise<void> {
    try {
      while (followed.waiting !== undefined) {
        const early: StoredMessage[] = followed.waiting;
        followed.waiting = [];
        followed.isStale = false;
        const { last } = followed;
        const limit = last === undefined ? 0 : Infinity;
        // A subscriber needs the epoch before the first message, to recover later.
        const epoch = crypto.randomUUID();
        const { entries, position, complete } = await this.#read(topic, last, limit, epoch);
        if (this.#followed.get(topic) !== followed) return;
        if (last !== undefined && !complete) {
          const isSame = last.epoch === position.epoch && last.offset < position.offset;
          const count = isSame ? position.offset - last.offset : undefined;
          const offset = entries.length > 0 ? entries[0]!.position.offset - 1 : position.offset;
          events.storeGap(topic, count, { ...position, offset });
        }
        for (const message of entries) events.stored(topic, message);
        followed.last = position;
        // Of another epoch, messages that had arrived before are of an earlier history.
        const next = early.filter(({ position: { epoch } }) => epoch === position.epoch)
          .concat(followed.waiting);
        while (next.length > 0 && this.#deliver(topic, followed, next[0]!, events)) next.shift();
        followed.waiting = next.length > 0 || followed.isStale ? next : undefined;
      }
      followed.isBehind = false;
    } finally {
      followed.waiting = followed.reading = undefined;
    }
  }

  #keysOf(topic: string): [hash: string, stream: string, id: string] {
    // A Redis cluster hashes the part in braces only, so one node has all keys of a topic.
    const key = `${this.#prefix}:{${encodeTopic(topic)}}`;
    return [`${key}:h`, `${key}:s`, `${key}:i:`];
  }
}
