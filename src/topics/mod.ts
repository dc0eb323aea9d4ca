/**
 * Publish and subscribe: sends messages to all subscribers of a topic, and counts every one that is missing.
 *
 * @example
 * ```ts
 * import { topics } from "@sluice/websocket/topics";
 * import { assertEquals } from "@std/assert";
 *
 * await using rooms = topics();
 * const received: unknown[] = [];
 * // A WebSocketConnection, or any object with the same members.
 * const peer = { readyState: 1, bufferedAmount: 0, send: received.push.bind(received), close() {} };
 * rooms.subscribe(peer, "news");
 * assertEquals(rooms.publish("news", "hello").sent, 1);
 * assertEquals(received, ["hello"]);
 * ```
 *
 * @module
 */
export { openFeed } from "./feed.ts";
export type { FeedOptions } from "./feed.ts";
export type { Feed, FeedEvent, FeedTopics } from "./reconnecting_feed.ts";
export { natsRelay } from "./nats_relay.ts";
export type { NatsRelayOptions } from "./nats_relay.ts";
export type { JetStream, NatsConnection, NatsMessage } from "./nats_types.ts";
export { presence } from "./presence.ts";
export type { Membership, Presence, PresenceChange, PresenceOptions } from "./presence.ts";
export { redisRelay } from "./redis_relay.ts";
export type { RedisClient } from "./redis_relay.ts";
export type { RelayOptions } from "./relay_options.ts";
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
  Relay,
  RelayedMessage,
  RelayNode,
  SubscribeOptions,
  Subscription,
  SubscriptionStart,
  Topics,
  TopicsOptions,
  TopicsStats,
  WhenSlow,
} from "./types.ts";
