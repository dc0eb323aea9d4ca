import { ReconnectingWebSocket } from "../client/reconnecting_websocket.ts";
import type { ReconnectOptions } from "../client/reconnect_options.ts";
import { CloseCode } from "../protocol/close_code.ts";
import { checkFeedTopics, ReconnectingFeed } from "./reconnecting_feed.ts";
import type { Feed, FeedTopics } from "./reconnecting_feed.ts";
import { TOPICS_PROTOCOL } from "./topics_protocol.ts";

/** Options of {@linkcode openFeed}. */
export interface FeedOptions
  extends Omit<ReconnectOptions, "protocols" | "discardMessages">, FeedTopics {}

/**
 * Connects to a server that speaks `sluice.topics.v1`, and subscribes to topics. When the connection is
 * lost it reconnects, and continues each kept topic after the last message that the loop was given.
 *
 * @param url The URL, as for `connect()`.
 * @param options The options of {@linkcode ReconnectingWebSocket}, and the topics.
 * @throws {TypeError} If an option is unusable; see {@linkcode ReconnectingWebSocket}.
 */
export function openFeed(url: string | URL, options: FeedOptions = {}): Feed {
  for (const name of ["protocols", "discardMessages"]) {
    if (Object.hasOwn(options, name)) {
      throw new TypeError(`Cannot open a feed: there is no option ${name}`);
    }
  }
  const { topics = [], since = {}, ...rest } = options;
  checkFeedTopics({ topics, since });
  const socket = new ReconnectingWebSocket(url, { ...rest, protocols: [TOPICS_PROTOCOL] });
  return new ReconnectingFeed(socket, { topics, since }, CloseCode.PolicyViolation);
}
