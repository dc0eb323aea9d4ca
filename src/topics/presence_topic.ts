import { getOrCreate } from "../util/maps.ts";
import type { PresenceContent, PresenceMessage } from "./presence_wire.ts";

/** A member of this node. */
interface Member<State> {
  state: State;
  /** The number of its connections. */
  connections: number;
  /** Runs when the member has no connection, and is about to leave; may have ended. */
  grace?: ReturnType<typeof setTimeout>;
  readonly onLeft: (() => void)[];
}

/** The members of another node. */
interface OtherNode<State> {
  version: number;
  readonly members: Map<string, State>;
}

/** The members of one topic: those of this node, and those that other nodes have reported. */
export class PresenceTopic<State> {
  /** The number of changes so far, of all nodes. */
  version = 0;
  /** The number of changes of this node's members that were sent. */
  ownVersion = 0;
  readonly #node: string;
  readonly #say: (content: PresenceContent<State>) => void;
  readonly #own = new Map<string, Member<State>>();
  readonly #others = new Map<string, OtherNode<State>>();
  /** The changes of this event-loop turn, which are sent together. */
  readonly #untold = new Set<string>();
  #waiting: ((value?: unknown) => void)[] = [];
  #isClosed = false;

  constructor(node: string, say: (content: PresenceContent<State>) => void) {
    this.#node = node;
    this.#say = say;
  }

  /** Whether a version of another node's members has come. */
  has(node: string, version: number): boolean {
    return (this.#others.get(node)?.version ?? -1) >= version;
  }

  /** Adds a connection of a member. */
  join(key: string, state: State): void {
    const member = getOrCreate(this.#own, key, (): Member<State> => {
      return { state, connections: 0, onLeft: [] };
    });
    clearTimeout(member.grace);
    member.connections++;
    this.update(key, state);
  }

  /** Changes the state of a member. */
  update(key: string, state: State): void {
    const member = this.#own.get(key);
    if (member === undefined) return;
    member.state = state;
    this.#tell(key);
  }

  /** Ends a connection of a member, which leaves with the last one after `grace` milliseconds. */
  leave(key: string, grace: number, onLeft: () => void): void {
    const member = this.#own.get(key);
    if (member === undefined) return onLeft();
    member.connections--;
    member.onLeft.push(onLeft);
    if (member.connections > 0 || this.#isClosed) return this.#left(member);
    member.grace = setTimeout(() => {
      this.#own.delete(key);
      this.#tell(key);
      this.#left(member);
    }, grace);
  }

  #left(member: Member<State>): void {
    for (const onLeft of member.onLeft.splice(0)) onLeft();
  }

  /** Returns all members. If several nodes have a key, the state of this node takes precedence. */
  view(): ReadonlyMap<string, State> {
    const view = new Map<string, State>();
    for (const { members } of this.#others.values()) {
      for (const [key, state] of members) view.set(key, state);
    }
    for (const [key, { state }] of this.#own) view.set(key, state);
    return view;
  }

  /** Resolves when the version changes, or when the topic ends. */
  async changed(version: number, signal: AbortSignal): Promise<void> {
    if (this.version !== version || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#waiting.push(resolve);
    signal.addEventListener("abort", resolve);
    await promise;
    signal.removeEventListener("abort", resolve);
  }

  /** Asks the other nodes for all of their members, and sends them those of this node. */
  requestMembers(): void {
    if (this.#isClosed) return;
    this.#say({ type: "request" });
    if (this.#own.size > 0) this.tellAll();
  }

  /** Sends all members of this node to the other nodes. */
  tellAll(): void {
    const set = Array.from(this.#own, ([key, { state }]): [string, State] => [key, state]);
    this.#say({ type: "all", version: this.ownVersion, set });
  }

  /** Handles a message of another node. */
  take(message: PresenceMessage<State>): void {
    const { node } = message;
    if (message.type === "request") {
      if (message.to === undefined ? this.#own.size > 0 : message.to === this.#node) {
        this.tellAll();
      }
    } else if (message.type === "all") {
      this.#others.set(node, { version: message.version, members: new Map(message.set) });
      this.#change();
    } else if (message.type === "diff") {
      const other = this.#others.get(node) ?? { version: 0, members: new Map<string, State>() };
      if (message.version <= other.version) return;
      if (message.version > other.version + 1) {
        this.#say({ type: "request", to: node });
        return;
      }
      other.version = message.version;
      for (const key of message.left) other.members.delete(key);
      for (const [key, state] of message.set) other.members.set(key, state);
      this.#others.set(node, other);
      this.#change();
    }
  }

  /** Removes another node and its members. */
  lose(node: string): void {
    if (this.#others.delete(node)) this.#change();
  }

  /** Stops the timers. */
  close(): void {
    this.#isClosed = true;
    for (const { grace } of this.#own.values()) clearTimeout(grace);
    this.#own.clear();
  }

  #tell(key: string): void {
    this.#change();
    this.#untold.add(key);
    if (this.#untold.size === 1) queueMicrotask(() => this.#tellDiff());
  }

  #tellDiff(): void {
    const set: [string, State][] = [];
    const left: string[] = [];
    for (const key of this.#untold) {
      const member = this.#own.get(key);
      if (member === undefined) left.push(key);
      else set.push([key, member.state]);
    }
    this.#untold.clear();
    if (this.#isClosed) return;
    this.#say({ type: "diff", version: ++this.ownVersion, set, left });
  }

  #change(): void {
    this.version++;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
