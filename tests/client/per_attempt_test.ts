import { resolvePerAttempt } from "../../src/client/per_attempt.ts";
import { WebSocketError } from "../../src/protocol/errors.ts";
import { assertEquals, assertRejects, assertStrictEquals, test } from "../harness.ts";

test("resolvePerAttempt returns a value, or the result of a function", async () => {
  assertEquals(await resolvePerAttempt("a", "URL"), "a");
  assertEquals(await resolvePerAttempt(() => "b", "URL"), "b");
  assertEquals(await resolvePerAttempt(() => Promise.resolve("c"), "URL"), "c");
});

test("resolvePerAttempt calls a function for each attempt", async () => {
  let count = 0;
  const option = () => ++count;
  assertEquals([await resolvePerAttempt(option, "x"), await resolvePerAttempt(option, "x")], [
    1,
    2,
  ]);
});

test("resolvePerAttempt wraps what a function throws, so that it is not final", async () => {
  const failures: unknown[] = [new TypeError("no network"), "text", undefined];
  for (const cause of failures) {
    for (
      const option of [() => Promise.reject(cause), () => {
        throw cause;
      }]
    ) {
      const error = await assertRejects(() => resolvePerAttempt(option, "headers"), WebSocketError);
      assertEquals([error.code, error.closeCode], ["ERR_PER_ATTEMPT", 1006]);
      assertStrictEquals(error.cause, cause);
      const reason = cause instanceof Error ? cause.message : String(cause);
      assertEquals(error.message, `Cannot get the headers: ${reason}`);
    }
  }
});
