// BunTransport over a Bun socket of the test's own making, on either runtime. The real one's turn is
// in sockets_test.ts.
import { bunSocketHandler } from "../../src/transport/bun_listen.ts";
import type { BunSocket, BunSocketHandler } from "../../src/transport/bun_transport.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { turnBudget } from "../../src/transport/turn_budget.ts";
import { assertEquals, eventually, onTestEnd, test, toHex } from "../harness.ts";
import { watch } from "../support/events.ts";
import type { Events } from "../support/events.ts";
import { turns } from "../support/open.ts";
import { setTurnBudget } from "../support/turn_budget.ts";

/** A Bun socket that writes down what is asked of it. */
class FakeSocket implements BunSocket {
  data: unknown;
  readonly localAddress = "127.0.0.1";
  readonly localPort = 1;
  remoteAddress: string | undefined = "127.0.0.2";
  readonly remotePort = 2;
  readonly calls: string[] = [];
  /** How many bytes each of the next writes takes; all of them where nothing is left here. */
  readonly takes: number[] = [];

  write(bytes: Uint8Array): number {
    this.calls.push(`write ${toHex(bytes)}`);
    return this.takes.shift() ?? bytes.length;
  }

  shutdown(): void {
    this.calls.push("shutdown");
  }
  end(): void {
    this.calls.push("end");
  }
  terminate(): void {
    this.calls.push("terminate");
  }
  pause(): void {
    this.calls.push("pause");
  }
  resume(): void {
    this.calls.push("resume");
  }
  setNoDelay(noDelay: boolean): boolean {
    this.calls.push(`setNoDelay ${noDelay}`);
    return true;
  }
}

/** A transport made by a handler's `open`; `calls` without its first, `setNoDelay`. */
function openTransport(path?: string) {
  const socket = new FakeSocket();
  let transport: Transport | undefined;
  const handler = bunSocketHandler((opened) => transport = opened, path);
  handler.open(socket);
  return { socket, handler, transport: transport! };
}

/** The same, with a handler. */
function watched(): {
  socket: FakeSocket;
  handler: BunSocketHandler;
  transport: Transport;
  events: Events;
} {
  const opened = openTransport();
  opened.socket.calls.length = 0;
  return { ...opened, events: watch(opened.transport) };
}

const bytes = (...values: number[]) => new Uint8Array(values);

test("BunTransport turns Nagle's algorithm off, and tells its addresses", () => {
  const { socket, transport } = openTransport();
  assertEquals(socket.calls, ["setNoDelay true"]);
  assertEquals(transport.localAddr, { transport: "tcp", hostname: "127.0.0.1", port: 1 });
  assertEquals(transport.remoteAddr, { transport: "tcp", hostname: "127.0.0.2", port: 2 });
  assertEquals(transport.lendsChunks, false);
});

test("BunTransport of a Unix socket has its path, and no Nagle", () => {
  const { socket, transport } = openTransport("/run/x");
  assertEquals(socket.calls, []);
  assertEquals(transport.localAddr, { transport: "unix", path: "/run/x" });
  assertEquals(transport.remoteAddr, { transport: "unix", path: "/run/x" });
});

test("BunTransport tells of data, end and close", () => {
  const { socket, handler, events } = watched();
  handler.data(socket, bytes(1));
  handler.end(socket);
  handler.close(socket, new Error("why"));
  handler.data(socket, bytes(2));
  handler.end(socket);
  handler.close(socket);
  handler.drain(socket);
  assertEquals(events.log, ["data 01", "end", "close Error: why"]);
});

test("BunTransport keeps what the kernel does not take, and goes on when it drains", () => {
  const { socket, handler, transport, events } = watched();
  assertEquals(transport.write(bytes(1, 2)), true);
  handler.drain(socket);
  assertEquals(events.log, [], "nothing was kept");
  socket.takes.push(1, 0, 2);
  assertEquals(transport.write(bytes(3, 4, 5, 6)), false);
  transport.shutdown();
  for (const parts of [0, 1, 1]) {
    handler.drain(socket);
    assertEquals(events.parts, parts, "as often as the kernel has taken some");
  }
  assertEquals(socket.calls, [
    "write 01 02",
    "write 03 04 05 06",
    "write 04 05 06",
    "write 04 05 06",
    "write 06",
    "shutdown",
  ]);
  assertEquals(events.log, ["drain"]);
});

