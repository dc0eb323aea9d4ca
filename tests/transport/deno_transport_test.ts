// DenoTransport over a Deno.Conn of the test's own making, on either runtime. The real one's turn is
// in sockets_test.ts.
import { DenoTransport } from "../../src/transport/deno_transport.ts";
import type { DenoAddr, DenoConn } from "../../src/transport/deno_transport.ts";
import { setLargeBuffers } from "../../src/transport/large_buffers.ts";
import { assert, assertEquals, onTestEnd, test, toHex } from "../harness.ts";
import { block } from "../support/block.ts";
import { watch } from "../support/events.ts";
import { turns } from "../support/open.ts";
import { setTurnBudget } from "../support/turn_budget.ts";

/** A `Deno.Conn` whose reads and writes are under way until the test ends them. */
class FakeConn implements DenoConn {
  readonly localAddr: DenoAddr;
  readonly remoteAddr: DenoAddr;
  readonly writes: string[] = [];
  readonly calls: string[] = [];
  /** The sizes of the buffers that were read into. */
  readonly reads: number[] = [];
  #read: PromiseWithResolvers<number | null> | undefined;
  #buffer = new Uint8Array(0);
  #write: PromiseWithResolvers<number> | undefined;

  constructor(addr: DenoAddr = { transport: "tcp", hostname: "127.0.0.1", port: 80 }) {
    this.localAddr = addr;
    this.remoteAddr = addr;
  }

  get isReading(): boolean {
    return this.#read !== undefined;
  }

