import { ReconnectEvents } from "../../src/client/reconnect_events.ts";
import type { ReconnectEvent } from "../../src/client/reconnect_events.ts";
import type { WebSocketConnection } from "../../src/connection/connection.ts";
import { assertEquals, test } from "../harness.ts";

const open = (attempt: number): ReconnectEvent => ({
  type: "open",
  attempt,
  connection: {} as WebSocketConnection,
});
const message = (data: string): ReconnectEvent => ({ type: "message", data });
const close = (attempt: number): ReconnectEvent => ({
  type: "close",
  attempt,
  info: { closeCode: 1006, reason: "", wasClean: false },
  retryIn: 0,
});

function words(event: ReconnectEvent): string {
  return event.type === "message" ? event.data as string : `${event.type} ${event.attempt}`;
}

/** The events that are left of those pushed, in words. */
function left(...events: ReconnectEvent[]): string[] {
  const queue = new ReconnectEvents();
  for (const event of events) queue.push(event);
  return queue.takeAll().map(words);
}

test("ReconnectEvents keeps the events of a connection with messages", () => {
  assertEquals(left(open(1), message("a"), close(1)), ["open 1", "a", "close 1"]);
});

test("ReconnectEvents drops an unread connection without messages, but not its close", () => {
  assertEquals(left(open(1), close(1)), ["close 1"]);
  assertEquals(left(open(1), close(1), open(2)), ["close 1", "open 2"]);
  assertEquals(left(open(1), message("a"), close(1), open(2), close(2)), [
    "open 1",
    "a",
    "close 2",
  ]);
});

test("ReconnectEvents keeps only the last of unread failures", () => {
  assertEquals(left(close(1), close(2), close(3)), ["close 3"]);
  assertEquals(left(message("a"), close(1), close(2)), ["a", "close 2"]);
});

test("ReconnectEvents gives a waiting consumer each event", async () => {
  const queue = new ReconnectEvents();
  const results = [queue.next(), queue.next(), queue.next()];
  for (const event of [open(1), close(1), close(2)]) queue.push(event);
  const events = (await Promise.all(results)).map(({ value }) => words(value!));
  assertEquals(events, ["open 1", "close 1", "close 2"]);
});

test("ReconnectEvents.hasMessages counts unread messages", async () => {
  const queue = new ReconnectEvents();
  assertEquals(queue.hasMessages, false);
  const waiting = queue.next();
  queue.push(message("taken"));
  await waiting;
  assertEquals(queue.hasMessages, false);
  queue.push(message("a"));
  queue.push(close(1));
  assertEquals(queue.hasMessages, true);
  await queue.next();
  assertEquals(queue.hasMessages, false);
});

test("ReconnectEvents.until waits for next() or recheck() to make its condition hold", async () => {
  const queue = new ReconnectEvents();
  let isDone = false;
  let holds = false;
  const waiting = queue.until(() => holds).then(() => isDone = true);
  queue.recheck();
  await null;
  assertEquals(isDone, false);
  holds = true;
  void queue.next();
  await waiting;
  queue.end();
  await queue.until(() => true);
});
