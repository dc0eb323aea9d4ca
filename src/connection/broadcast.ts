import { aBoolean, checkOptions } from "../util/options.ts";
import type { OptionChecks } from "../util/options.ts";
import { coreOf, WebSocketConnection } from "./connection.ts";
import { ConnectionSet } from "./connection_set.ts";
import type { Sender } from "./sender.ts";
import { toBytes } from "./sendable.ts";
import type { Sendable } from "./sendable.ts";
import { SharedMessage } from "./shared_message.ts";
import type { SharedRun } from "./shared_run.ts";

/** Options of {@linkcode broadcast}. */
export interface BroadcastOptions {
  /** A connection that does not get the message, for example its sender. @default {undefined} */
  except?: WebSocketConnection<unknown> | undefined;
  /**
   * Whether connections with compression get the message compressed, as for `send()`.
   *
   * @default {true}
   */
  compress?: boolean | undefined;
}

const broadcastOptionChecks: OptionChecks<BroadcastOptions> = {
  except: (value) => value instanceof WebSocketConnection ? undefined : "a WebSocketConnection",
  compress: aBoolean,
};

/**
 * Sends a message to many connections: text if `data` is a string, otherwise binary. It is encoded once,
 * and all of them write the same bytes. A connection that is not open is left out.
 *
 * With permessage-deflate it is compressed once, without references to earlier messages, for all
 * connections with the same options. Each client connection encodes it itself, because clients mask frames.
 * A connection with a slow peer keeps a reference to the bytes. Its option `overflow` applies above
 * `maxBufferedAmount`.
 *
 * @param sockets The connections, such as `server.connections`.
 * @returns The number of connections that have sent it.
 * @throws {TypeError} If `data` is of another type, or an option is unknown.
 *
 * @example
 * ```ts
 * import { broadcast, serve } from "@sluice/websocket";
 *
 * await using server = serve({ hostname: "127.0.0.1", port: 0 }, {
 *   message: (socket, message) => {
 *     broadcast(server.connections, message, { except: socket });
 *   },
 * });
 * ```
 */
export function broadcast(
  sockets: Iterable<WebSocketConnection<unknown>>,
  data: Sendable,
  options?: BroadcastOptions,
): number {
  if (options !== undefined) checkOptions("broadcast()", options, broadcastOptionChecks);
  const except = options?.except;
  const message = new SharedMessage(
    typeof data === "string" ? data : toBytes(data),
    options?.compress,
  );
  let count = 0;
  const send = (socket: WebSocketConnection<unknown>, run?: SharedRun): void => {
    if (socket === except) return;
    if (coreOf(socket).sender.sendShared(message, undefined, run) === "sent") count++;
  };
  if (except !== undefined || !(sockets instanceof ConnectionSet)) {
    for (const socket of sockets) send(socket);
    return count;
  }
  const { fanout } = sockets;
  count = fanout.extend(message);
  if (count > 0) { for (const socket of fanout.others) send(socket); }
  else fanout.sendToEach(sockets, message, send);
  return count;
}

/** The sender of a connection's shared messages; see {@linkcode Sender.sendShared}. */
export function senderOf(socket: WebSocketConnection<unknown>): Pick<Sender, "sendShared"> {
  return coreOf(socket).sender;
}
