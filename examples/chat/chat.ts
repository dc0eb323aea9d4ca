/**
 * The rooms of the chat: who is where, and what was said. It knows no sockets and no clock, so that
 * it can be tested without either; a member is whatever the caller delivers messages to.
 */

/** The bounds of the chat. Lengths are in UTF-16 code units, as of a string. */
export const MAX = { room: 64, name: 32, text: 2000, id: 64, history: 50 } as const;

/** One message. */
export interface Entry {
  /** Chosen by its sender's page, which sends it again when it cannot tell whether it arrived. */
  id: string;
  /** When the server took it, in milliseconds since 1970. */
  at: number;
  /** The name of its sender. */
  from: string;
  text: string;
}

/** What the server sends to a page. */
export type ServerMessage =
  | { type: "welcome"; room: string; name: string; people: string[]; history: readonly Entry[] }
  | { type: "joined" | "left"; name: string; at: number }
  | { type: "message"; entry: Entry };

/** What a page sends to the server. */
export interface ClientMessage {
  type: "say";
  id: string;
  text: string;
}

/** A page has sent what no page of ours would send; its message is for the Close frame. */
export class BadMessage extends Error {
  override name = "BadMessage";
}

/**
 * A name of a person or of a room as it is shown: one line, without control characters.
 *
 * @returns `undefined` where it is too long, or nothing can be seen of it.
 */
export function cleanName(text: string, max: number): string | undefined {
  const name = text.normalize().replaceAll(/[\p{Cc}\s]+/gu, " ").trim();
  return name.length <= max && /[\p{L}\p{N}\p{P}\p{S}]/u.test(name) ? name : undefined;
}

/**
 * Reads what a page has sent.
 *
 * @throws {BadMessage} where it is not a {@linkcode ClientMessage}.
 */
export function parseClientMessage(json: string): ClientMessage {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new BadMessage("Expected JSON");
  }
  const { type, id, text } = (value ?? {}) as Record<string, unknown>;
  if (type !== "say") throw new BadMessage("Unknown type of message");
  if (typeof id !== "string" || id === "" || id.length > MAX.id) {
    throw new BadMessage(`Expected an id of 1 to ${MAX.id} characters`);
  }
  if (typeof text !== "string" || text.trim() === "" || text.length > MAX.text) {
    throw new BadMessage(`Expected a text of 1 to ${MAX.text} characters`);
  }
  return { type, id, text: text.trim() };
}

/** One room, while anybody is in it. */
export class Room<Member> {
  readonly name: string;
  /** By their names without regard to case: "ann" next to "Ann" is a trap. */
  readonly #people = new Map<string, { name: string; member: Member }>();
  readonly #history: Entry[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** The names of those who are here, in the order in which they came. */
  get people(): string[] {
    return Array.from(this.#people.values(), ({ name }) => name);
  }

  /** Those who are here. */
  get members(): Member[] {
    return Array.from(this.#people.values(), ({ member }) => member);
  }

  /** The last messages, the oldest first. */
  get history(): readonly Entry[] {
    return this.#history;
  }

  /** Lets somebody in, and returns the name they got: "Ann (2)" where there is an "Ann" already. */
  join(wanted: string, member: Member): string {
    let name = wanted;
    for (let n = 2; this.#people.has(key(name)); n++) name = withSuffix(wanted, ` (${n})`);
    this.#people.set(key(name), { name, member });
    return name;
  }

  /** Lets somebody out. Returns whether they were here. */
  leave(name: string): boolean {
    return this.#people.delete(key(name));
  }

  /**
   * Notes a message.
   *
   * @returns what everybody in the room should see, or `undefined` where they have seen it: a page
   * that lost its connection sends again what it is not sure of.
   */
  say(from: string, { id, text }: Omit<ClientMessage, "type">, at: number): Entry | undefined {
    if (this.#history.some((entry) => entry.id === id)) return undefined;
    const entry = { id, at, from, text };
    this.#history.push(entry);
    if (this.#history.length > MAX.history) this.#history.shift();
    return entry;
  }
}

/** All rooms. A room comes with its first member and goes with its last. */
export class Rooms<Member> {
  readonly #rooms = new Map<string, Room<Member>>();

  /** How many rooms there are. */
  get size(): number {
    return this.#rooms.size;
  }

  /** Lets somebody into a room; both names are as of {@linkcode cleanName}. */
  join(roomName: string, wanted: string, member: Member): { room: Room<Member>; name: string } {
    let room = this.#rooms.get(roomName);
    if (room === undefined) this.#rooms.set(roomName, room = new Room(roomName));
    return { room, name: room.join(wanted, member) };
  }

  /** Lets somebody out of a room. Returns whether they were there. */
  leave(room: Room<Member>, name: string): boolean {
    const wasThere = room.leave(name);
    if (room.people.length === 0) this.#rooms.delete(room.name);
    return wasThere;
  }
}

function key(name: string): string {
  return name.normalize("NFKC").toLowerCase();
}

/** The name and the suffix, the name cut where they would be too long; never within a character. */
function withSuffix(name: string, suffix: string): string {
  const characters = [...name];
  while (characters.join("").length + suffix.length > MAX.name) characters.pop();
  return characters.join("").trimEnd() + suffix;
}
