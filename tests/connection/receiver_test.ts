import { ConnectionCounters } from "../../src/connection/counters.ts";
import { resolveLimits } from "../../src/connection/limits.ts";
import type { Limits } from "../../src/connection/limits.ts";
import { Receiver } from "../../src/connection/receiver.ts";
import type { ReceiverCore } from "../../src/connection/receiver_core.ts";
import type { ExtensionInUse } from "../../src/extensions/extension.ts";
import { InvalidPayloadError } from "../../src/protocol/errors.ts";
import type { Frame, Role } from "../../src/protocol/frame.ts";
import type { Message, MessagePart } from "../../src/protocol/message.ts";
import { timers } from "../../src/util/timers.ts";
import { makeDeflate } from "../extensions/deflate_helpers.ts";
import { assert, assertEquals, hex, test } from "../harness.ts";
import { deflated, RSV1 } from "../support/deflate.ts";
import { rawFrame } from "../support/frames.ts";
import { turns } from "../support/open.ts";

/** A connection that takes what is received, and does as it is told. */
class FakeCore {
  readonly settings: ReceiverCore["settings"];
  /** The messages, the parts, and the other calls. */
  readonly taken: unknown[] = [];
  readonly flow: string[] = [];
  readonly transport = {
    lendsChunks: false,
    pause: () => void this.flow.push("pause"),
    resume: () => void this.flow.push("resume"),
  };
  readonly keepalive = { paused() {}, resumed() {} };
  readonly sender = { isFull: false };
  readonly readers = { onFull() {} };
  readonly consumer = {
    isFull: false,
    isIdle: true,
    mayReply: false,
    memoryUsage: 0,
    message: (message: Message) => this.taken.push(message) > 0 && !this.consumer.isFull,
    part: ({ data }: MessagePart) => this.taken.push(data) > 0 && !this.consumer.isFull,
    onClose() {},
  };
  readonly socket = undefined;
  isOpen = true;
  isClosing = false;
  isClosed = false;
  isOverBudget = false;
  failure: unknown;
  readonly receiver: Receiver;

  constructor(role: Role = "client", extensions?: ExtensionInUse, limits: Partial<Limits> = {}) {
    const counters = new ConnectionCounters();
    this.settings = { role, limits: resolveLimits(limits), timers, counters };
    this.receiver = new Receiver(this, extensions);
  }

  control({ opcode }: Frame): void {
    this.taken.push(`control ${opcode}`);
  }

  fail(error: unknown): void {
    this.failure ??= error;
  }

  peerEnded(): void {
    this.taken.push("ended");
  }

  /** Whether the time of the event-loop turn is spent. */
  isTurnSpent = false;
  /** Whether the next turn is late. */
  isTurnLate = false;
  /** How often the receiver has called `turn.release()`. */
  released = 0;

  readonly turn = {
    work: 0,
    isSpent: () => this.isTurnSpent,
    wait: (run: () => void) => {
      const timer = setTimeout(run, 0);
      return () => clearTimeout(timer);
    },
    skipWait: () => !this.isTurnLate,
    release: () => void this.released++,
  };

  onTurn(): void {
    this.taken.push("turn");
    this.receiver.resume();
  }

  onIdle(): void {}
  handlerFailed(): void {}
  reportError(): void {}

  /** Receives a chunk, in hexadecimal. */
  receive(bytes: string): void {
    this.receiver.take(hex(bytes));
    this.receiver.afterChunk();
  }
}

/** Text frames of one letter, from a server. */
const [A, B, C] = ["81 01 61", "81 01 62", "81 01 63"];

test("Receiver passes messages and control frames on in their order", () => {
  const core = new FakeCore();
  core.receive(`${A} 89 00 01 01 62`);
  core.receive("80 01 63");
  assertEquals(core.taken, ["a", "control 9", "bc"]);
  assertEquals(core.flow, []);
});

test("Receiver copies a short binary message, and no other", () => {
  const core = new FakeCore();
  core.receive(`82 02 01 02 82 41 ${"07 ".repeat(65)}`);
  const [short, long] = core.taken as Uint8Array[];
  assertEquals([short!.buffer.byteLength, long!.length], [2, 65]);
  assert(long!.buffer.byteLength > 65);
});

test("Receiver fails the connection for a message of one frame over maxMessageSize", () => {
  const core = new FakeCore("client", undefined, { maxMessageSize: 2 });
  core.receive("81 02 61 62 81 03 61 62 63 81 01 64");
  assertEquals(core.taken, ["ab"]);
  assertEquals((core.failure as { code: string }).code, "ERR_MESSAGE_TOO_BIG");
});

