// An application need not handle the promises of a connection's streams: whatever it has begun when the
// connection ends, and however that happens, nothing surfaces as an unhandled rejection. The promises that
// a call of the application itself returns are handled here, as the platform asks of it.
import { handled } from "../../src/util/promises.ts";
import { assertEquals, delay, test } from "../harness.ts";
import { watchRejections } from "../support/leaks.ts";
import { closeFrame } from "../support/memory_peer.ts";
import { open, turns } from "../support/open.ts";
import type { Opened } from "../support/open.ts";
import { manual, streamOf } from "../support/streams.ts";

const LIMITS = { maxBufferedAmount: 1000, closeTimeout: 20 };
const large = () => new Uint8Array(600);

/** Writes more than the send queue holds; the promises of the writer are left alone. */
function fill({ socket }: Opened): WritableStreamDefaultWriter<unknown> {
  const writer = socket.writable.getWriter();
  for (let i = 0; i < 10; i++) handled(writer.write(large()));
  void writer.ready;
  void writer.closed;
  return writer;
}

const USES: Record<string, (opened: Opened) => unknown> = {
  "writable alone": ({ socket }) => socket.writable,
  "a writer": ({ socket }) => {
    const { ready, closed } = socket.writable.getWriter();
    return [ready, closed];
  },
  "writes that wait": fill,
  "writes that wait, without a lock": (opened) => fill(opened).releaseLock(),
  "writes that wait, and close()": (opened) => handled(fill(opened).close()),
  "writes that wait, and abort()": (opened) => handled(fill(opened).abort("enough")),
  "close() of a writer": ({ socket }) => handled(socket.writable.getWriter().close()),
  "close() of a writer that has no lock any more": ({ socket }) => {
    const writer = socket.writable.getWriter();
    handled(writer.close());
    writer.releaseLock();
  },
  "close(), then abort()": ({ socket }) => {
    const writer = socket.writable.getWriter();
    handled(writer.close());
    handled(writer.abort("enough"));
  },
  "close() of writable": ({ socket }) => handled(socket.writable.close()),
  "abort() of writable": ({ socket }) => handled(socket.writable.abort("enough")),
  "a write that is refused": ({ socket }) => {
    handled(socket.writable.getWriter().write(new Uint8Array(1001)));
  },
  "a write of what is no message": ({ socket }) => {
    const writer = socket.writable.getWriter();
    handled(writer.write(5 as unknown as string));
    handled(writer.write("text"));
    handled(writer.close());
  },
  "a pipe that ends": ({ socket }) => handled(streamOf(["a", "b"]).pipeTo(socket.writable)),
  "a pipe that is silent": ({ socket }) => handled(manual().stream.pipeTo(socket.writable)),
  "a pipe that waits": ({ socket }) => {
    handled(streamOf(Array.from({ length: 100 }, large)).pipeTo(socket.writable));
  },
  "an echo": ({ socket }) => handled(socket.readable.pipeTo(socket.writable)),
  "an echo through a transform": ({ socket }) => {
    handled(socket.readable.pipeThrough(new TransformStream()).pipeTo(socket.writable));
  },
  "a read": ({ socket }) => {
    const reader = socket.readable.getReader();
    handled(reader.read());
    return reader.closed;
  },
  "cancel() of readable": ({ socket }) => handled(socket.readable.cancel()),
  "tee()": ({ socket }) => {
    const [some] = socket.readable.tee();
    handled(some.getReader().read());
  },
  "close() behind a stream": ({ socket }) => {
    void socket.send(manual().stream);
    handled(socket.writable.close());
  },
  "send() and ready": ({ socket }) => {
    for (let i = 0; i < 10; i++) void socket.send(large());
    return socket.ready;
  },
  "close() and send()": ({ socket }) => {
    void socket.send(large());
    void socket.close();
    void socket.send("text");
  },
};

const ENDS: Record<string, (opened: Opened) => unknown> = {
  "abort()": ({ socket }) => socket.abort(),
  "a reset": ({ peer }) => peer.transport.reset(),
  "close()": ({ socket }) => socket.close(),
  "close(), then abort()": async ({ socket }) => {
    void socket.close(4000);
    await delay(5);
    socket.abort();
  },
  "the peer's Close, and the end of TCP": async ({ peer }) => {
    peer.send(closeFrame(1000));
    await delay(5);
    handled(peer.end());
  },
  "the peer's Close, and a reset": async ({ peer }) => {
    peer.send(closeFrame(1000));
    await delay(5);
    peer.transport.reset();
  },
  "the end of TCP": ({ peer }) => handled(peer.end()),
  "a violation": ({ peer }) => peer.transport.write(new Uint8Array([0xff, 0xff, 1, 2, 3, 4])),
};

for (const [use, begin] of Object.entries(USES)) {
  test(`no rejection is unhandled when a connection ends with ${use}`, async () => {
    const rejected = watchRejections();
    const cases = Object.values(ENDS).flatMap((end) =>
      [true, false].flatMap((isStuck) =>
        (["close", "reject"] as const).flatMap((overflow) =>
          [true, false].map((isLate) => ({ end, isStuck, overflow, isLate }))
        )
      )
    );
    await Promise.all(cases.map(async ({ end, isStuck, overflow, isLate }) => {
      const memory = isStuck ? { capacity: 100 } : {};
      const opened = open({ overflow, memory, limits: LIMITS });
      if (isStuck) opened.peer.transport.pause();
      if (isLate) void end(opened);
      begin(opened);
      await turns();
      if (!isLate) void end(opened);
      // Longer than closeTimeout.
      await delay(40);
      opened.socket.abort();
      await opened.socket.closed;
      await turns();
    }));
    assertEquals(rejected, []);
  });
}
