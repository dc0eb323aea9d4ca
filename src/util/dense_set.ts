/** How a {@linkcode DenseSet} reads and writes the index that each member stores: -1 at first. */
export interface IndexAccess<T> {
  /** Returns the member's index. */
  get(member: T): number;
  /** Sets it. */
  set(member: T, index: number): void;
}

/** A member with a public index. */
export interface Indexed {
  /** -1 at first; set by the {@linkcode DenseSet} only. */
  index: number;
}

/** The access to the index of such members. */
export const indexAccess: IndexAccess<Indexed> = {
  get: (member) => member.index,
  set: (member, index) => {
    member.index = index;
  },
};

/**
 * An unordered set whose members store their own index, such as the connections of a server.
 *
 * It is not a `Set`: while members are added and removed, an engine often creates a new table for a `Set`,
 * and the old table refers to the new one. Once V8's collector has moved one table to the old generation,
 * all later tables, and all members that were ever in them, are kept and copied until the next full
 * collection. That took a third of the CPU time of a server whose connections come and go.
 */
export class DenseSet<T> {
  readonly #members: T[] = [];
  readonly #access: IndexAccess<T>;

  /** @param access How to read and write the index of a member. */
  constructor(access: IndexAccess<T>) {
    this.#access = access;
  }

  /** The number of members. */
  get size(): number {
    return this.#members.length;
  }

  /** Adds an object that is not a member. */
  add(member: T): void {
    this.#access.set(member, this.#members.length);
    this.#members.push(member);
  }

  /** Removes an object if it is a member: the last member moves to its index. */
  delete(member: T): void {
    const index = this.#access.get(member);
    if (index === -1) return;
    this.#access.set(member, -1);
    const last = this.#members.pop()!;
    if (last === member) return;
    this.#members[index] = last;
    this.#access.set(last, index);
  }

  /** Iterates over those that are members at the call, whatever is added or deleted meanwhile. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#members.slice().values();
  }
}