test("Receiver keeps what a full consumer has no room for, and pauses with the next chunk", () => {
  const core = new FakeCore();
  core.consumer.isFull = true;
  core.receive(`${A} ${B}`);
  assertEquals([core.taken, core.flow], [["a"], []]);
  assertEquals(core.receiver.hasPendingInput, true);
  core.receive(C);
  assertEquals([core.taken, core.flow], [["a"], ["pause"]]);
  assertEquals(core.receiver.isPausedLocally, true);
  core.receiver.resume();
  assertEquals([core.taken, core.flow], [["a", "b"], ["pause"]]);
  core.consumer.isFull = false;
  core.receiver.resume();
  assertEquals([core.taken, core.flow], [["a", "b", "c"], ["pause", "resume"]]);
  assertEquals(core.receiver.memoryUsage, 0);
});

test("Receiver keeps the rest of a chunk for the next turn if the time of this one is spent", async () => {
  const core = new FakeCore();
  core.isTurnSpent = true;
  core.receive(`${A} ${B}`);
  assertEquals([core.taken, core.flow], [["a"], ["pause"]]);
  core.receiver.resume();
  // A read may have been under way.
  core.receive(C);
  core.receiver.end();
  core.receiver.resume();
  assertEquals([core.taken, core.flow], [["a"], ["pause"]]);
  await turns();
  assertEquals(core.taken, ["a", "turn", "b", "turn", "c", "ended"]);
});

test("Receiver does not wait for the next turn after its last message, unless that turn is late", async () => {
  const core = new FakeCore();
  core.isTurnSpent = true;
  core.receive(A);
  core.receive(B);
  core.receive("81");
  core.receive("01 63");
  assertEquals([core.taken, core.flow], [["a", "b", "c"], []]);
  core.isTurnLate = true;
  core.receive(A);
  assertEquals(core.flow, ["pause"], "the next turn is late");
  core.isTurnLate = false;
  await turns();
  core.consumer.isFull = true;
  core.receive(A);
  assertEquals(core.flow.length, 3, "the consumer is full");
  core.consumer.isFull = false;
  await turns();
  core.receive(`${A} ${B}`);
  assertEquals(core.flow.length, 5, "a message is left");
  await turns();
  core.receive(`${C} 81`);
  assertEquals(core.flow.length, 7, "a part of a message is left");
  await turns();
  assertEquals(core.taken.filter((each) => each !== "turn").join(""), "abcaaabc");
});

test("Receiver.discard releases the next turn", () => {
  const core = new FakeCore();
  core.isTurnSpent = true;
  core.receive(A);
  core.receiver.discard();
  assertEquals([core.taken, core.released], [["a"], 1]);
});

test("Receiver goes on in the next turn where the time was spent, also after our Close", async () => {
  const core = new FakeCore();
  core.isTurnSpent = true;
  core.isOpen = false;
  core.receive(`${A} ${B}`);
  core.isTurnSpent = false;
  core.receive(C);
  assertEquals(core.flow, ["pause"]);
  await turns();
  assertEquals([core.taken, core.flow], [["a", "turn", "b", "c"], ["pause", "resume"]]);
});

test("Receiver stops in the middle of a message that is inflated if the time is spent", async () => {
  const deflate = makeDeflate({});
  const core = new FakeCore("client", deflate);
  core.receiver.streamMessages(core.consumer);
  core.isTurnSpent = true;
  const payload = deflated(new Uint8Array(300_000));
  core.receiver.take(rawFrame({ first: 0x82 | RSV1, payload }, "client"));
  const first = core.taken.length;
  assertEquals(first, 1);
  core.isTurnSpent = false;
  await turns();
  const parts = core.taken.filter((part) => part instanceof Uint8Array) as Uint8Array[];
  assertEquals(parts.reduce((sum, { length }) => sum + length, 0), 300_000);
  assertEquals(core.taken.includes("turn"), true);
});

test("Receiver does not read on when a full consumer resumes it within a message", () => {
  const core = new FakeCore();
  core.consumer.message = (message) => {
    core.receiver.resume();
    core.taken.push(message);
    return false;
  };
  core.receive(`${A} ${B}`);
  core.receive(C);
  assertEquals([core.taken, core.flow], [["a"], ["pause"]]);
  core.receiver.resume();
  assertEquals([core.taken, core.flow], [["a", "b"], ["pause"]]);
  core.receiver.resume();
  core.receiver.resume();
  assertEquals([core.taken, core.flow], [["a", "b", "c"], ["pause", "resume"]]);
});

