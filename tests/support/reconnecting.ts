/** A ReconnectingWebSocket without real delays, and its events in words. */

import { ReconnectingWebSocket } from "../../mod.ts";
import type { PerAttempt, ReconnectEvent, ReconnectOptions } from "../../mod.ts";
import type { ReconnectClock } from "../../src/client/reconnect_core.ts";
import { deadline, onTestEnd } from "../harness.ts";

/** The constructor with its parameter for tests, which is not in the public types. */
type WithClock = new (
  url: PerAttempt<string | URL>,
  options: ReconnectOptions,
  clock: ReconnectClock,
) => ReconnectingWebSocket;

/**
 * A socket that is closed at the end of the test. Its delays take no time and are recorded in `waits`,
 * and it takes the longest delay each time, unless `clock` says otherwise.
 */
export function reconnecting(
  url: PerAttempt<string | URL>,
  options: ReconnectOptions = {},
  clock: Partial<ReconnectClock> = {},
): { socket: ReconnectingWebSocket; waits: number[] } {
  const waits: number[] = [];
  const socket = new (ReconnectingWebSocket as unknown as WithClock)(url, options, {
    now: () => performance.now(),
    random: () => 1,
    sleep(ms) {
      waits.push(ms);
      return Promise.resolve();
    },
    ...clock,
  });
  onTestEnd(async () => void await deadline(socket.close(), 10_000, "the end of the socket"));
  return { socket, waits };
}

/** An event in words. */
export function words(event: ReconnectEvent): string {
  if (event.type === "message") return `message ${event.data}`;
  if (event.type === "open") return `open ${event.attempt}`;
  return `close ${event.info.closeCode} ${event.attempt}, ${event.retryIn}`;
}

/** All events to the end. */
export async function log(socket: ReconnectingWebSocket): Promise<string[]> {
  const all: string[] = [];
  const read = async () => {
    for await (const event of socket) all.push(words(event));
  };
  await deadline(read(), 10_000, "the end of the events");
  return all;
}

/** The next event, in words. */
export async function next(socket: ReconnectingWebSocket): Promise<string> {
  const { value } = await deadline(socket[Symbol.asyncIterator]().next(), 5000, "an event");
  return value === undefined ? "end" : words(value);
}
