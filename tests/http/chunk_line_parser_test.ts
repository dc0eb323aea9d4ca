import { ChunkLineParser } from "../../src/http/chunk_line_parser.ts";
import { assertEquals, test } from "../harness.ts";
import { assertRefused, latin1 } from "../handshake/helpers.ts";

/** Parses bytes. Returns the size of each complete line. */
function sizesOf(parser: ChunkLineParser, text: string): number[] {
  const sizes: number[] = [];
  for (const byte of latin1(text)) if (parser.push(byte)) sizes.push(parser.size);
  return sizes;
}

test("ChunkLineParser parses one line after another", () => {
  const parser = new ChunkLineParser(100);
  assertEquals(sizesOf(parser, '5\r\n0aF;a="b"\r\n0\r\n'), [5, 175, 0]);
  assertEquals(sizesOf(parser, "1"), []);
  assertEquals(parser.size, 1);
  assertEquals(sizesOf(parser, "0 ;x\r\n"), [16]);
});

test("ChunkLineParser counts the extensions of all lines together", () => {
  const parser = new ChunkLineParser(5);
  assertEquals(sizesOf(parser, "1;a\r\n1\r\n1;ab\r\n"), [1, 1, 1]);
  assertRefused(() => sizesOf(parser, "1;"), 413, "ERR_HTTP_BODY_TOO_LARGE", "5 bytes");
});
