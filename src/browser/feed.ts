import type { PerAttempt } from "../client/per_attempt.ts";
import { checkFeedTopics, ReconnectingFeed } from "../topics/reconnecting_feed.ts";
import type { Feed, FeedTopics } from "../topics/reconnecting_feed.ts";
import { TOPICS_PROTOCOL } from "../topics/topics_protocol.ts";
import type { ReconnectOptions } from "./reconnect_options.ts";
import { ReconnectingWebSocket } from "./reconnecting_websocket.ts";

/** The close code for a server that violates the subprotocol: a browser may not send 1002 or 1008. */
const VIOLATION = 4008;

/** Options of a browser's {@linkcode openFeed}. */
export interface FeedOptions extends Omit<ReconnectOptions, "protocols">, FeedTopics {}

/**
 * Connects a page to a server that speaks `sluice.topics.v1`, and subscribes to topics. When the connection
 * is lost it reconnects, and continues each kept topic after the last message that the loop was given.
 *
 * @param url The URL, as for {@linkcode ReconnectingWebSocket}.
 * @param options The options of {@linkcode ReconnectingWebSocket}, and the topics.
 * @throws {TypeError} If an option is unusable; see {@linkcode ReconnectingWebSocket}.
 *
 * @example
 * ```ts ignore
 * import { openFeed } from "@sluice/websocket/browser";
 *
 * for await (const event of openFeed("/feed", { topics: ["news"] })) {
 *   if (event.type === "message") console.log(event.topic, event.data);
 *   if (event.type === "subscribed" && !event.recovered) location.reload();
 * }
 * ```
 */
export function openFeed(url: PerAttempt<string | URL>, options: FeedOptions = {}): Feed {
  const { topics = [], since = {}, ...rest } = options;
  checkFeedTopics({ topics, since });
  const socket = new ReconnectingWebSocket(url, { ...rest, protocols: [TOPICS_PROTOCOL] });
  return new ReconnectingFeed(socket, { topics, since }, VIOLATION);
}