  read(buffer: Uint8Array<ArrayBuffer>): Promise<number | null> {
    assert(this.#read === undefined, "one read at a time");
    this.reads.push(buffer.length);
    this.#buffer = buffer;
    this.#read = Promise.withResolvers();
    return this.#read.promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    this.writes.push(toHex(bytes));
    this.#write = Promise.withResolvers();
    return this.#write.promise;
  }

  closeWrite(): Promise<void> {
    this.calls.push("closeWrite");
    return Promise.reject(new Error("ENOTCONN"));
  }

  close(): void {
    this.calls.push("close");
    this.failRead(new Error("BadResource"));
    this.#write?.reject(new Error("BadResource"));
    throw new Error("closed already");
  }

  setNoDelay(noDelay: boolean): void {
    this.calls.push(`setNoDelay ${noDelay}`);
  }

  /** Ends the read under way with so many bytes, or with the peer's end. */
  async endRead(...bytes: number[]): Promise<void> {
    this.#buffer.set(bytes);
    await this.endReadWith(bytes.length === 0 ? null : bytes.length);
  }

  async endReadWith(count: number | null): Promise<void> {
    const read = this.#read!;
    this.#read = undefined;
    read.resolve(count);
    await turns(1);
  }

  failRead(error: unknown): void {
    this.#read?.reject(error);
    this.#read = undefined;
  }

  async endWrite(count: number): Promise<void> {
    this.#write!.resolve(count);
    await turns(1);
  }

  async failWrite(error: unknown): Promise<void> {
    this.#write!.reject(error);
    await turns(1);
  }
}

/** A transport over a FakeConn, with a handler. No read waits for a turn, however slow the machine is. */
function makeTransport(addr?: DenoAddr) {
  setTurnBudget(Infinity);
  const conn = new FakeConn(addr);
  const transport = new DenoTransport(conn);
  return { conn, transport, events: watch(transport) };
}

/** No large buffers: a test of another file may have set some. */
const NO_LARGE_BUFFERS = { acquire: () => undefined, release() {} };

const bytes = new Uint8Array([1, 2, 3]);

test("DenoTransport turns Nagle's algorithm off, and tells its addresses", () => {
  const { conn, transport } = makeTransport();
  assertEquals(conn.calls, ["setNoDelay true"]);
  const addr = { transport: "tcp", hostname: "127.0.0.1", port: 80 } as const;
  assertEquals([transport.localAddr, transport.remoteAddr], [addr, addr]);
  assertEquals(transport.lendsChunks, true);
});

test("DenoTransport of a Unix socket has a path, if any, and no Nagle", () => {
  const { conn, transport } = makeTransport({ transport: "unix", path: "/run/x" });
  assertEquals(conn.calls, []);
  assertEquals(transport.localAddr, { transport: "unix", path: "/run/x" });
  assertEquals(new DenoTransport(new FakeConn({ transport: "unix" })).remoteAddr, {
    transport: "unix",
    path: "",
  });
});

test("DenoTransport takes a Conn that says little", () => {
  const conn = new FakeConn({ transport: "tcp" });
  Object.defineProperty(conn, "setNoDelay", { value: undefined });
  assertEquals(new DenoTransport(conn).localAddr, { transport: "tcp", hostname: "", port: 0 });
});

test("DenoTransport reads from when it has a handler until the end", async () => {
  const conn = new FakeConn();
  const transport = new DenoTransport(conn);
  assertEquals(conn.isReading, false);
  const events = watch(transport);
  await conn.endRead(1, 2);
  await conn.endRead(3);
  await conn.endRead();
  assertEquals(events.log, ["data 01 02", "data 03", "end"]);
  assertEquals(conn.isReading, false);
  const next = watch(transport);
  assertEquals(conn.isReading, false, "another handler reads no further");
  transport.close();
  assertEquals([events.log.length, next.log], [3, ["close"]]);
});

test("DenoTransport's buffer grows with full reads, and shrinks with small ones", async () => {
  setLargeBuffers(NO_LARGE_BUFFERS);
  const { conn, transport } = makeTransport();
  for (let i = 0; i < 3; i++) await conn.endReadWith(conn.reads.at(-1)!);
  assertEquals(conn.reads, [1024, 4096, 16384, 65536]);
  assertEquals(transport.heldBytes, 65536);
  await conn.endReadWith(65536);
  assertEquals(conn.reads.at(-1), 65536, "and no further");
  for (let i = 0; i < 200; i++) await conn.endReadWith(1);
  assertEquals(conn.reads.at(-1), 256);
  transport.close();
});

test("DenoTransport's buffer is small again for the next handler, however long the head was", async () => {
  const conn = new FakeConn();
  const transport = new DenoTransport(conn);
  watch(transport);
  await conn.endReadWith(1024);
  assertEquals([conn.reads, transport.heldBytes], [[1024, 4096], 4096]);
  const next = { data() {}, drain() {}, end() {}, close() {} };
  transport.handler = { ...next, data: () => void (transport.handler = next) };
  await conn.endReadWith(4096);
  assertEquals([conn.reads, transport.heldBytes], [[1024, 4096, 256], 256]);
  await conn.endReadWith(256);
  assertEquals(conn.reads.at(-1), 1024, "and grows as before");
  transport.close();
});

test("DenoTransport's pause takes effect after the read under way", async () => {
  const { conn, transport, events } = makeTransport();
  transport.pause();
  await conn.endRead(1);
  assertEquals(events.log, ["data 01"]);
  assertEquals(conn.isReading, false);
  transport.resume();
  await turns();
  assertEquals(conn.isReading, true);
  transport.close();
});

test("DenoTransport's pause right after resume holds", async () => {
  const { conn, transport } = makeTransport();
  transport.pause();
  await conn.endRead(1);
  transport.resume();
  transport.pause();
  await turns();
  assertEquals(conn.isReading, false);
  transport.close();
  await turns();
});

test("DenoTransport writes the rest of a short write, then drains", async () => {
  const { conn, transport, events } = makeTransport();
  assertEquals(transport.write(bytes), false);
  await conn.endWrite(1);
  assertEquals([events.log, events.parts], [[], 1]);
  await conn.endWrite(2);
  assertEquals(conn.writes, ["01 02 03", "02 03"]);
  assertEquals([events.log, events.parts], [["drain"], 1]);
  transport.close();
});

test("DenoTransport writes after the peer's end, and after its own shutdown does not fail", async () => {
  const { conn, transport, events } = makeTransport();
  await conn.endRead();
  transport.write(bytes);
  await conn.endWrite(3);
  transport.shutdown();
  await turns();
  assertEquals(events.log, ["end", "drain"]);
  assertEquals(conn.calls, ["setNoDelay true", "closeWrite"]);
  transport.close();
});

test("DenoTransport's shutdown waits for a write that is under way", async () => {
  const { conn, transport } = makeTransport();
  transport.write(bytes);
  transport.shutdown();
  await conn.endWrite(2);
  assertEquals(conn.calls, ["setNoDelay true"]);
  await conn.endWrite(1);
  assertEquals(conn.calls, ["setNoDelay true", "closeWrite"]);
  transport.close();
});

test("DenoTransport's failed read closes it, with the error", async () => {
  const { conn, transport, events } = makeTransport();
  conn.failRead(new Error("ECONNRESET"));
  await turns();
  assertEquals(events.log, ["close Error: ECONNRESET"]);
  assertEquals(transport.write(bytes), true);
  transport.shutdown();
  transport.abort();
  assertEquals(conn.calls, ["setNoDelay true", "close"]);
  assertEquals(conn.writes, []);
  assertEquals(events.log.length, 1);
});

test("DenoTransport's failed write closes it, with the error", async () => {
  const { conn, transport, events } = makeTransport();
  transport.write(bytes);
  await conn.failWrite(new Error("EPIPE"));
  assertEquals(events.log, ["close Error: EPIPE"]);
});

for (const how of ["close", "abort"] as const) {
  test(`DenoTransport's ${how} is told of once, without an error`, async () => {
    const { conn, transport, events } = makeTransport();
    transport.write(bytes);
    transport[how]();
    transport[how]();
    await turns();
    assertEquals(events.log, ["close"]);
    assertEquals(conn.calls, ["setNoDelay true", "close"]);
  });

  test(`DenoTransport's ${how} ends a paused reading`, async () => {
    const { conn, transport, events } = makeTransport();
    transport.pause();
    await conn.endRead(1);
    transport[how]();
    await turns();
    assertEquals(events.log, ["data 01", "close"]);
    assertEquals(conn.reads.length, 1);
  });
}

test("DenoTransport without a handler can be closed", () => {
  const conn = new FakeConn();
  new DenoTransport(conn).close();
  assertEquals(conn.calls, ["setNoDelay true", "close"]);
});

test("DenoTransport reads no further when data closes it", async () => {
  const { conn, transport, events } = makeTransport();
  events.onEvent = () => transport.close();
  await conn.endRead(1);
  assertEquals(events.log, ["data 01", "close"]);
  assertEquals(conn.isReading, false);
});

test("DenoTransport returns its large buffer when it is closed, whatever its next read waits for", async () => {
  const large = new Uint8Array(260 * 1024);
  let lent = 0;
  onTestEnd(() => setLargeBuffers(NO_LARGE_BUFFERS));
  setLargeBuffers({
    acquire: () => lent++ === 0 ? large : undefined,
    release: (buffer) => {
      assert(buffer === large);
      lent = 0;
    },
  });
  /** A transport that reads into the large buffer. */
  const start = async () => {
    const { conn, transport } = makeTransport();
    while (conn.reads.at(-1) !== large.length) await conn.endReadWith(conn.reads.at(-1)!);
    return { conn, transport };
  };
  const reading = await start();
  assertEquals([reading.transport.heldBytes, lent], [large.length, 1]);
  reading.transport.close();
  await turns(1);
  assertEquals([reading.transport.heldBytes, lent], [0, 0]);

  const paused = await start();
  paused.transport.pause();
  await paused.conn.endReadWith(large.length);
  assertEquals([paused.conn.isReading, lent], [false, 1]);
  paused.transport.close();
  await turns(1);
  assertEquals(lent, 0);

  // The time of the turn is spent, so the next read waits for the next turn.
  const waiting = await start();
  setTurnBudget(4);
  waiting.transport.handler = {
    drain() {},
    end() {},
    close() {},
    data: () => block(40),
  };
  const ended = waiting.conn.endReadWith(large.length);
  for (let i = 0; i < 3; i++) await Promise.resolve();
  assertEquals([waiting.conn.isReading, lent], [false, 1]);
  waiting.transport.close();
  assertEquals([waiting.transport.heldBytes, lent], [0, 0]);
  await ended;
  await turns(1);
  assertEquals(waiting.conn.isReading, false);
});
