/**
 * Publish and subscribe: messages to every subscriber of a topic, with an exact account of each.
 *
 * @module
 */
export { topics } from "./topics.ts";
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
