// listenDeno over a listener of the test's own making: Deno's alone can be told to fail.
import { listenDeno } from "../../src/transport/deno.ts";
import type { DenoConn } from "../../src/transport/deno.ts";
import { assert, assertEquals, onTestEnd, runtime, test } from "../harness.ts";
import { turns } from "../support/open.ts";

/** A `Deno.Listener` whose accepts end as the test says. */
class FakeListener {
  readonly addr = { transport: "tcp", hostname: "127.0.0.1", port: 80 };
  accepts = 0;
  isClosed = false;
  #accept: PromiseWithResolvers<DenoConn> | undefined;

  accept(): Promise<DenoConn> {
    this.accepts++;
    this.#accept = Promise.withResolvers();
    return this.#accept.promise;
  }

  async fail(error: unknown): Promise<void> {
    this.#accept!.reject(error);
    await turns(1);
  }

  close(): void {
    this.isClosed = true;
    this.#accept!.reject(new Error("BadResource"));
  }
}

/** Listens by a listener of its own. */
function fakeListening() {
  const { Deno } = globalThis as unknown as { Deno: { listen: () => FakeListener } };
  const { listen } = Deno;
  const fake = new FakeListener();
  Deno.listen = () => fake;
  onTestEnd(() => void (Deno.listen = listen));
  const errors: unknown[] = [];
  const listener = listenDeno({}, { connection() {}, error: (error) => errors.push(error) });
  return { fake, listener, errors };
}

if (runtime === "deno") {
  test("listenDeno reports a failed accept, waits a little, and goes on", async () => {
    const { fake, listener, errors } = fakeListening();
    const started = performance.now();
    const emfile = new Error("Too many open files");
    await fake.fail(emfile);
    assertEquals([errors, fake.accepts], [[emfile], 1]);
    while (fake.accepts < 2) await turns(1);
    assert(performance.now() - started > 30, "not in a busy loop");
    await listener.close();
    await listener.close();
    assertEquals([errors.length, fake.accepts, fake.isClosed], [1, 2, true]);
  });

  test("listenDeno keeps nothing of the waits that are over", async () => {
    const { prototype } = AbortSignal;
    const { addEventListener, removeEventListener } = prototype;
    onTestEnd(() => void Object.assign(prototype, { addEventListener, removeEventListener }));
    let listeners = 0;
    prototype.addEventListener = function (...args: unknown[]): void {
      listeners++;
      Reflect.apply(addEventListener, this, args);
    };
    prototype.removeEventListener = function (...args: unknown[]): void {
      listeners--;
      Reflect.apply(removeEventListener, this, args);
    };
    const { fake, listener } = fakeListening();
    for (let i = 1; i <= 3; i++) {
      await fake.fail(new Error("Too many open files"));
      while (fake.accepts === i) await turns(1);
    }
    assertEquals(listeners, 0);
    await listener.close();
  });

  test("listenDeno can be closed while it waits", async () => {
    const { fake, listener } = fakeListening();
    await fake.fail(new Error("Too many open files"));
    const closed = listener.close().then(() => "closed");
    assertEquals(
      await Promise.race([closed, turns().then(() => "the rest of the wait")]),
      "closed",
    );
    assertEquals(fake.accepts, 1);
  });
}