test("BunTransport's write to a socket that is closed waits for its close", () => {
  const { socket, handler, transport, events } = watched();
  socket.takes.push(-1, -1);
  assertEquals(transport.write(bytes(1)), false);
  handler.drain(socket);
  assertEquals(events.log, []);
  handler.close(socket);
  assertEquals(events.log, ["close"]);
  assertEquals(transport.write(bytes(2)), true);
  assertEquals(socket.calls, ["write 01", "write 01"]);
});

test("BunTransport's shutdown is at once where nothing is kept", () => {
  const { socket, transport } = watched();
  transport.shutdown();
  assertEquals(socket.calls, ["shutdown"]);
});

test("BunTransport pauses and resumes, once each", () => {
  const { socket, transport } = watched();
  transport.resume();
  transport.pause();
  transport.pause();
  transport.resume();
  transport.resume();
  assertEquals(socket.calls, ["pause", "resume"]);
});

for (const [how, call] of [["close", "end"], ["abort", "terminate"]] as const) {
  test(`BunTransport's ${how} is told of once, without an error`, () => {
    const { socket, handler, transport, events } = watched();
    socket.takes.push(0);
    transport.write(bytes(1));
    transport[how]();
    transport[how]();
    handler.close(socket, new Error("late"));
    handler.drain(socket);
    transport.pause();
    transport.resume();
    transport.shutdown();
    assertEquals(events.log, ["close"]);
    assertEquals(socket.calls, ["write 01", call]);
  });
}

test("BunTransport closes its socket where a callback has failed", () => {
  const { socket, handler, events } = watched();
  handler.error(socket, new Error("oops"));
  assertEquals(socket.calls, ["terminate"]);
  assertEquals(events.log, ["close Error: oops"]);
  handler.error(socket, new Error("again"));
  assertEquals(events.log.length, 1);
});

test("BunTransport holds what comes before there is a handler, and holds the peer back", async () => {
  const { socket, handler, transport } = openTransport();
  handler.data(socket, bytes(1));
  handler.data(socket, bytes(2));
  assertEquals(socket.calls.slice(1), ["pause"]);
  handler.end(socket);
  const events = watch(transport);
  assertEquals(events.log, [], "never within the call");
  await turns();
  assertEquals(events.log, ["data 01", "data 02", "end"]);
  assertEquals(socket.calls.slice(1), ["pause", "resume"]);
  handler.close(socket);
  assertEquals(events.log.at(-1), "close");
});

test("BunTransport keeps the order of what comes before and after the handler", async () => {
  const { socket, handler, transport } = openTransport();
  handler.data(socket, bytes(1));
  const events = watch(transport);
  handler.data(socket, bytes(2));
  handler.close(socket, new Error("why"));
  await turns();
  assertEquals(events.log, ["data 01", "data 02", "close Error: why"]);
});

test("BunTransport tells a handler that comes late of a close", async () => {
  const { socket, handler, transport } = openTransport();
  handler.close(socket, new Error("why"));
  const events = watch(transport);
  await turns();
  assertEquals(events.log, ["close Error: why"]);
});

test("BunTransport's handler may close it on what came early", async () => {
  const { socket, handler, transport } = openTransport();
  handler.data(socket, bytes(1));
  handler.data(socket, bytes(2));
  handler.end(socket);
  const events = watch(transport);
  events.onEvent = (event) => event === "data 01" && transport.close();
  await turns();
  assertEquals(events.log, ["data 01", "close"]);
  assertEquals(socket.calls.slice(1), ["pause", "end"]);
});

