import { memoryPair } from "../../src/transport/memory_transport.ts";
import { assertEquals, test } from "../harness.ts";
import { watch } from "../support/events.ts";
import { turns } from "../support/open.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

test("memoryPair carries bytes both ways, and never within the call", async () => {
  const [a, b] = memoryPair();
  const [atA, atB] = [watch(a), watch(b)];
  assertEquals(a.write(bytes(1, 2)), true);
  assertEquals(b.write(bytes(3)), true);
  assertEquals([atA.log, atB.log], [[], []]);
  await turns();
  a.write(bytes(4));
  await turns();
  assertEquals([atA.log, atB.log], [["data 03"], ["data 01 02", "data 04"]]);
});

test("memoryPair's bytes are copied within write()", async () => {
  const [a, b] = memoryPair();
  const atB = watch(b);
  const buffer = bytes(1);
  a.write(buffer);
  buffer[0] = 9;
  await turns();
  assertEquals(atB.log, ["data 01"]);
});

test("memoryPair's write keeps what is beyond the capacity until the other end reads", async () => {
  const [a, b] = memoryPair({ capacity: 3 });
  const atA = watch(a);
  assertEquals(a.write(bytes(1, 2)), true);
  assertEquals(a.write(bytes(3, 4, 5, 6, 7, 8)), false);
  await turns();
  assertEquals(atA.log, []);
  const atB = watch(b);
  await turns();
  assertEquals(atB.log.join(" ").replaceAll("data ", ""), "01 02 03 04 05 06 07 08");
  assertEquals(atA.log, ["drain"]);
  assertEquals(atA.parts, 2);
});

test("memoryPair's ends behave each in its own way", async () => {
  const [a, b] = memoryPair({ maxChunk: 1 }, { capacity: 2 });
  const [atA, atB] = [watch(a), watch(b)];
  assertEquals(a.write(bytes(1, 2, 3)), true);
  assertEquals(b.write(bytes(1, 2, 3)), false);
  await turns();
  assertEquals(atB.told, ["data 01", "data 02", "data 03"]);
  assertEquals(atA.log, ["data 01 02", "data 03"]);
});

test("memoryPair holds what comes before there is a handler, and follows a new one", async () => {
  const [a, b] = memoryPair();
  a.write(bytes(1));
  a.shutdown();
  await turns();
  const first = watch(b);
  const second = watch(b);
  await turns();
  assertEquals([first.log, second.log], [[], ["data 01", "end"]]);
});

test("memoryPair's lent chunks are overwritten when they have been read", async () => {
  const [a, b] = memoryPair({}, { lendsChunks: true });
  assertEquals([a.lendsChunks, b.lendsChunks], [false, true]);
  const chunks: Uint8Array[] = [];
  const events = watch(b);
  const data = events.data.bind(events);
  events.data = (chunk) => {
    chunks.push(chunk);
    data(chunk);
  };
  a.write(bytes(1, 2));
  await turns();
  assertEquals(events.log, ["data 01 02"]);
  assertEquals(chunks, [bytes(0xff, 0xff)]);
});

test("memoryPair's pause holds data and end back until resume", async () => {
  const [a, b] = memoryPair();
  const atB = watch(b);
  b.pause();
  a.write(bytes(1));
  a.shutdown();
  await turns();
  assertEquals(atB.log, []);
  b.resume();
  await turns();
  assertEquals(atB.log, ["data 01", "end"]);
});

test("memoryPair's stall lets nothing arrive until unstall", async () => {
  const [a, b] = memoryPair();
  const [atA, atB] = [watch(a), watch(b)];
  a.stall();
  a.write(bytes(1));
  a.shutdown();
  b.write(bytes(2));
  await turns();
  assertEquals([atA.log, atB.log], [["data 02"], []]);
  a.unstall();
  await turns();
  assertEquals(atB.log, ["data 01", "end"]);
});

test("memoryPair's shutdown ends one direction, after all that has been written", async () => {
  const [a, b] = memoryPair({ capacity: 1 });
  const [atA, atB] = [watch(a), watch(b)];
  a.write(bytes(1, 2));
  a.shutdown();
  a.shutdown();
  assertEquals(a.write(bytes(9)), true, "and goes nowhere");
  await turns();
  assertEquals(atB.log, ["data 01", "data 02", "end"]);
  b.write(bytes(3));
  b.shutdown();
  await turns();
  assertEquals(atA.told, ["data 03", "end"]);
  assertEquals([a.isClosed, b.isClosed], [false, false]);
});

test("memoryPair's close is told of here at once, and there as an end", async () => {
  const [a, b] = memoryPair({ capacity: 2 });
  const [atA, atB] = [watch(a), watch(b)];
  b.write(bytes(7, 8, 9));
  a.write(bytes(1, 2, 3));
  a.close();
  a.close();
  assertEquals(atA.log, ["close"]);
  assertEquals(a.write(bytes(4)), true);
  await turns();
  assertEquals(atA.log, ["close"], "nothing comes after a close");
  assertEquals(atB.log, ["data 01 02", "end"], "what a write kept is dropped");
  b.close();
  assertEquals(atB.log.at(-1), "close");
  assertEquals([a.isClosed, b.isClosed], [true, true]);
});

test("memoryPair answers a write to a closed end with a reset", async () => {
  const [a, b] = memoryPair();
  const atB = watch(b);
  a.close();
  await turns();
  assertEquals(b.write(bytes(1)), true);
  await turns();
  assertEquals(atB.log, ["end", "close Error: Connection reset by peer"]);
});

test("memoryPair's reset is told of at both ends, and loses what is under way", async () => {
  const [a, b] = memoryPair();
  const [atA, atB] = [watch(a), watch(b)];
  a.write(bytes(1));
  a.reset(new Error("cut"));
  a.reset();
  assertEquals(atA.log, ["close"]);
  await turns();
  assertEquals(atB.log, ["close Error: cut"]);
});

test("memoryPair's abort is a reset", async () => {
  const [a, b] = memoryPair();
  const atB = watch(b);
  a.abort();
  a.resume();
  await turns();
  assertEquals(atB.log, ["close Error: Connection reset by peer"]);
});

test("memoryPair's ends know each other's address", () => {
  const addr = { transport: "tcp", hostname: "10.0.0.1", port: 5 } as const;
  const [a, b] = memoryPair({ addr }, {});
  assertEquals([a.localAddr, b.remoteAddr], [addr, addr]);
  assertEquals(a.remoteAddr, b.localAddr);
});
