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
} from "@sluice/websocket/extensions";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { Rsv } from "../../src/protocol/frame.ts";
import { parseExtensions } from "../../src/handshake/extensions_header.ts";
import { assert, assertEquals, assertThrows, test } from "../harness.ts";

/** An extension that accepts every offer without parameters. */
class Named implements Extension {
  constructor(readonly name: string, readonly rsv: number) {}

  offers(): ExtensionOffer[] {
    return [{ name: this.name, params: [] }];
  }

  acceptOffer(offer: ExtensionOffer): ExtensionAgreement | undefined {
    if (offer.params.length > 0) return undefined;
    return { response: offer, rsv: this.rsv, use: () => fail() };
  }

  acceptResponse(response: ExtensionOffer): ExtensionAgreement {
    return this.acceptOffer(response)!;
  }
}

function fail(): never {
  throw new Error("unexpected use");
}

function names(agreements: ExtensionAgreement[]): string {
  return agreements.map(({ response }) => response.name).join(", ");
}

const a = new Named("a", Rsv.Rsv1);
const b = new Named("b", Rsv.Rsv2);
const c = new Named("c", Rsv.Rsv1);

const offered: [offers: string, accepted: string][] = [
  ["a", "a"],
  ["b, a", "b"],
  ["x, a; b=1, y", ""],
  ["a; strange, a, a", "a"],
  ["a; strange, c, b", "c"],
  ["c, a", "c"],
];

for (const [offers, expected] of offered) {
  test(`acceptOffers of "${offers}" accepts: "${expected}"`, () => {
    assertEquals(names(acceptOffers([a, b, c], parseExtensions(offers))), expected);
  });
}

test("acceptOffers accepts the first good offer of several of one extension", () => {
  const offers = parseExtensions(
    "permessage-deflate; server_max_window_bits=8, permessage-deflate; x, " +
      "permessage-deflate; server_max_window_bits=10, permessage-deflate",
  );
  const [agreement, ...more] = acceptOffers([new PerMessageDeflate()], offers);
  assertEquals(agreement!.response.params, [["server_max_window_bits", "10"]]);
  assertEquals(more, []);
});

test("acceptResponses accepts one response, or none", () => {
  assertEquals(names(acceptResponses([a, b, c], parseExtensions("b"))), "b");
  assertEquals(acceptResponses([a], []), []);
});

for (
  const [responses, why] of [
    ["x", '"x" of the server\'s response: it was not offered'],
    ["a, a", '"a" of the server\'s response: it is there twice'],
    ["a, x", '"x" of the server\'s response: it was not offered'],
    ["a, b", '"b" of the server\'s response: it cannot follow another'],
  ]
) {
  test(`acceptResponses rejects "${responses}"`, () => {
    const error = assertThrows(
      () => acceptResponses([a, b, c], parseExtensions(responses!)),
      ProtocolError,
    );
    assertEquals([error.message, error.code], [`Cannot use extension ${why}`, "ERR_EXTENSION"]);
  });
}

test("useExtensions of none is undefined", () => {
  assertEquals(useExtensions([]), undefined);
});

test("useExtensions puts the agreement into use, with the options", () => {
  const seen: unknown[] = [];
  const inUse = {} as ExtensionInUse;
  const use = (options: unknown) => (seen.push(options), inUse);
  const agreement = { response: { name: "a", params: [] }, rsv: 0, use };
  assertEquals(useExtensions([agreement], { maxMessageSize: 5 }) === inUse, true);
  assertEquals(seen, [{ maxMessageSize: 5 }]);
});

/** permessage-deflate on a runtime whose zlib fails the proof. */
class Unsupported extends PerMessageDeflate {
  override get isSupported(): boolean {
    return false;
  }
}

test("PerMessageDeflate that is not supported offers nothing and accepts nothing", () => {
  const deflate = new Unsupported();
  const [offer] = new PerMessageDeflate().offers();
  assertEquals([new PerMessageDeflate().isSupported, deflate.isSupported], [true, false]);
  assertEquals(deflate.offers(), []);
  assertEquals(acceptOffers([deflate], [offer!]), []);
  const error = assertThrows(() => acceptResponses([deflate], [offer!]), ProtocolError);
  assert(error.message.endsWith("it was not offered"), error.message);
});
