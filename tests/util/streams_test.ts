import { cancelLater } from "../../src/util/streams.ts";
import { assertEquals, deadline, test } from "../harness.ts";

test("cancelLater cancels in a later turn of the event loop", async () => {
  const cancelled = Promise.withResolvers<unknown>();
  let isCancelled = false;
  const stream = new ReadableStream({
    cancel(reason) {
      isCancelled = true;
      cancelled.resolve(reason);
    },
  });
  cancelLater(stream, "why");
  for (let i = 0; i < 20; i++) await null;
  assertEquals(isCancelled, false);
  assertEquals(await deadline(cancelled.promise, 1000, "the cancel"), "why");
});

test("cancelLater ignores streams that fail to cancel", async () => {
  const calls: string[] = [];
  cancelLater({
    cancel() {
      calls.push("throws");
      throw new Error("oops");
    },
  });
  cancelLater({
    cancel() {
      calls.push("rejects");
      return Promise.reject(new Error("oops"));
    },
  });
  const done = Promise.withResolvers<void>();
  cancelLater({
    cancel() {
      done.resolve();
      return undefined as unknown as Promise<void>;
    },
  });
  await deadline(done.promise, 1000, "the last one");
  assertEquals(calls, ["throws", "rejects"]);
});
