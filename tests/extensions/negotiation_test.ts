import {
  acceptOffers,
  acceptResponses,
  PerMessageDeflate,
  useExtensions,
} from "@sluice/websocket/extensions";
import type {
  Extension,
  ExtensionAgreement,
  ExtensionInUse,
  ExtensionOffer,
  FrameInitSink,
} from "@sluice/websocket/extensions";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { Rsv } from "../../src/protocol/frame.ts";
import type { Frame, FrameInit } from "../../src/protocol/frame.ts";
import type { FrameSink } from "../../src/protocol/frame_sink.ts";
import { parseExtensions } from "../../src/handshake/extensions_header.ts";
import { assertEquals, assertThrows, test } from "../harness.ts";

/** An extension that puts its letter before what is sent, and takes it away from what is received. */
class Lettered implements Extension {
  constructor(readonly name: string, readonly rsv: number, readonly log: string[] = []) {}

  offers(): ExtensionOffer[] {
    return [{ name: this.name, params: [] }];
  }

  acceptOffer(offer: ExtensionOffer): ExtensionAgreement | undefined {
    if (offer.params.length > 0) return undefined;
    return { response: offer, rsv: this.rsv, use: () => new LetteredInUse(this) };
  }

  acceptResponse(response: ExtensionOffer): ExtensionAgreement {
    return this.acceptOffer(response)!;
  }
}

class LetteredInUse implements ExtensionInUse {
  readonly rsv: number;
  isPaused = false;
  #rest: Frame[] = [];

  constructor(readonly extension: Lettered) {
    this.rsv = extension.rsv;
  }

  /** Each frame comes out twice: the second can wait. */
  receive(frame: Frame, sink: FrameSink): void {
    assertEquals(this.isPaused, false);
    assertEquals(frame.payload[0], this.extension.name.charCodeAt(0));
    this.#rest = [1, 2].map(() => ({ ...frame, payload: frame.payload.subarray(1) }));
    this.resume(sink);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(sink: FrameSink): void {
    this.isPaused = false;
    while (this.#rest.length > 0 && !this.isPaused) sink.enqueue(this.#rest.shift()!);
  }

  changes(size: number): boolean {
    return size >= this.extension.rsv;
  }

  send(frame: FrameInit, sink: FrameInitSink): void {
    const letter = this.extension.name.charCodeAt(0);
    sink.enqueue({ ...frame, payload: new Uint8Array([letter, ...frame.payload!]) });
  }

  close(): void {
    this.extension.log.push(`close ${this.extension.name}`);
  }
}

function names(agreements: ExtensionAgreement[]): string {
  return agreements.map(({ response }) => response.name).join(", ");
}

const a = new Lettered("a", Rsv.Rsv1);
const b = new Lettered("b", Rsv.Rsv2);
const c = new Lettered("c", Rsv.Rsv1);

const offered: [offers: string, accepted: string][] = [
  ["a", "a"],
  ["b, a", "b, a"],
  ["x, a; b=1, y", ""],
  ["a; strange, a, a", "a"],
  ["a, c, b", "a, b"],
  ["c, a", "c"],
];

for (const [offers, expected] of offered) {
  test(`acceptOffers takes of "${offers}": "${expected}"`, () => {
    assertEquals(names(acceptOffers([a, b, c], parseExtensions(offers))), expected);
  });
}

test("acceptOffers takes the first good offer of several of one extension", () => {
  const offers = parseExtensions(
    "permessage-deflate; server_max_window_bits=8, permessage-deflate; x, " +
      "permessage-deflate; server_max_window_bits=10, permessage-deflate",
  );
  const [agreement, ...more] = acceptOffers([new PerMessageDeflate()], offers);
  assertEquals(agreement!.response.params, [["server_max_window_bits", "10"]]);
  assertEquals(more, []);
});

test("acceptResponses takes them in the server's order", () => {
  assertEquals(names(acceptResponses([a, b, c], parseExtensions("b, c"))), "b, c");
  assertEquals(acceptResponses([a], []), []);
});

for (
  const [responses, why] of [
    ["x", '"x" of the server\'s response: it was not offered'],
    ["a, a", '"a" of the server\'s response: it is there twice'],
    ["a, c", '"c" of the server\'s response: another has claimed its reserved bit'],
  ]
) {
  test(`acceptResponses refuses "${responses}"`, () => {
    const error = assertThrows(
      () => acceptResponses([a, b, c], parseExtensions(responses!)),
      ProtocolError,
    );
    assertEquals([error.message, error.code], [`Cannot use extension ${why}`, "ERR_EXTENSION"]);
  });
}

test("useExtensions applies several in the response's order, and undoes them in the other", () => {
  const log: string[] = [];
  const extensions = ["a", "b", "c"].map((name, i) => new Lettered(name, 0x40 >> i, log));
  const chain = useExtensions(acceptOffers(extensions, parseExtensions("a, b, c")))!;
  assertEquals(chain.rsv, 0x70);
  assertEquals([chain.changes(0x10), chain.changes(0x0f)], [true, false]);

  const sent: FrameInit[] = [];
  chain.send({ opcode: 2, payload: new Uint8Array([7]) }, { enqueue: (frame) => sent.push(frame) });
  assertEquals(sent.map(({ payload }) => new TextDecoder().decode(payload)), ["cba\x07"]);

  const received: number[] = [];
  const sink = { enqueue: ({ payload }: Frame) => received.push(payload[0]!) };
  const { payload } = sent[0]!;
  const rest = { payloadLength: payload!.length, payloadOffset: 0, fin: true };
  const frame = { ...rest, rsv1: false, rsv2: false, rsv3: false, opcode: 2 as const };
  chain.receive({ ...frame, payload: payload! }, sink);
  assertEquals(received, [7, 7, 7, 7, 7, 7, 7, 7]);
  chain.close();
  assertEquals(log, ["close a", "close b", "close c"]);
});

test("useExtensions pauses all of them within one output, and goes on where they were", () => {
  const extensions = ["a", "b"].map((name, i) => new Lettered(name, 0x40 >> i));
  const chain = useExtensions(acceptOffers(extensions, parseExtensions("a, b")))!;
  let received = 0;
  const sink = {
    enqueue: () => {
      received++;
      chain.pause();
    },
  };
  const payload = new TextEncoder().encode("ba");
  const rest = { payloadLength: 2, payloadOffset: 0, fin: true, opcode: 2 as const };
  chain.receive({ ...rest, rsv1: false, rsv2: false, rsv3: false, payload }, sink);
  assertEquals([received, chain.isPaused], [1, true]);
  for (let i = 2; i <= 4; i++) {
    chain.resume(sink);
    assertEquals([received, chain.isPaused], [i, true]);
  }
  chain.resume(sink);
  assertEquals([received, chain.isPaused], [4, false]);
});

test("useExtensions of none is undefined, of one is that one", () => {
  assertEquals(useExtensions([]), undefined);
  const [agreement] = acceptOffers([a], parseExtensions("a"));
  assertEquals(useExtensions([agreement!]) instanceof LetteredInUse, true);
});
