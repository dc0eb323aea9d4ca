// listenDeno over a listener of the test's own making: Deno's alone can be told to fail.
import { listenDeno } from "../../src/transport/deno_listen.ts";
import type { DenoConn } from "../../src/transport/deno_transport.ts";
import { assert, assertEquals, onTestEnd, runtime, test } from "../harness.ts";
import { turns } from "../support/open.ts";

/** A `Deno.Listener` whose accepts end as the test says. */
class FakeListener {
  readonly addr = { transport: "tcp", hostname: "127.0.0.1", port: 80 };
  accepts = 0;
  isClosed = false;
  /** How many of its connections have been closed. */
  closes = 0;
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

  /** A connection comes, of which these are other than usual. */
  async give(parts: Partial<DenoConn>): Promise<void> {
    const addr = { transport: "tcp", hostname: "127.0.0.1", port: 81 };
    const conn = { localAddr: addr, remoteAddr: addr, close: () => this.closes++, ...parts };
    this.#accept!.resolve(conn as DenoConn);
    await turns(1);
  }

  close(): void {
    this.isClosed = true;
    this.#accept!.reject(new Error("BadResource"));
  }
}

/** What `Deno.listen` gives until the end of the test. */
function fakeListener(): FakeListener {
  const { Deno } = globalThis as unknown as { Deno: { listen: () => FakeListener } };
  const { listen } = Deno;
  const fake = new FakeListener();
  Deno.listen = () => fake;
  onTestEnd(() => void (Deno.listen = listen));
  return fake;
}

/** Listens by a listener of its own. */
function fakeListening() {
  const fake = fakeListener();
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

  test("listenDeno waits twice as long after each failure, and reports each once", async () => {
    const { fake, listener, errors } = fakeListening();
    const started = performance.now();
    for (let i = 1; i <= 4; i++) {
      await fake.fail(new Error("Too many open files"));
      while (fake.accepts === i) await turns(1);
    }
    assert(performance.now() - started > 50 + 100 + 200 + 400 - 10);
    assertEquals(errors.length, 4);
    await listener.close();
  });

  test("listenDeno neither reports nor waits for a peer that has gone before it was accepted", async () => {
    const { fake, listener, errors } = fakeListening();
    const names = ["ConnectionAborted", "ConnectionReset", "NotConnected"];
    for (let i = 1; i <= 99; i++) {
      await fake.fail(Object.assign(new Error("gone"), { name: names[i % 3] }));
      assertEquals(fake.accepts, i + 1);
    }
    await fake.give({
      setNoDelay() {
        throw new Error("Transport endpoint is not connected");
      },
    });
    assertEquals([fake.accepts, fake.closes, errors], [101, 1, []]);
    await listener.close();
  });

  test("listenDeno can be closed by whoever is told of a failure", async () => {
    const fake = fakeListener();
    const closed = Promise.withResolvers<Promise<void>>();
    const listener = listenDeno({}, {
      connection() {},
      error: () => closed.resolve(listener.close()),
    });
    await fake.fail(new Error("Too many open files"));
    let isClosed = false;
    closed.promise.then((closing) => closing).then(() => isClosed = true);
    await turns();
    assert(isClosed, "without a wait");
  });

  test("listenDeno can be closed while it waits", async () => {
    const { fake, listener } = fakeListening();
    await fake.fail(new Error("Too many open files"));
    let isClosed = false;
    listener.close().then(() => isClosed = true);
    await turns();
    assert(isClosed, "without the rest of the wait");
    assertEquals(fake.accepts, 1);
  });
}
