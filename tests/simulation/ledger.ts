/** The ledger of a scenario: the promises that the API returned, and the messages of each direction. */

/** A broken invariant. */
export class Violation extends Error {
  /** @param invariant The short name of the invariant, which shrinking preserves. */
  constructor(readonly invariant: string, detail: string) {
    super(`${invariant}: ${detail}`);
  }
}

/** A message as the application sees it. */
export type Content = string | Uint8Array;

/** The state of a promise; of one that is not attended, nothing is known. */
export type State = "pending" | "resolved" | "rejected" | "unattended";

/** A promise of the API. */
export interface Tracked {
  /** The call that returned it. */
  readonly what: string;
  state: State;
  value?: unknown;
  error?: unknown;
}

/** The outcome of a call, as far as a ledger needs it. */
export type Outcome = Pick<Tracked, "state" | "error">;

/** All promises of a scenario. */
export class Promises {
  readonly #pending = new Set<Tracked>();
  /** How many promises have been tracked. */
  count = 0;

  /** Follows a promise; `settled` is called when it settles, before the application continues. */
  track(what: string, promise: PromiseLike<unknown>, settled?: (own: Tracked) => void): Tracked {
    const own: Tracked = { what, state: "pending" };
    this.count++;
    this.#pending.add(own);
    promise.then((value) => {
      own.state = "resolved";
      own.value = value;
      this.#pending.delete(own);
      settled?.(own);
    }, (error) => {
      own.state = "rejected";
      own.error = error;
      this.#pending.delete(own);
      settled?.(own);
    });
    return own;
  }

  /** The calls whose promises are pending, of which `filter` holds. */
  pending(filter: (what: string) => boolean = () => true): string[] {
    return [...this.#pending].map(({ what }) => what).filter(filter);
  }
}

/** A message that was sent, or is being sent. */
export interface Sent {
  readonly index: number;
  /** Of a stream: what has been produced of it so far. */
  content: Content;
  /** Whether the content is complete. */
  isWhole: boolean;
  /** The promise of its call. */
  tracked: Outcome;
  isReceived: boolean;
}

/**
 * The messages of one direction of a connection. Those of one lane are sent in order: a lane is
 * `send()`, or the queue of a writable stream.
 */
export class Direction {
  /** For error messages. */
  readonly name: string;
  readonly #lanes = new Map<string, { sent: Sent[]; next: number }>();
  #received = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Adds a message at the end of its lane. */
  add(lane: string, content: Content, tracked: Outcome, isWhole = true): Sent {
    let own = this.#lanes.get(lane);
    if (own === undefined) this.#lanes.set(lane, own = { sent: [], next: 0 });
    const sent = { index: own.sent.length, content, isWhole, tracked, isReceived: false };
    own.sent.push(sent);
    return sent;
  }

  /**
   * Accounts for a received message: it is the next one of a lane, except for those whose promise was
   * rejected.
   *
   * @param isCut Whether only the start of the message was read.
   */
  receive(content: Content, isCut = false): void {
    this.#received++;
    // Of a message that was left unread, nothing tells a rejected one from the next.
    const isUnread = isCut && content.length === 0;
    if (this.#take(content, isCut, isUnread) || (isUnread && this.#take(content, isCut, false))) {
      return;
    }
    throw new Violation(
      "messages arrive in order, once and intact",
      `${this.name}, message ${this.#received} is ${describe(content)}${isCut ? " (cut)" : ""}; ` +
        `expected ${this.#expected().join(" or ") || "none"}`,
    );
  }

  /** Marks the message that matches as received; returns whether there is one. */
  #take(content: Content, isCut: boolean, skipsRejected: boolean): boolean {
    for (const lane of this.#lanes.values()) {
      for (let i = lane.next; i < lane.sent.length; i++) {
        const sent = lane.sent[i]!;
        const { state } = sent.tracked;
        if (wasRefused(sent) || (skipsRejected && state === "rejected")) continue;
        if ((isCut || sent.isWhole) && matches(sent.content, content, isCut)) {
          sent.isReceived = true;
          lane.next = i + 1;
          return true;
        }
        if (state !== "rejected" && state !== "unattended") break;
      }
    }
    return false;
  }

