// connect() and WebSocketStream with a server that leaves after any byte, over real sockets.
import { connect, WebSocketStream } from "../../mod.ts";
import type { Message } from "../../src/protocol/message.ts";
import { assert, assertEquals, deadline, test } from "../harness.ts";
import { join } from "../support/bytes.ts";
import { rawFrame } from "../support/frames.ts";
import { latin1 } from "../support/bytes.ts";
import {
  CountedSignal,
  PromiseWatch,
  TimerWatch,
  unwatchedDelay,
  watchRejections,
} from "../support/leaks.ts";
import { switching } from "../support/http.ts";
import { closeFrame, textFrame } from "../support/memory_peer.ts";
import { rawServer } from "../support/raw_tcp.ts";
import type { RawTcp } from "../support/raw_tcp.ts";

const FRAMES = [
  textFrame("Hello"),
  { first: 0x01, payload: "frag" },
  { first: 0x89, payload: "?" },
  { first: 0x80, payload: "ments" },
  closeFrame(1000, "bye"),
].map((frame) => rawFrame(frame));
const HEAD = switching("Sec-WebSocket-Key: x\r\n").length;
const LENGTH = HEAD + join(...FRAMES).length;
/** The end offset of the messages. */
const ENDS = [0, 3].map((i) => HEAD + join(...FRAMES.slice(0, i + 1)).length);
const MESSAGES: Message[] = ["Hello", "fragments"];

/** Leaves as the path of the request specifies: `/cut/57`. */
async function behave(connection: RawTcp): Promise<void> {
  const head = await connection.head();
  const [, way, at] = /^GET \/(\w+)\/(\d+) /.exec(head)!;
  const all = join(latin1(switching(head)), ...FRAMES);
  const { promise, resolve } = Promise.withResolvers<void>();
  connection.socket.write(all.subarray(0, Number(at)), () => resolve());
  await promise;
  if (way === "cut") connection.socket.end();
  else connection.socket.resetAndDestroy();
  await connection.untilGone();
}

/** The observations of a client. */
interface Seen {
  readonly messages: Message[];
  readonly promises: PromiseWatch;
  /** Whether it was open, and whether it was closed cleanly. */
  isOpen: boolean;
  wasClean: boolean;
}

async function useStream(url: string, signal: AbortSignal, seen: Seen): Promise<void> {
  const { promises, messages } = seen;
  const stream = new WebSocketStream(url, { signal });
  const closed = promises.watch("closed", stream.closed);
  try {
    const { readable, writable } = await promises.watch("opened", stream.opened);
    seen.isOpen = true;
    const writer = writable.getWriter();
    promises.watch("writer.closed", writer.closed);
    promises.watch("writer.write()", writer.write("hi"));
    const reader = readable.getReader();
    promises.watch("reader.closed", reader.closed);
    while (true) {
      const { done, value } = await promises.watch("reader.read()", reader.read());
      if (done) break;
      messages.push(value);
    }
  } catch {
    // `closed` reports it.
  }
  await closed.then(() => seen.wasClean = true, () => {});
}

async function useConnection(url: string, signal: AbortSignal, seen: Seen): Promise<void> {
  const { promises, messages } = seen;
  const opening = promises.watch("connect()", connect(url, { signal }));
  const socket = await opening.catch(() => undefined);
  if (socket === undefined) return;
  seen.isOpen = true;
  promises.watch("ping()", socket.ping());
  promises.watch("send()", socket.send("hi"));
  for await (const message of socket) messages.push(message);
  seen.wasClean = (await promises.watch("closed", socket.closed)).wasClean;
}

for (const [name, use] of [["WebSocketStream", useStream], ["connect()", useConnection]] as const) {
  test(`a server that leaves after any byte leaves nothing of a ${name}`, async () => {
    const { port } = await rawServer(behave);
    const timers = new TimerWatch();
    watchRejections();
    const plans = Array.from({ length: LENGTH + 1 }, (_, at) => at)
      .flatMap((at) => [{ way: "cut", at }, { way: "reset", at }]);
    for (let i = 0; i < plans.length; i += 40) {
      await Promise.all(plans.slice(i, i + 40).map(({ way, at }) => leave(way, at)));
    }
    await timers.assertNone(name);

    async function leave(way: string, at: number): Promise<void> {
      const what = `${way} after byte ${at}`;
      const seen = { messages: [], promises: new PromiseWatch(), isOpen: false, wasClean: false };
      const counted = new CountedSignal();
      const using = use(`ws://127.0.0.1:${port}/${way}/${at}`, counted.signal, seen);
      await deadline(using, 20_000, what);
      for (let i = 0; i < 50 && seen.promises.pending.length > 0; i++) await unwatchedDelay(i);
      assertEquals(seen.promises.pending, [], what);
      assertEquals(counted.listeners, 0, what);
      const come = MESSAGES.slice(0, ENDS.filter((end) => end <= at).length);
      // A reset may overtake the bytes before it.
      if (way === "reset") assert(seen.messages.length <= come.length, what);
      assertEquals(seen.messages, come.slice(0, way === "cut" ? undefined : seen.messages.length));
      if (way === "cut") {
        assertEquals([seen.isOpen, seen.wasClean], [at >= HEAD, at === LENGTH], what);
      } else if (at < LENGTH) assertEquals(seen.wasClean, false, what);
    }
  });
}