test("Receiver reads on after a chunk if a consumer has resumed it within", () => {
  const core = new FakeCore();
  core.isOverBudget = true;
  core.receive(A);
  core.isOverBudget = false;
  core.consumer.message = (message) => {
    core.receiver.resume();
    assertEquals(core.flow, ["pause"], "not before the chunk is decoded");
    return core.taken.push(message) > 0;
  };
  core.receive(`${B} ${C}`);
  assertEquals([core.taken, core.flow], [["a", "b", "c"], ["pause", "resume"]]);
});

test("Receiver does not wait for the next turn after a compressed message", () => {
  const core = new FakeCore("client", makeDeflate({}));
  core.isTurnSpent = true;
  const payload = deflated(new Uint8Array(1000));
  core.receiver.take(rawFrame({ first: 0x82 | RSV1, payload }, "client"));
  core.receiver.afterChunk();
  assertEquals([core.taken.length, core.flow], [1, []]);
});

test("Receiver holds nothing back from a full consumer after our Close", () => {
  const core = new FakeCore();
  core.consumer.isFull = true;
  core.isOpen = false;
  core.receive(`${A} ${B}`);
  assertEquals([core.taken, core.receiver.hasPendingInput], [["a", "b"], false]);
});

for (const role of ["server", "client"] as const) {
  test(`Receiver of a ${role}: a full send queue`, () => {
    const core = new FakeCore(role);
    core.sender.isFull = true;
    core.receive(role === "server" ? "81 81 00 00 00 00 61" : A);
    assertEquals(core.taken, ["a"]);
    // A client reads on, or the two ends could wait for each other.
    assertEquals(core.flow, role === "server" ? ["pause"] : []);
    assertEquals(core.receiver.isPausedLocally, false);
    core.receiver.resume();
    assertEquals(core.flow, role === "server" ? ["pause"] : [], "still full");
    core.sender.isFull = false;
    core.receiver.resume();
    assertEquals(core.flow, role === "server" ? ["pause", "resume"] : []);
  });
}

test("Receiver pauses while the memory budget has stopped the connection", () => {
  const core = new FakeCore();
  core.receive(A);
  core.isOverBudget = true;
  core.receiver.onBudgetChange();
  core.receiver.onBudgetChange();
  core.receiver.resume();
  assertEquals(core.flow, ["pause"]);
  core.isOverBudget = false;
  core.receiver.onBudgetChange();
  assertEquals(core.flow, ["pause", "resume"]);
});

test("Receiver reports the end of TCP after the pending input", () => {
  const core = new FakeCore();
  core.consumer.isFull = true;
  core.receive(`${A} ${B}`);
  core.receiver.end();
  assertEquals([core.taken, core.receiver.hasEnded], [["a"], true]);
  core.consumer.isFull = false;
  core.receiver.resume();
  assertEquals(core.taken, ["a", "b", "ended"]);
});

test("Receiver.discard frees what it holds, ignores what follows, and reads to the end", () => {
  const core = new FakeCore();
  core.consumer.isFull = true;
  core.receive(`${A} ${B}`);
  core.receive(C);
  core.receiver.discard();
  core.isOpen = false;
  core.receiver.readToEnd();
  core.receive(A);
  assertEquals([core.taken, core.flow], [["a"], ["pause", "resume"]]);
  assertEquals([core.receiver.memoryUsage, core.receiver.hasPendingInput], [0, false]);
});

test("Receiver streams messages from the next one on, and pauses when the stream is full", () => {
  const core = new FakeCore();
  core.receive("01 01 61");
  core.receiver.streamMessages(core.consumer);
  core.receive("80 01 62 01 01 63");
  assertEquals(core.taken, ["ab", "c"]);
  core.consumer.isFull = true;
  core.receive("80 01 64");
  assertEquals([core.taken, core.flow], [["ab", "c", "d"], ["pause"]]);
  core.consumer.isFull = false;
  core.receiver.resume();
  assertEquals(core.flow, ["pause", "resume"]);
});

test("Receiver holds nothing back, and takes nothing more, after an error behind a pause", () => {
  const core = new FakeCore("client", makeDeflate());
  core.receiver.streamMessages(core.consumer);
  core.consumer.isFull = true;
  // "Hello" in a final block, a block of the type that is an error, a Ping.
  core.receive("c1 08 f3 48 cd c9 c9 07 00 ff 89 00");
  assertEquals(core.taken, ["Hello"]);
  assertEquals(core.receiver.hasPendingInput, true);
  core.receiver.resume();
  assert(core.failure instanceof InvalidPayloadError);
  // Pending input keeps a connection from closing at its peer's end.
  assertEquals(core.receiver.hasPendingInput, false);
  core.receive("81 02 48 69 ff");
  core.receiver.resume();
  assertEquals(core.taken, ["Hello"]);
});
