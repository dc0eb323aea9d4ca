import { CloseHandshake, closeInfo } from "../../src/connection/close_handshake.ts";
import type { CloseHandshakeCore } from "../../src/connection/close_handshake.ts";
import { resolveLimits } from "../../src/connection/limits.ts";
import { encodeClosePayload } from "../../src/protocol/close_code.ts";
import type { FrameInit, Role } from "../../src/protocol/frame.ts";
import { Timers } from "../../src/util/timers.ts";
import { assert, assertEquals, test, toHex } from "../harness.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { turns } from "../support/open.ts";

const CLOSE_1000 = encodeClosePayload(1000);

/** A connection that writes down what its closing handshake does. */
class FakeCore implements CloseHandshakeCore {
  readonly clock = new FakeClock();
  readonly settings: CloseHandshakeCore["settings"];
  readonly log: string[] = [];
  readonly transport = {
    shutdown: () => void this.log.push("shutdown"),
    close: () => void this.log.push("close"),
    abort: () => void this.log.push("abort"),
  };
  readonly sender = {
    queuedBytes: 0,
    enqueue: ({ payload }: FrameInit) => void this.log.push(`send ${toHex(payload!)}`),
  };
  isIdle = true;
  mayReply = false;
  hasFailed = false;
  hasEnded = false;
  isClosed = false;
  readonly handshake: CloseHandshake;

  constructor(role: Role = "server") {
    const limits = resolveLimits({ closeTimeout: 1000 });
    this.settings = { role, limits, timers: new Timers(this.clock) };
    this.handshake = new CloseHandshake(this);
  }

  sendClose(payload: Uint8Array): void {
    this.handshake.send(payload);
    this.handshake.advance();
  }

  receive(closeCode = 1000): void {
    this.handshake.receive({ closeCode, reason: "" });
  }
}

test("CloseHandshake of a server goes through its phases after our Close", () => {
  const core = new FakeCore();
  const { handshake } = core;
  assertEquals([handshake.phase, handshake.isSent], [undefined, false]);
  core.sender.queuedBytes = 4;
  core.sendClose(CLOSE_1000);
  assertEquals([handshake.phase, handshake.isSent], ["flushing", true]);
  core.sender.queuedBytes = 0;
  handshake.advance();
  assertEquals(handshake.phase, "awaiting-close");
  core.receive();
  assertEquals(handshake.phase, "awaiting-eof");
  core.hasEnded = true;
  handshake.advance();
  handshake.close();
  assertEquals(handshake.phase, undefined);
  assertEquals(core.log, ["send 03 e8", "shutdown", "close"]);
});

test("CloseHandshake of a client leaves the end of TCP to the server", () => {
  const core = new FakeCore("client");
  core.receive(3000);
  assertEquals(core.log, ["send 0b b8"]);
  assertEquals(core.handshake.phase, "awaiting-eof");
  core.hasEnded = true;
  core.handshake.advance();
  assertEquals(core.log, ["send 0b b8", "close"]);
  core.handshake.close();
});

test("CloseHandshake answers a Close without a code with an empty one", () => {
  const core = new FakeCore();
  core.receive(1005);
  assertEquals(core.log, ["send ", "shutdown"]);
  core.handshake.close();
});

test("CloseHandshake waits for the consumer before it answers, and for the end of its turn", async () => {
  const core = new FakeCore();
  core.isIdle = false;
  core.mayReply = true;
  core.receive();
  assertEquals(core.handshake.phase, "awaiting-consumer");
  core.mayReply = false;
  core.handshake.onIdle();
  core.mayReply = true; // It has taken another message.
  await turns();
  assertEquals([core.handshake.phase, core.log], ["awaiting-consumer", []]);
  core.mayReply = false;
  core.handshake.onIdle();
  await turns();
  assertEquals(core.log, ["send 03 e8", "shutdown"]);
  core.handshake.close();
});

test("CloseHandshake answers when the consumer has taken 80 % of closeTimeout", () => {
  const core = new FakeCore();
  core.isIdle = false;
  core.mayReply = true;
  core.receive();
  core.clock.advance(750);
  assertEquals(core.log, []);
  core.clock.advance(100);
  assertEquals(core.log, ["send 03 e8", "shutdown"]);
  core.handshake.close();
});

for (const phase of ["flushing", "awaiting-close", "awaiting-eof"] as const) {
  test(`CloseHandshake aborts when "${phase}" has taken closeTimeout`, () => {
    const core = new FakeCore();
    if (phase === "flushing") core.sender.queuedBytes = 4;
    core.sendClose(CLOSE_1000);
    if (phase === "awaiting-eof") core.receive();
    assertEquals(core.handshake.phase, phase);
    core.clock.advance(600);
    core.handshake.advance(); // Begins no wait anew.
    core.handshake.onProgress();
    core.clock.advance(600);
    const isAborted = core.log.includes("abort");
    assertEquals(isAborted, phase !== "flushing", "progress is for the send queue");
    core.clock.advance(600);
    assert(core.log.includes("abort"));
    core.handshake.close();
  });
}

test("CloseHandshake of a failed connection does not wait for the peer's Close", () => {
  const core = new FakeCore("client");
  core.hasFailed = true;
  core.sendClose(encodeClosePayload(1002));
  assertEquals(core.handshake.phase, "awaiting-eof");
  assertEquals(core.log, ["send 03 ea", "shutdown"]);
  core.handshake.close();
});

test("CloseHandshake begins no wait anew for a Pong after our Close", () => {
  const core = new FakeCore();
  core.sendClose(CLOSE_1000);
  core.sender.queuedBytes = 2;
  core.handshake.advance();
  assertEquals(core.handshake.phase, "awaiting-close");
  core.handshake.close();
});

test("closeInfo is clean if both Close frames went through and nothing failed", () => {
  const core = new FakeCore();
  const none = { closeCode: 1006, reason: "", wasClean: false };
  assertEquals(closeInfo(undefined, 0, undefined, undefined), none);
  core.receive(1001);
  const both = { closeCode: 1001, reason: "", wasClean: true };
  const error = new Error("reset");
  assertEquals(closeInfo(core.handshake, 0, undefined, error), both);
  assertEquals(closeInfo(core.handshake, 4, undefined, error), { ...both, wasClean: false, error });
  const failure = new Error("failed");
  assertEquals(closeInfo(core.handshake, 0, failure, error), {
    ...both,
    wasClean: false,
    error: failure,
  });
  core.handshake.close();
});
