// accept() with a listener of the runtime that runs the test.
import { accept, bunSocketHandler } from "../../mod.ts";
import type { BunSocketHandler, Conn } from "../../mod.ts";
import { assertEquals, deadline, delay, onTestEnd, runtime, test } from "../harness.ts";
import { rawFrame } from "../support/frames.ts";
import { upgradeRequest } from "../support/http.ts";
import { echo } from "../support/server.ts";
import { tcpConnect } from "../support/raw_tcp.ts";

/** The parts of the runtimes that are used. */
interface Runtimes {
  Deno?: {
    listen(options: { hostname: string; port: number }): AsyncIterable<Conn & Disposable> & {
      addr: { port: number };
      close(): void;
    };
  };
  Bun?: {
    listen(options: {
      hostname: string;
      port: number;
      allowHalfOpen: boolean;
      socket: BunSocketHandler;
    }): { port: number; stop(): void };
  };
}

/** Listens without this library, and returns the port. */
function listenByHand(onConn: (conn: Conn) => void): number {
  const { Deno, Bun } = globalThis as Runtimes;
  const where = { hostname: "127.0.0.1", port: 0 };
  if (Deno !== undefined) {
    const listener = Deno.listen(where);
    onTestEnd(() => listener.close());
    (async () => {
      for await (const conn of listener) onConn(conn);
    })();
    return listener.addr.port;
  }
  const listener = Bun!.listen({ ...where, allowHalfOpen: true, socket: bunSocketHandler(onConn) });
  onTestEnd(() => listener.stop());
  return listener.port;
}

for (const wait of [0, 30]) {
  const when = wait === 0 ? "at once" : "late";

  test(`accept, ${when}, on a connection of ${runtime}'s listener`, async () => {
    const closed = Promise.withResolvers<unknown>();
    const port = listenByHand(async (conn) => {
      if (wait > 0) await delay(wait);
      const socket = await accept(conn);
      await echo(socket);
      closed.resolve(await socket.closed);
    });
    const client = await tcpConnect({ transport: "tcp", hostname: "", port });
    client.write(upgradeRequest());
    client.write(rawFrame({ first: 0x81, payload: "Hi" }, "server"));
    await client.until(({ text }) => text.endsWith("\x81\x02Hi"), "the echo");
    client.write(rawFrame({ first: 0x88, payload: new Uint8Array([0x03, 0xe8]) }, "server"));
    client.end();
    await client.untilEnd();
    assertEquals(await deadline(closed.promise, 5000, "the close"), {
      closeCode: 1000,
      reason: "",
      wasClean: true,
    });
  });

  test(`accept, ${when}, on a connection that the client has left`, async () => {
    const refused = Promise.withResolvers<unknown>();
    const port = listenByHand(async (conn) => {
      if (wait > 0) await delay(wait);
      accept(conn).catch(refused.resolve);
    });
    const client = await tcpConnect({ transport: "tcp", hostname: "", port });
    client.write("GET / HT");
    client.end();
    const error = await deadline(refused.promise, 5000, "the refusal") as { code: string };
    assertEquals(error.code, "ERR_HANDSHAKE_LEFT");
    await client.untilEnd();
  });
}
