/** The page's connection to the server. */

import { isFinalClose, ReconnectingWebSocket } from "../../../src/browser/mod.ts";

/** Close codes that report an error of this page: a new connection would have the same error. */
const FATAL = new Set([1002, 1003, 1007, 1008, 1009, 1010]);

export class Link {
  #url;
  #protocol;
  #callbacks;
  #socket;
  #timer;

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
    return this.#socket?.connection !== undefined;
  }

  /** Connects now. Replaces an earlier connection. */
  start() {
    this.stop();
    const socket = this.#socket = new ReconnectingWebSocket(this.#url, {
      protocols: this.#protocol,
      initialDelay: 500,
      // The server ends a connection with 1000 or 1001 when it restarts: the page comes back.
      isFinal: (info) =>
        FATAL.has(info.closeCode) || (info.closeCode === 1006 && isFinalClose(info)),
    });
    this.#callbacks.onState({ name: "connecting" });
    void this.#read(socket);
  }

  /** Replaces a connection that seems dead, without waiting for the network to report it. */
  drop() {
    this.start();
  }

  /** Closes the connection and does not reconnect. */
  stop() {
    clearTimeout(this.#timer);
    void this.#socket?.close(1000);
    this.#socket = undefined;
  }

  send(text) {
    void this.#socket?.connection?.send(text);
  }

  async #read(socket) {
    for await (const event of socket) {
      if (socket !== this.#socket) return;
      clearTimeout(this.#timer);
      if (event.type === "message") this.#callbacks.onMessage(event.data);
      if (event.type === "open") this.#callbacks.onState({ name: "open" });
      if (event.type === "close") this.#lost(event);
    }
  }

  #lost({ info, retryIn }) {
    if (retryIn === undefined) {
      this.#socket = undefined;
      const reason = info.reason || `code ${info.closeCode}`;
      this.#callbacks.onState({ name: "closed", reason });
    } else {
      this.#callbacks.onState({ name: "waiting", until: Date.now() + retryIn });
      this.#timer = setTimeout(() => this.#callbacks.onState({ name: "connecting" }), retryIn);
    }
  }
}
