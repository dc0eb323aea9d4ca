import { FrameParser } from "../../src/protocol/frame_parser.ts";
import type { Frame } from "../../src/protocol/frame.ts";
import { assert, assertEquals, assertThrows, hex, test, toHex } from "../harness.ts";

/** A client's parser whose frames are kept. */
function makeParser(chunks: "kept" | "given" | "lent") {
  const frames: Frame[] = [];
  const enqueue = (frame: Frame) => void frames.push(frame);
  return { parser: new FrameParser({ role: "client", chunks }), frames, enqueue };
}

test("FrameParser copies a chunk that is kept or lent, and views one that is given", () => {
  for (const chunks of ["kept", "lent", "given"] as const) {
    const { parser, frames, enqueue } = makeParser(chunks);
    const chunk = hex("82 02 07 08 89 01 09");
    parser.transform(chunk, { enqueue });
    const isView = chunks === "given";
    assertEquals(frames.map(({ payload }) => payload.buffer === chunk.buffer), [isView, isView]);
    chunk.fill(0);
    if (!isView) assertEquals(frames.map(({ payload }) => toHex(payload)), ["07 08", "09"]);
  }
});

test("FrameParser joins a control frame that arrives in pieces, and ends with a Close", () => {
  const { parser, frames, enqueue } = makeParser("kept");
  for (const piece of ["89 03 01", "02", "03 88 02 03", "e8 82 01 01"]) {
    parser.transform(hex(piece), { enqueue });
  }
  parser.transform(hex("82 01 01"), { enqueue });
  parser.flush();
  assertEquals(frames.map(({ payload }) => toHex(payload)), ["01 02 03", "03 e8"]);
});

test("FrameParser throws if a payload's buffer has been transferred with later frames", () => {
  const { parser } = makeParser("given");
  const enqueue = (frame: Frame) => void (frame.payload.buffer as ArrayBuffer).transfer();
  const error = assertThrows(
    () => parser.transform(hex("82 01 01 82 01 02"), { enqueue }),
    TypeError,
  );
  assert(error.message.includes("expected that of message.slice()"), error.message);
  parser.transform(hex("83"), { enqueue: () => assert(false, "bytes after an error are ignored") });
});
