// What the application's callbacks throw, and what their promises reject with, goes to onError, or is
// printed. It never ends the process: an unhandled rejection fails the test runners.
import { accept, connect, connectOver, ReconnectingWebSocket, serve } from "../../mod.ts";
import type { CloseInfo, ServeOptions, SocketHandler } from "../../mod.ts";
import { memoryPair } from "../../src/transport/memory_transport.ts";
import { assert, assertEquals, assertThrows, deadline, eventually, test } from "../harness.ts";
import { printed } from "../support/printed.ts";
import { First } from "../support/memory_peer.ts";
import { turns } from "../support/open.ts";
import { openRaw, serving } from "../support/server.ts";

const BUG = new Error("a bug of the application");
const fails = (): Promise<never> => Promise.reject(BUG);

/** A promise of another class. */
class Thenable {
  then(_: unknown, reject: (error: unknown) => void): void {
    queueMicrotask(() => reject(BUG));
  }
}

/** An object whose `then` can't be read. */
const hostile = {
  get then(): never {
    throw BUG;
  },
};

/** Ways to fail. */
const ways: [name: string, run: () => unknown][] = [
  ["throws", () => {
    throw BUG;
  }],
  ["returns a promise that rejects", fails],
  ["returns a thenable that rejects", () => new Thenable()],
  ["returns an object whose then throws", () => hostile],
];

test("onListen that rejects is reported to onError, and the server goes on", async () => {
  for (const [name, run] of ways.slice(1)) {
    const onListen = run as ServeOptions["onListen"];
    if (name.includes("whose then throws")) continue; // As one that throws: see below.
    const { errors, url } = serving({}, { onListen: onListen! });
    await eventually(() => errors.length === 1, 5000, "the error");
    assertEquals(errors[0]!.error, BUG, name);
    await (await connect(url)).close();
  }
});

test("onListen that throws stops the server", () => {
  for (const run of [ways[0]![1], ways[3]![1]]) {
    const onListen = run as () => void;
    const thrown = assertThrows(() => serve({ hostname: "127.0.0.1", port: 0, onListen }, {}));
    assertEquals(thrown, BUG);
  }
});

for (const [name, run] of ways) {
  for (const callback of ["open", "message", "drain", "close", "error"] as const) {
    test(`a callback ${callback} that ${name} is reported to onError`, async () => {
      const handler: SocketHandler = { [callback]: run };
      if (callback === "error") handler.message = () => fails();
      const { url, errors, server } = serving(handler, { limits: { outgoingHighWaterMark: 1 } });
      const socket = await connect(url);
      await socket.send("x").catch(() => {});
      if (callback === "drain") { for (const peer of server.connections) void peer.send("more"); }
      await socket.close(1000);
      await eventually(() => errors.some(({ error }) => error === BUG), 5000, "the error");
    });
  }

  test(`onError that ${name} is printed`, async () => {
    const onError = run as NonNullable<ServeOptions["onError"]>;
    const { url } = serving(() => fails(), { onError });
    const lines = await printed(async () => {
      const { closed } = await connect(url);
      assertEquals((await closed).closeCode, 1011);
    });
    assertEquals(lines, [["onError() has thrown", BUG]]);
  });
}

test("the errors of a handler of accept() and connect() are printed", async () => {
  for (const run of [() => fails(), { open: () => fails() }, { close: () => fails() }]) {
    const lines = await printed(async () => {
      const [here, there] = memoryPair();
      const [server, client] = await Promise.all([
        accept(here, {}, run),
        connectOver(there, "ws://memory/", {}, run),
      ]);
      await Promise.all([client.close(), server.closed]);
      await new Promise((resolve) => setTimeout(resolve, 0));
    });
    assertEquals(lines, [[BUG], [BUG]]);
  }
});

test("what the server has caused is not printed for a handler of connect()", async () => {
  const { url } = serving({ open: (socket) => void socket.send("too long") });
  const lines = await printed(async () => {
    const socket = await connect(url, { limits: { maxMessageSize: 1 } }, { message() {} });
    assertEquals(((await socket.closed).error as Error).name, "MessageTooBigError");
  });
  assertEquals(lines, []);
});

const functions = ["url", "headers", "protocols", "firstMessage"] as const;
for (const name of functions) {
  for (const [way, run] of ways) {
    test(`ReconnectingWebSocket goes on after ${name}() that ${way}`, async () => {
      const { url } = serving({ open: (socket) => void socket.close(1000) });
      let calls = 0;
      const flaky = (): unknown => ++calls === 1 ? run() : name === "url" ? url : [];
      const first = name === "firstMessage" ? () => ++calls === 1 ? run() : "hello" : undefined;
      const socket = new ReconnectingWebSocket(
        name === "url" ? flaky as () => string : url,
        { initialDelay: 1, ...(name === "url" ? {} : { [name]: first ?? flaky }) },
      );
      const causes: unknown[] = [];
      for await (const event of socket) {
        if (event.type === "close") causes.push((event.info.error as Error | undefined)?.cause);
      }
      assertEquals(causes, [BUG, undefined]);
    });
  }
}

test("isFinal() that fails ends ReconnectingWebSocket with its error", async () => {
  for (const [name, run] of ways) {
    const { url } = serving({ open: (socket) => void socket.close(1012) });
    const isFinal = run as (info: CloseInfo) => boolean;
    const socket = new ReconnectingWebSocket(url, { isFinal });
    const { error } = await deadline(socket.closed, 5000, "closed");
    assert(error === BUG || error instanceof TypeError, name);
  }
});

for (const read of ["messageStreams", "readable", "loop"] as const) {
  test(`onError gets the error of a peer that breaks a rule once, with ${read}`, async () => {
    const { server, errors } = serving(async (socket) => {
      if (read === "messageStreams") {
        for await (const { readable } of socket.messageStreams()) {
          for await (const _ of readable as ReadableStream<unknown>);
        }
      } else {
        for await (const _ of read === "loop" ? socket : socket.readable);
      }
    }, { limits: { maxFragments: 1 } });
    const client = await openRaw(server);
    client.send({ first: First.TextStart, payload: "a" });
    await turns();
    client.send({ first: First.Continuation, payload: "b" });
    await client.tcp.untilGone();
    await eventually(() => server.connections.size === 0, 5000, "the end");
    assertEquals(errors.map(({ error }) => String(error)), [
      "PolicyViolationError: Cannot take message: more than 1 fragments",
    ]);
  });
}
