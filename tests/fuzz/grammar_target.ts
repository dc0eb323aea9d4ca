import { PerMessageDeflate } from "../../src/extensions/permessage_deflate.ts";
import { acceptResponses } from "../../src/extensions/negotiation.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { HandshakeError } from "../../src/http/errors.ts";
import type { ExtensionOffer } from "../../src/protocol/extension_offer.ts";
import { parseExtensions, serializeExtensions } from "../../src/handshake/extensions_header.ts";
import { includesToken, parseTokenList } from "../../src/http/token_list.ts";
import { createOriginCheck } from "../../src/handshake/origin.ts";
import { parseSubprotocols } from "../../src/handshake/subprotocol.ts";
import { parseProxyUrl, parseWebSocketUrl } from "../../src/handshake/url.ts";
import { latin1 } from "../support/bytes.ts";
import { extensions } from "./head_arbitraries.ts";
import { Random } from "./random.ts";
import { ensure } from "./target.ts";
import type { Target } from "./target.ts";

const PIECES = [
  ...[
    "a",
    "permessage-deflate",
    ",",
    ";",
    "=",
    '"',
    "\\",
    " ",
    "\t",
    "\xe9",
    "\0",
    "x=",
    '="',
    "10",
  ],
  ...[
    "http://",
    "https://",
    "wss://",
    "null",
    "[::1]",
    ":80",
    "/",
    "?",
    "#",
    "@",
    "%41",
    "user:pass@",
  ],
];
const SAMPLES = [
  "https://example.com",
  "wss://user:pass@example.com:8443/a?b=c",
  "chat, superchat",
  "keep-alive, Upgrade",
];
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/** RFC 6455 §9.1 as one expression: an element of the list, with the optional whitespace of RFC 2616. */
const QUOTED = `"(?:[!#$%&'*+.^_\`|~0-9A-Za-z-]|\\\\[!#$%&'*+.^_\`|~0-9A-Za-z-])+"`;
const PARAMETER = `[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${QUOTED}))?`;
const ELEMENT = new RegExp(`^[ \\t]*${TOKEN}(?:${PARAMETER})*[ \\t]*$`);

const deflate = new PerMessageDeflate();

/** Any field values are parsed by the grammar, or throw the documented error. */
export const grammar: Target = {
  name: "grammar",
  generate(seed, index) {
    const random = new Random(seed, index);
    let value = random.once(3) ? "" : random.once(2) ? extensions(random) : random.pick(SAMPLES);
    for (let count = random.small(8); count > 0; count--) {
      const at = random.below(value.length + 1);
      value = value.slice(0, at) + random.pick(PIECES) + value.slice(at + random.below(2));
    }
    return latin1(value);
  },
  check(input) {
    const value = String.fromCharCode(...input);
    checkTokens(value);
    checkUrls(value);
    throwsOnly(HandshakeError, () => createOriginCheck()(value, "example.com"));
    throwsOnly(HandshakeError, () => parseSubprotocols(value));
    return checkExtensions(value);
  },
};

// deno-lint-ignore no-explicit-any
function throwsOnly<T>(kind: new (...args: any[]) => Error, run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    ensure(error instanceof kind, () => `not a ${kind.name}: ${error}`);
    return undefined;
  }
}

function checkTokens(value: string): void {
  const elements = value.split(",").map((element) => element.replace(/^[ \t]+|[ \t]+$/g, ""))
    .filter((element) => element !== "");
  const areTokens = elements.every((element) => new RegExp(`^${TOKEN}$`).test(element));
  const tokens = parseTokenList(value);
  ensure((tokens !== null) === areTokens, () => `tokens: ${tokens}`);
  if (tokens === null) return;
  ensure(tokens.join() === elements.join(), () => `tokens: ${tokens}, not ${elements}`);
  ensure(tokens.every((token) => includesToken(value, token.toUpperCase())), () => "lacks its own");
}

function checkUrls(value: string): void {
  const url = throwsOnly(DOMException, () => parseWebSocketUrl(value));
  if (url !== undefined) {
    const again = parseWebSocketUrl(url.href);
    ensure(again.href === url.href && again.target === url.target, () => `${again.href}`);
    ensure(/^[!-~]+$/.test(url.target + url.host), () => `${url.host}${url.target}`);
  }
  throwsOnly(DOMException, () => parseProxyUrl(value));
}

function checkExtensions(value: string): string {
  // Quoted values contain only tokens, so a comma always separates.
  const elements = value.split(",").filter((element) => !/^[ \t]*$/.test(element));
  const isValid = elements.length > 0 && elements.every((element) => ELEMENT.test(element));
  const offers = throwsOnly(HandshakeError, () => parseExtensions(value));
  ensure((offers !== undefined) === isValid, () => `extensions: ${JSON.stringify(offers)}`);
  if (offers === undefined) return "no extensions";
  const text = (list: readonly ExtensionOffer[]) => JSON.stringify(list);
  const again = parseExtensions(serializeExtensions(offers));
  ensure(text(again) === text(offers), () => `${text(again)}, not ${text(offers)}`);
  for (const offer of offers) {
    if (offer.name !== deflate.name) continue;
    const agreement = deflate.acceptOffer(offer);
    if (agreement === undefined) continue;
    // The response that a server agrees to can be serialized.
    parseExtensions(serializeExtensions([agreement.response]));
  }
  throwsOnly(ProtocolError, () => acceptResponses([deflate], offers));
  return "extensions";
}