test("BunTransport's handler may be replaced, and pause, on what came early", async () => {
  const { socket, handler, transport } = openTransport();
  handler.data(socket, bytes(1));
  handler.data(socket, bytes(2));
  const first = watch(transport);
  let second: Events | undefined;
  first.onEvent = () => {
    second = watch(transport);
    transport.pause();
  };
  await turns();
  assertEquals([first.log, second?.log], [["data 01"], ["data 02"]]);
  assertEquals(socket.calls.includes("resume"), false, "it stays paused");
  transport.resume();
  assertEquals(socket.calls.at(-1), "resume");
});

test("a Bun socket whose peer has reset it before it is accepted, and has no address, is dropped", () => {
  for (const address of [undefined, ""]) {
    const socket = new FakeSocket();
    socket.remoteAddress = address;
    let count = 0;
    const handler = bunSocketHandler(() => count++);
    handler.open(socket);
    assertEquals([count, socket.calls.at(-1)], [0, "terminate"]);
    handler.data(socket, bytes(1));
    handler.end(socket);
    handler.close(socket, new Error("reset"));
    assertEquals(count, 0);
  }
  const unix = new FakeSocket();
  unix.remoteAddress = undefined;
  const opened: Transport[] = [];
  bunSocketHandler((transport) => opened.push(transport), "/tmp/x").open(unix);
  assertEquals(opened[0].remoteAddr, { transport: "unix", path: "/tmp/x" });
});

test("BunTransport lets the other sockets have their turn after a large chunk", async () => {
  const { socket, handler, transport, events } = watched();
  const large = new Uint8Array(256 * 1024);
  handler.data(socket, large.subarray(1));
  assertEquals(socket.calls, []);
  handler.data(socket, large);
  assertEquals(socket.calls, ["pause"]);
  await eventually(() => socket.calls.length === 2, 1000, "resumed");
  assertEquals(socket.calls, ["pause", "resume"]);
  // The handler's own pause holds until it resumes.
  handler.data(socket, large);
  transport.pause();
  await turns();
  assertEquals(socket.calls, ["pause", "resume", "pause"]);
  transport.resume();
  // On a busy machine, Deno's turn may not have come yet.
  await eventually(() => socket.calls.length === 4, 1000, "resumed by the handler");
  assertEquals(socket.calls, ["pause", "resume", "pause", "resume"]);
  handler.data(socket, large);
  transport.pause();
  transport.resume();
  await eventually(() => socket.calls.length === 6, 1000, "resumed again");
  assertEquals(socket.calls.slice(4), ["pause", "resume"]);
  assertEquals(events.received, 4 * large.length - 1);
});

test("BunTransport reads on after a large chunk in turn with others, while many wait with theirs", async () => {
  setTurnBudget(Infinity);
  let turn = 0;
  let cancels: (() => void)[] = [];
  const wait = (): void => {
    turn++;
    cancels = Array.from({ length: 8 }, (_, i) => turnBudget.wait(i === 0 ? wait : () => {}));
  };
  onTestEnd(() => cancels.forEach((cancel) => cancel()));
  wait();
  const resumedIn: number[] = [];
  for (let i = 0; i < 3; i++) {
    const { socket, handler } = watched();
    socket.resume = () => resumedIn.push(turn);
    handler.data(socket, new Uint8Array(256 * 1024));
  }
  await eventually(() => resumedIn.length === 3, 1000, "resumed");
  assertEquals(resumedIn, [2, 3, 4]);
});

test("BunTransport writes some bytes without keeping the others", () => {
  const { socket, handler, transport } = watched();
  socket.takes.push(2, -1);
  assertEquals(transport.writeSome!(bytes(1, 2, 3)), 2);
  handler.drain(socket);
  assertEquals(transport.writeSome!(bytes(3)), 0, "a closed socket");
  assertEquals(socket.calls, ["write 01 02 03", "write 03"]);
  transport.close();
  assertEquals(transport.writeSome!(bytes(3)), 0);
  assertEquals(socket.calls, ["write 01 02 03", "write 03", "end"]);
});
