/**
 * The rooms of the chat, with their members and messages. It uses no sockets and no clock, so that it
 * can be tested without them. The caller chooses the type of a member and delivers the messages.
 */

/** The limits of the chat. Lengths are in UTF-16 code units, as those of a string. */
export const MAX = { room: 64, name: 32, text: 2000, id: 64, history: 50 } as const;

/** A message in a room. */
export interface Entry {
  /** Chosen by the sender's page, which repeats a message if it may not have arrived. */
  id: string;
  /** When the server received it, in milliseconds since 1970. */
  at: number;
  /** The name of its sender. */
  from: string;
  text: string;
}

/** A message from the server to a page. */
export type ServerMessage =
  | { type: "welcome"; room: string; name: string; people: string[]; history: readonly Entry[] }
  | { type: "joined" | "left"; name: string; at: number }
  | { type: "message"; entry: Entry };

/** A message from a page to the server. */
export interface ClientMessage {
  type: "say";
  id: string;
  text: string;
}

/** Thrown for a message that our page never sends. Its text is for the Close frame. */
export class BadMessage extends Error {
  override name = "BadMessage";
}

/**
 * Returns a name of a person or of a room as it is shown: one line, without control characters.
 *
 * @returns `undefined` if it is too long or has no visible character.
 */
export function cleanName(text: string, max: number): string | undefined {
  const name = text.normalize().replaceAll(/[\p{Cc}\s]+/gu, " ").trim();
  return name.length <= max && /[\p{L}\p{N}\p{P}\p{S}]/u.test(name) ? name : undefined;
}

/**
 * Parses a message of a page.
 *
 * @throws {BadMessage} If it is not a {@linkcode ClientMessage}.
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

/** A room with at least one member. */
export class Room<Member> {
  readonly name: string;
  /** The members by name, ignoring case: "ann" and "Ann" in one room would be confused. */
  readonly #people = new Map<string, { name: string; member: Member }>();
  readonly #history: Entry[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** The names of the members, in the order in which they joined. */
  get people(): string[] {
    return Array.from(this.#people.values(), ({ name }) => name);
  }

  /** The members. */
  get members(): Member[] {
    return Array.from(this.#people.values(), ({ member }) => member);
  }

  /** The latest messages, the oldest first. */
  get history(): readonly Entry[] {
    return this.#history;
  }

  /** Adds a member, and returns the name that it got: "Ann (2)" if there is an "Ann" already. */
  join(wanted: string, member: Member): string {
    let name = wanted;
    for (let n = 2; this.#people.has(key(name)); n++) name = withSuffix(wanted, ` (${n})`);
    this.#people.set(key(name), { name, member });
    return name;
  }

  /** Removes a member. Returns whether it was in the room. */
  leave(name: string): boolean {
    return this.#people.delete(key(name));
  }

  /**
   * Adds a message to the history.
   *
   * @returns The entry to send to all members, or `undefined` if the room has it already: a page that
   * lost its connection repeats its unconfirmed messages.
   */
  say(from: string, { id, text }: Omit<ClientMessage, "type">, at: number): Entry | undefined {
    if (this.#history.some((entry) => entry.id === id)) return undefined;
    const entry = { id, at, from, text };
    this.#history.push(entry);
    if (this.#history.length > MAX.history) this.#history.shift();
    return entry;
  }
}

/** All rooms. A room is created for its first member and removed with its last. */
export class Rooms<Member> {
  readonly #rooms = new Map<string, Room<Member>>();

  /** The number of rooms. */
  get size(): number {
    return this.#rooms.size;
  }

  /** Adds a member to a room. Both names are results of {@linkcode cleanName}. */
  join(roomName: string, wanted: string, member: Member): { room: Room<Member>; name: string } {
    let room = this.#rooms.get(roomName);
    if (room === undefined) this.#rooms.set(roomName, room = new Room(roomName));
    return { room, name: room.join(wanted, member) };
  }

  /** Removes a member from a room. Returns whether it was in the room. */
  leave(room: Room<Member>, name: string): boolean {
    const wasThere = room.leave(name);
    if (room.people.length === 0) this.#rooms.delete(room.name);
    return wasThere;
  }
}

function key(name: string): string {
  return name.normalize("NFKC").toLowerCase();
}

/** Returns the name with the suffix. Shortens the name if both are too long, between characters. */
function withSuffix(name: string, suffix: string): string {
  const characters = [...name];
  while (characters.join("").length + suffix.length > MAX.name) characters.pop();
  return characters.join("").trimEnd() + suffix;
}
