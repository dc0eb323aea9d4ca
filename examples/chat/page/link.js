/** A WebSocket that comes back. */

/** The longest first wait, in milliseconds; each further failure doubles it. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;
/** How long a connection must last until the waits start from the first again. */
const STABLE = 5_000;

/** Close codes that say that this page is wrong: to come back with the same would be no use. */
const FATAL = new Set([1002, 1003, 1007, 1008, 1009, 1010]);

/**
 * How long to wait before the next attempt, in milliseconds: anything up to a limit that doubles. When
 * a server comes back, the jitter keeps all its clients from knocking at the same moment.
 */
export function backoff(attempt, random = Math.random()) {
  return random * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempt);
}

export class Link {
  #url;
  #protocol;
  #callbacks;
  #socket;
  #timer;
  #attempt = 0;

  /**
   * `onState` is told `{ name }`: "connecting", "open", "waiting" with the time `until` the next
   * attempt, or "closed" for good, with a `reason`. `onMessage` gets each text.
   */
  constructor(url, protocol, callbacks) {
    this.#url = url;
    this.#protocol = protocol;
    this.#callbacks = callbacks;
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Connects now, whatever was before. */
  start() {
    this.stop();
    const socket = this.#socket = new WebSocket(this.#url, this.#protocol);
    this.#callbacks.onState({ name: "connecting" });
    socket.onopen = () => {
      this.#timer = setTimeout(() => this.#attempt = 0, STABLE);
      this.#callbacks.onState({ name: "open" });
    };
    socket.onmessage = ({ data }) => this.#callbacks.onMessage(data);
    socket.onclose = ({ code, reason }) => {
      if (!FATAL.has(code)) return this.#wait();
      this.stop();
      this.#callbacks.onState({ name: "closed", reason: reason || `code ${code}` });
    };
  }

  /** Gives up a connection that seems dead, without waiting for the network to say so. */
  drop() {
    this.stop();
    this.#wait();
  }

  /** Closes, and does not come back. */
  stop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  send(text) {
    if (this.isOpen) this.#socket.send(text);
  }

  #wait() {
    clearTimeout(this.#timer);
    const wait = backoff(this.#attempt++);
    this.#timer = setTimeout(() => this.start(), wait);
    this.#callbacks.onState({ name: "waiting", until: Date.now() + wait });
  }
}
