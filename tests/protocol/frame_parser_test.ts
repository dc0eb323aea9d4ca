import { FrameParser } from "../../src/protocol/frame_parser.ts";
import type { Frame } from "../../src/protocol/frame.ts";
import { assert, assertEquals, assertThrows, hex, test, toHex } from "../harness.ts";

/** A client's parser whose frames are kept. */
function parser(chunks: "kept" | "given" | "lent") {
  const frames: Frame[] = [];
  const enqueue = (frame: Frame) => void frames.push(frame);
  return { parser: new FrameParser({ role: "client", chunks }), frames, enqueue };
}

test("FrameParser copies a chunk that is kept or lent, and views one that is given", () => {
  for (const chunks of ["kept", "lent", "given"] as const) {
    const { parser: each, frames, enqueue } = parser(chunks);
    const chunk = hex("82 02 07 08 89 01 09");
    each.transform(chunk, { enqueue });
    const isView = chunks === "given";
    assertEquals(frames.map(({ payload }) => payload.buffer === chunk.buffer), [isView, isView]);
    chunk.fill(0);
    if (!isView) assertEquals(frames.map(({ payload }) => toHex(payload)), ["07 08", "09"]);
  }
});

test("FrameParser joins a control frame that arrives in pieces, and ends with a Close", () => {
  const { parser: each, frames, enqueue } = parser("kept");
  for (const piece of ["89 03 01", "02", "03 88 02 03", "e8 82 01 01"]) {
    each.transform(hex(piece), { enqueue });
  }
  each.transform(hex("82 01 01"), { enqueue });
  each.flush();
  assertEquals(frames.map(({ payload }) => toHex(payload)), ["01 02 03", "03 e8"]);
});

test("FrameParser throws if a payload's buffer has been transferred with later frames", () => {
  const { parser: each } = parser("given");
  const enqueue = (frame: Frame) => void (frame.payload.buffer as ArrayBuffer).transfer();
  const error = assertThrows(
    () => each.transform(hex("82 01 01 82 01 02"), { enqueue }),
    TypeError,
  );
  assert(error.message.includes("expected that of message.slice()"), error.message);
  each.transform(hex("83"), { enqueue: () => assert(false, "bytes after an error are ignored") });
});
