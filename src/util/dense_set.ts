/** Where a member of a {@linkcode DenseSet} keeps its place: a number of its own, -1 to begin with. */
export interface IndexAccess<T> {
  /** The member's place. */
  get(member: T): number;
  /** Sets it. */
  set(member: T, place: number): void;
}

/** A member that shows its place. */
export interface Placed {
  /** -1 to begin with; its roll's to set. */
  place: number;
}

/** The places of such members. */
export const ownPlaces: IndexAccess<Placed> = {
  get: (member) => member.place,
  set: (member, place) => {
    member.place = place;
  },
};

/**
 * Those who are there, in no order: a server's connections.
 *
 * Not a `Set`: while members come and go, an engine makes a new table for it every so often, and the old
 * one refers to the new. Once one of them has grown old with V8's collector, all tables after it, and all
 * who were in them, are kept and copied until the next full collection: a third of the processor time of
 * a server to which connections come and from which they go.
 */
export class DenseSet<T> {
  readonly #members: T[] = [];
  readonly #places: IndexAccess<T>;

  /** @param places How a member is asked for its place. */
  constructor(places: IndexAccess<T>) {
    this.#places = places;
  }

  /** How many there are. */
  get size(): number {
    return this.#members.length;
  }

  /** Adds somebody who is not there. */
  add(member: T): void {
    this.#places.set(member, this.#members.length);
    this.#members.push(member);
  }

  /** Takes somebody out, if he's there: the last one gets his place. */
  delete(member: T): void {
    const place = this.#places.get(member);
    if (place === -1) return;
    this.#places.set(member, -1);
    const last = this.#members.pop()!;
    if (last === member) return;
    this.#members[place] = last;
    this.#places.set(last, place);
  }

  /** Those who are there now, whoever comes and goes meanwhile. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#members.slice().values();
  }
}
