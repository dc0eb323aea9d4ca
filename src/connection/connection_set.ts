import type { WebSocketConnection } from "./connection.ts";
import { Fanout } from "./fanout.ts";

/** The connections of a server. */
export class ConnectionSet<Data> extends Set<WebSocketConnection<Data>> {
  /** Of the messages that are broadcast to all of them. */
  readonly fanout = new Fanout<WebSocketConnection<unknown>>();

  constructor(sockets: Iterable<WebSocketConnection<Data>>) {
    super(); // It would call `add()` before there is a fanout.
    for (const socket of sockets) this.add(socket);
  }

  override add(socket: WebSocketConnection<Data>): this {
    this.fanout.reset();
    return super.add(socket);
  }

  override delete(socket: WebSocketConnection<Data>): boolean {
    this.fanout.reset();
    return super.delete(socket);
  }

  override clear(): void {
    this.fanout.reset();
    super.clear();
  }
}
