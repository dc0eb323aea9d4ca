// Text through both message decoders: at which byte invalid UTF-8 is found, and how.
import { InvalidPayloadError } from "../../src/protocol/errors.ts";
import { FrameDecoder } from "../../src/protocol/frame_decoder.ts";
import type { Message, MessagePart } from "../../src/protocol/message.ts";
import { MessageAssembler } from "../../src/protocol/message_assembler.ts";
import { MessagePartDecoder } from "../../src/protocol/message_part_decoder.ts";
import { assert, assertEquals, hex, test } from "../harness.ts";
import { CHUNKINGS, cut, firstThrow, mixedText } from "./frames.ts";
import { join, utf8 } from "../support/bytes.ts";
import { rawFrame } from "../support/frames.ts";
import { UTF8_CASES } from "./utf8_cases.ts";

/** Takes a client's bytes, and has the decoded text. */
interface Taker {
  take(chunk: Uint8Array): void;
  text(): string;
}

const takers: Record<string, () => Taker> = {
  MessageAssembler: () => {
    let text = "";
    const assembler = new MessageAssembler();
    const sink = { enqueue: (message: Message) => void (text += message) };
    const decoder = new FrameDecoder({ role: "client" });
    return {
      take: (chunk) =>
        decoder.transform(chunk, { enqueue: (frame) => assembler.transform(frame, sink) }),
      text: () => text,
    };
  },
  MessagePartDecoder: () => {
    let text = "";
    const parts = new MessagePartDecoder();
    const sink = { enqueue: (part: MessagePart) => void (text += part.data) };
    const decoder = new FrameDecoder({ role: "client" });
    return {
      take: (chunk) =>
        decoder.transform(chunk, { enqueue: (frame) => parts.transform(frame, sink) }),
      text: () => text,
    };
  },
};

function assertRefused({ index, error }: { index: number; error: unknown }, at: number): void {
  assertEquals(index, at);
  assert(error instanceof InvalidPayloadError, `${error}`);
  assertEquals(error.message, "Cannot take message: text that is not UTF-8");
  assertEquals([error.code, error.closeCode], ["ERR_INVALID_UTF8", 1007]);
}

for (const [symbol, make] of Object.entries(takers)) {
  for (const { name, bytes, wrong } of UTF8_CASES) {
    const payload = hex(bytes);
    const verdict = wrong === "valid" ? "takes" : "refuses";
    const text = () => new TextDecoder("utf-8", { ignoreBOM: true }).decode(payload);

    test(`${symbol} ${verdict} ${name}, in one frame`, () => {
      const taker = make();
      const outcome = firstThrow([rawFrame({ first: 0x81, payload })], taker.take);
      if (wrong !== "valid") return assertRefused(outcome, 0);
      assertEquals([outcome.index, taker.text()], [-1, text()]);
    });

    test(`${symbol} ${verdict} ${name}, in fragments of a byte`, () => {
      const frames = [...payload].map((byte, i) => {
        const first = (i === 0 ? 1 : 0) | (i === payload.length - 1 ? 0x80 : 0);
        return rawFrame({ first, payload: new Uint8Array([byte]) });
      });
      const taker = make();
      const outcome = firstThrow(frames, taker.take);
      if (typeof wrong === "number") return assertRefused(outcome, wrong);
      if (wrong === "end") return assertRefused(outcome, frames.length - 1);
      assertEquals([outcome.index, taker.text()], [-1, text()]);
    });

    test(`${symbol} ${verdict} ${name}, in the middle of an unfinished frame`, () => {
      const bytes = rawFrame({ first: 0x81, payload: join(payload, utf8("x".repeat(90))) });
      const taker = make();
      const outcome = firstThrow(
        cut(bytes.subarray(0, 2 + payload.length), "byte by byte"),
        taker.take,
      );
      // A text that is cut inside a character may continue; so the "x" that follows is invalid.
      if (typeof wrong === "number") return assertRefused(outcome, 2 + wrong);
      assertEquals(outcome.index, -1);
      const rest = firstThrow(cut(bytes.subarray(2 + payload.length), "byte by byte"), taker.take);
      if (wrong === "end") assertRefused(rest, 0);
      else assertEquals(rest.index, -1);
    });
  }

  test(`${symbol} rejects text that ends inside a character with an empty last fragment`, () => {
    const outcome = firstThrow([hex("01 02 e2 82"), hex("00 00"), hex("80 00")], make().take);
    assertRefused(outcome, 2);
  });

  test(`${symbol} accepts a character whose bytes come in fragments around a ping`, () => {
    const taker = make();
    taker.take(hex("01 01 e2 89 01 ff 00 00 00 01 82 8a 00 80 01 ac"));
    assertEquals(taker.text(), "\u20ac");
  });

  test(`${symbol} accepts bytes in a binary message that are no text`, () => {
    const taker = make();
    taker.take(hex("82 02 c3 28 02 01 ff 80 01 fe"));
    assertEquals(taker.text(), "195,40" + (symbol === "MessageAssembler" ? "255,254" : "255254"));
  });

  test(`${symbol} begins each text anew`, () => {
    const taker = make();
    taker.take(hex("01 01 41 80 01 42 81 02 c3 a9 01 01 c3 80 01 a9"));
    assertEquals(taker.text(), "AB\u00e9\u00e9");
  });

  test(`${symbol} of another connection is not touched by a refusal`, () => {
    assertRefused(firstThrow([hex("81 01 c3")], make().take), 0);
    const taker = make();
    taker.take(hex("81 02 c3 a9"));
    assertEquals(taker.text(), "\u00e9");
  });

  for (const chunking of CHUNKINGS) {
    test(`${symbol} accepts long text of characters of 1 to 4 bytes, ${chunking}`, () => {
      const text = mixedText(20_000);
      const taker = make();
      for (const chunk of cut(rawFrame({ first: 0x81, payload: text }), chunking)) {
        taker.take(chunk);
      }
      assertEquals(taker.text(), text);
    });
  }
}