  /** The messages that were accepted and not received: of the attended calls that resolved. */
  get missing(): string[] {
    return [...this.#lanes].flatMap(([lane, { sent, next }]) =>
      sent.slice(next).filter(({ tracked }) => tracked.state === "resolved")
        .map(({ index, content }) => `${lane} ${index}: ${describe(content)}`)
    );
  }

  #expected(): string[] {
    return [...this.#lanes].map(([lane, { sent, next }]) =>
      next === sent.length ? "" : `${lane} ${next}: ${describe(sent[next]!.content)} (` +
        `${sent[next]!.tracked.state})`
    ).filter((text) => text !== "");
  }
}

/** The messages of a client that reconnects. A connection may lose some at its end. */
export class Outbox {
  readonly sent: Sent[] = [];

  add(content: Content, tracked: Outcome): void {
    const index = this.sent.length;
    this.sent.push({ index, content, isWhole: true, tracked, isReceived: false });
  }
}

/** The messages of one connection of such a client, as its server receives them. */
export class OutboxDirection extends Direction {
  readonly #outbox: Outbox;
  #last = -1;
  /** How many messages were discarded before they were read to their end. */
  #cut = 0;

  constructor(name: string, outbox: Outbox) {
    super(name);
    this.#outbox = outbox;
  }

  override receive(content: Content, isCut = false): void {
    if (isCut) {
      // It may be too short to name itself.
      this.#cut++;
      return;
    }
    const text = typeof content === "string" ? content : new TextDecoder("latin1").decode(content);
    const index = Number(/\.(\d+)\|/.exec(text.slice(0, 24))?.[1] ?? -1);
    const { sent } = this.#outbox;
    const message = sent[index];
    const fault = message === undefined || !matches(message.content, content, false)
      ? "is not one that was sent"
      : message.isReceived
      ? "was received before"
      : index <= this.#last
      ? `came after message ${this.#last}`
      : undefined;
    const between = this.#last < 0 ? [] : sent.slice(this.#last + 1, index);
    const lost = between.filter(({ tracked }) => tracked.state === "resolved")[this.#cut];
    if (fault !== undefined || lost !== undefined) {
      throw new Violation(
        "messages arrive in order, once and intact",
        `${this.name}: ${describe(content)} ${fault ?? `came without ${describe(lost!.content)}`}`,
      );
    }
    message!.isReceived = true;
    this.#last = index;
    this.#cut = 0;
  }
}

/** Whether there was no room for a message, so that it was certainly not sent. */
function wasRefused({ tracked: { error } }: Sent): boolean {
  return error instanceof DOMException && error.name === "QuotaExceededError";
}

/** Whether the contents are equal, or `sent` starts with `received`. */
function matches(sent: Content, received: Content, isCut: boolean): boolean {
  if (typeof sent !== typeof received || received.length > sent.length) return false;
  if (!isCut && sent.length !== received.length) return false;
  if (typeof sent === "string") {
    return isCut ? sent.startsWith(received as string) : sent === received;
  }
  for (let i = 0; i < received.length; i++) if (sent[i] !== received[i]) return false;
  return true;
}

/** A message in short. */
export function describe(content: Content): string {
  const text = typeof content === "string"
    ? JSON.stringify(content.slice(0, 12))
    : `<${new TextDecoder("latin1").decode(content.slice(0, 12))}>`;
  return `${text} of ${content.length}`;
}

const FILLER = "abc\u00e9\u20ac\u{1f600}";
const textEncoder = new TextEncoder();

/** A message that names itself, as far as it is long enough: text of `size` UTF-16 units, or bytes. */
export function contentOf(name: string, kind: "text" | "binary", size: number): Content {
  const long = name + FILLER.repeat(Math.ceil(Math.max(0, size - name.length) / FILLER.length));
  if (kind === "text") {
    // No half of a surrogate pair at the end, which could not be sent.
    const text = long.slice(0, size);
    return /[\ud800-\udbff]$/.test(text) ? text.slice(0, -1) + "x" : text;
  }
  return textEncoder.encode(long).slice(0, size);
}
