/** A WebSocket that reconnects. */

/** The upper bound of the first wait, in milliseconds. Each further failure doubles it. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;
/** The time after which a connection resets the waits, in milliseconds. */
const STABLE = 5_000;

/** Close codes that report an error of this page: a new connection would have the same error. */
const FATAL = new Set([1002, 1003, 1007, 1008, 1009, 1010]);

/**
 * Returns the wait before the next attempt, in milliseconds: a random time up to a bound that doubles.
 * The jitter keeps clients from reconnecting at the same moment after a restart of the server.
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
   * Calls `onState` with `{ name }`: "connecting", "open", "waiting" with the time `until` the next
   * attempt, or "closed", which is final, with a `reason`. Calls `onMessage` with each text.
   */
  constructor(url, protocol, callbacks) {
    this.#url = url;
    this.#protocol = protocol;
    this.#callbacks = callbacks;
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Connects now. Replaces an earlier connection. */
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

  /** Drops a connection that seems dead, without waiting for the network to report it. */
  drop() {
    this.stop();
    this.#wait();
  }

  /** Closes the connection and does not reconnect. */
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
