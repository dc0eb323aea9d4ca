import { RequestBodyDecoder } from "../../src/http/request_body.ts";
import { RequestBody } from "../../src/server/request_body.ts";
import { assert, assertEquals, assertRejects, assertThrows, test } from "../harness.ts";
import { latin1 as bytes } from "../support/bytes.ts";
import { turns } from "../support/open.ts";

/** Makes a body, and logs what it asks of its connection. */
function makeBody(length: number | "chunked", early = "") {
  const log: string[] = [];
  const decoder = new RequestBodyDecoder(length, { maxBodySize: 100 });
  if (early !== "") decoder.push(bytes(early));
  const body = new RequestBody(decoder, decoder.data, {
    bodyWanted: () => log.push("wanted"),
    bodyCancelled: () => log.push("cancelled"),
  });
  return { body, log, reader: () => body.stream.getReader() };
}

test("RequestBody asks for data when it is read, and not before", async () => {
  const { body, log, reader } = makeBody(4);
  await turns();
  assertEquals([log, body.isWanted, body.isUsed], [[], false, false]);
  const read = reader().read();
  await turns();
  assertEquals([log, body.isWanted, body.isUsed], [["wanted"], true, true]);
  assertEquals(body.receive(bytes("ab"), false), bytes(""));
  assertEquals((await read).value, bytes("ab"));
  await turns();
  assertEquals([log, body.isWanted], [["wanted"], false]);
});

test("RequestBody gives the data that was received with the head first", async () => {
  const { body, log, reader } = makeBody(4, "ab");
  assertEquals(body.bufferedBytes, 2);
  const stream = reader();
  assertEquals((await stream.read()).value, bytes("ab"));
  assertEquals([body.bufferedBytes, log], [0, []]);
  const read = stream.read();
  await turns();
  assertEquals(log, ["wanted"]);
  assertEquals(body.receive(bytes("cdGET"), false), bytes("GET"));
  assertEquals((await read).value, bytes("cd"));
  assertEquals([(await stream.read()).done, body.isComplete], [true, true]);
});

test("RequestBody copies chunks that are lent, and parts of larger ones", async () => {
  const { body, reader } = makeBody("chunked");
  const stream = reader();
  for (const isOwn of [false, true]) {
    const read = stream.read();
    const chunk = bytes("2\r\nab\r\n");
    body.receive(chunk, isOwn);
    chunk.fill(0);
    assertEquals((await read).value, bytes("ab"));
  }
  const whole = makeBody(3);
  const read = whole.reader().read();
  const own = bytes("abc");
  whole.body.receive(own, true);
  assert((await read).value!.buffer === own.buffer);
});

test("RequestBody waits for more where a chunk has framing alone", async () => {
  const { body, reader } = makeBody("chunked");
  const read = reader().read();
  await turns();
  body.receive(bytes("2;a"), false);
  assertEquals(body.isWanted, true);
  body.receive(bytes("=b\r\nxy"), false);
  assertEquals((await read).value, bytes("xy"));
});

test("RequestBody fails with the error, unless it is complete", async () => {
  const error = new Error("lost");
  const { body, reader } = makeBody(4, "ab");
  const stream = reader();
  body.fail(error);
  assert(await assertRejects(() => stream.read()) === error);
  const complete = makeBody(2);
  const read = complete.reader();
  const first = read.read();
  complete.body.receive(bytes("ab"), false);
  complete.body.fail(error);
  assertEquals((await first).value, bytes("ab"));
  assertEquals((await read.read()).done, true);
});

test("RequestBody tells of a cancellation, and drops what is received then", async () => {
  const { body, log } = makeBody(4);
  await body.stream.cancel();
  assertEquals([log, body.isUsed, body.isWanted], [["cancelled"], true, false]);
  assertEquals(body.receive(bytes("abcdx"), false), bytes("x"));
  assertEquals(body.isComplete, true);
});

test("RequestBody throws for a body that is malformed or too large", () => {
  assertThrows(() => makeBody("chunked").body.receive(bytes("x\r\n"), false), Error, "chunk");
  const { body } = makeBody("chunked");
  assertThrows(() => body.receive(bytes("ff\r\n"), false), Error);
});

test("RequestBody collects the whole body, of chunks that are its own or lent", async () => {
  for (const length of [9, "chunked"] as const) {
    for (const owns of [[true, true, true], [false, false, false], [true, false, true]]) {
      const { body, log } = makeBody(length, length === 9 ? "abc" : "3\r\nabc\r\n");
      const collected = body.collect();
      assertEquals([log, body.isWanted, body.isUsed], [["wanted"], true, true]);
      const pieces = length === 9
        ? ["d", "ef", "ghi"]
        : ["1\r\nd\r\n2\r\n", "ef\r\n", "3\r\nghi\r\n0\r\n\r\n"];
      pieces.forEach((piece, i) => {
        const chunk = bytes(i === 2 ? `${piece}GET` : piece);
        assertEquals(body.receive(chunk, owns[i]!), bytes(i === 2 ? "GET" : ""));
        if (!owns[i]) chunk.fill(0);
      });
      assertEquals(await collected, bytes("abcdefghi"));
      assertEquals([body.isWanted, body.isComplete], [false, true]);
    }
  }
});

test("RequestBody does not allocate an announced length before a part has been received", async () => {
  const length = 16_777_216;
  const decoder = new RequestBodyDecoder(length);
  const source = { bodyWanted: () => {}, bodyCancelled: () => {} };
  const body = new RequestBody(decoder, decoder.data, source);
  const collected = body.collect();
  const sizes: number[] = [];
  const { set } = Uint8Array.prototype;
  Uint8Array.prototype.set = function (...args) {
    sizes.push(this.length);
    return set.apply(this, args);
  };
  try {
    body.receive(new Uint8Array(10), false);
  } finally {
    Uint8Array.prototype.set = set;
  }
  assert(Math.max(...sizes) <= 160, `${sizes}`);
  body.receive(new Uint8Array(length - 10), false);
  assertEquals((await collected).length, length);
});

test("RequestBody's collect() fails with the body, before and after it", async () => {
  const error = new Error("gone");
  const before = makeBody(4).body;
  before.fail(error);
  assertEquals(await assertRejects(() => before.collect()), error);
  assertEquals(await assertRejects(() => before.stream.getReader().read()), error);
  const { body } = makeBody(4);
  const collected = body.collect();
  body.fail(error);
  assertEquals(await assertRejects(() => collected), error);
});
