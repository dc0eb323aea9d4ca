/** A ReconnectingWebSocket whose waits take no time, and its events in words. */

import { ReconnectingWebSocket } from "../../mod.ts";
import type { ReconnectEvent, ReconnectOptions } from "../../mod.ts";
import { deadline, onTestEnd } from "../harness.ts";

/** One that is closed with the test; its waits take no time, and are written down. */
export function reconnecting(
  url: ConstructorParameters<typeof ReconnectingWebSocket>[0],
  options: ReconnectOptions = {},
): { socket: ReconnectingWebSocket; waits: number[] } {
  const waits: number[] = [];
  const socket = new ReconnectingWebSocket(url, {
    random: () => 1,
    delay(ms) {
      waits.push(ms);
      return Promise.resolve();
    },
    ...options,
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
