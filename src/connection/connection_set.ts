import type { WebSocketConnection } from "./connection.ts";
import type { SharedRun } from "./shared_run.ts";

/** The connections of a server. It knows whether they are those of the last broadcast. */
export class ConnectionSet<Data> extends Set<WebSocketConnection<Data>> {
  /**
   * The last messages that were broadcast to all, and the connections that send each on their own. Undefined
   * as soon as a connection comes or goes, sends or writes.
   */
  fanout: { run: SharedRun; others: readonly WebSocketConnection<unknown>[] } | undefined;

  override add(socket: WebSocketConnection<Data>): this {
    this.fanout = undefined;
    return super.add(socket);
  }

  override delete(socket: WebSocketConnection<Data>): boolean {
    this.fanout = undefined;
    return super.delete(socket);
  }

  override clear(): void {
    this.fanout = undefined;
    super.clear();
  }
}
