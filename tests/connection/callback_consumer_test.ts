import { CallbackConsumer } from "../../src/connection/callback_consumer.ts";
import type { CloseInfo } from "../../src/connection/close_info.ts";
import type { Callbacks } from "../../src/connection/socket_handler.ts";
import { assertEquals, test } from "../harness.ts";
import { turns } from "../support/open.ts";

/** A connection that writes down what a consumer reports. */
function makeConnection(socket: string) {
  const log: unknown[] = [];
  return {
    socket,
    log,
    isOpen: true,
    isClosing: false,
    onIdle() {},
    handlerFailed: (error: unknown) => void log.push(["failed", error]),
    reportError: (error: unknown) => void log.push(["reported", error]),
  };
}

const CLOSED: CloseInfo = { closeCode: 1000, reason: "", wasClean: true };

test("CallbackConsumer calls the callbacks of one handler for any number of connections", () => {
  const calls: unknown[] = [];
  const handler: Callbacks<string> & { name: string } = {
    name: "handler",
    open: (socket) => calls.push(["open", socket]),
    message(this: { name: string }, socket, message) {
      calls.push([this.name, socket, message]);
    },
    drain: (socket) => calls.push(["drain", socket]),
    error: (socket, error) => calls.push(["error", socket, error]),
    close: (socket, info) => calls.push(["close", socket, info]),
  };
  const consumer = new CallbackConsumer(handler);
  const [a, b] = [makeConnection("a"), makeConnection("b")];
  consumer.onOpen(a);
  assertEquals(consumer.message("one", a), true);
  assertEquals(consumer.message("two", b), true);
  consumer.onDrain(b);
  consumer.onError("broken", a);
  consumer.onClose(CLOSED, a);
  assertEquals(calls, [
    ["open", "a"],
    ["handler", "a", "one"],
    ["handler", "b", "two"],
    ["drain", "b"],
    ["error", "a", "broken"],
    ["close", "a", CLOSED],
  ]);
  assertEquals([a.log, b.log], [[], []]);
});

test("CallbackConsumer takes a message without callbacks", () => {
  const consumer = new CallbackConsumer<string>({});
  const connection = makeConnection("a");
  assertEquals(consumer.message("one", connection), true);
  consumer.onOpen(connection);
  consumer.onDrain(connection);
  consumer.onError("broken", connection);
  consumer.onClose(CLOSED, connection);
  assertEquals(connection.log, []);
  assertEquals([consumer.isFull, consumer.isIdle, consumer.memoryUsage], [false, true, 0]);
});

for (const way of ["throws", "rejects"] as const) {
  test(`CallbackConsumer reports a callback that ${way}, and an error callback apart`, async () => {
    const fail = (): Promise<never> => {
      if (way === "throws") throw way;
      return Promise.reject(way);
    };
    const consumer = new CallbackConsumer<string>({
      open: fail,
      message: fail,
      drain: fail,
      error: fail,
      close: fail,
    });
    const connection = makeConnection("a");
    consumer.onOpen(connection);
    assertEquals(consumer.message("one", connection), true);
    consumer.onDrain(connection);
    consumer.onClose(CLOSED, connection);
    await turns();
    assertEquals(connection.log, Array.from({ length: 4 }, () => ["failed", way]));
    consumer.onError("broken", connection);
    await turns();
    assertEquals(connection.log.at(-1), ["reported", way]);
  });
}
