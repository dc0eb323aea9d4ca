/**
 * Publish and subscribe: messages to every subscriber of a topic, with an exact account of each.
 *
 * @module
 */
export { openFeed } from "./feed.ts";
export type { Feed, FeedEvent, FeedOptions } from "./feed.ts";
export { topics } from "./topics.ts";
export { topicsHandler } from "./topics_handler.ts";
export type { TopicsHandler, TopicsHandlerOptions } from "./topics_handler.ts";
export { applicationMessage, TOPICS_PROTOCOL } from "./topics_protocol.ts";
export type {
  Gap,
  History,
  Keep,
  Message,
  Peer,
  Position,
  Publication,
  Published,
  PublishOptions,
  SubscribeOptions,
  Subscription,
  SubscriptionStart,
  Topics,
  TopicsOptions,
  TopicsStats,
  WhenSlow,
} from "./types.ts";
