import { HandshakeError } from "../../src/http/errors.ts";
import { RequestBodyDecoder } from "../../src/http/request_body.ts";
import { ResponseBodyEncoder } from "../../src/http/response_body_encoder.ts";
import { fromLatin1, join, latin1 } from "../support/bytes.ts";
import { chunkedBody, damageBody } from "./body_arbitraries.ts";
import { readChunked } from "./body_model.ts";
import type { BodyLimits } from "./body_model.ts";
import { Random } from "./random.ts";
import { ensure, pieces, same } from "./target.ts";
import type { Target } from "./target.ts";

const LIMITS: readonly BodyLimits[] = [
  { maxBodySize: 16_777_216, maxHeadSize: 16_384, maxHeaders: 100 },
  { maxBodySize: 100, maxHeadSize: 64, maxHeaders: 2 },
];
const CHUNKED = { sendsBody: true, contentLength: undefined, isChunked: true, endsByClose: false };

/** The result of decoding a body. */
interface Decoded {
  body: Uint8Array;
  error: HandshakeError | undefined;
  isDone: boolean;
  /** The number of bytes that belong to the body, or up to the piece that has failed. */
  taken: number;
}

/**
 * Any bytes are a chunked body, the beginning of one, or a HandshakeError at the byte at which the model
 * can no longer complete them; however they are cut. A body is the same after it is encoded again.
 */
export const bodies: Target = {
  name: "body",
  generate(seed, index) {
    const random = new Random(seed, index);
    let text = chunkedBody(random);
    if (random.once(3)) {
      for (let n = 1 + random.small(3); n > 0; n--) text = damageBody(random, text);
    }
    if (random.once(4)) text += random.pick(["GET / HTTP/1.1\r\n\r\n", "x", "0\r\n\r\n"]);
    return join(Uint8Array.from([random.below(3), random.below(256)]), latin1(text));
  },
  check(input) {
    const [plan = 0, cut = 0] = input;
    const limits = LIMITS[plan === 0 ? 0 : 1]!;
    const bytes = input.subarray(2);
    const decoded = decode(bytes, 1, limits);
    const again = decode(bytes, cut, limits);
    ensure(
      String(again.error) === String(decoded.error) && again.isDone === decoded.isDone,
      () => `${again.error ?? again.isDone}, byte by byte ${decoded.error ?? decoded.isDone}`,
    );
    const isSame = decoded.error === undefined
      ? same(again.body, decoded.body) && again.taken === decoded.taken
      : again.body.length <= decoded.body.length;
    ensure(isSame, () => `${again.taken} bytes, byte by byte ${decoded.taken}`);
    assertModel(bytes, decoded, limits);
    if (decoded.error !== undefined) return `${decoded.error.status}`;
    if (!decoded.isDone) return "more";
    assertRoundTrip(decoded.body, cut);
    return decoded.body.length === 0 ? "empty" : "done";
  },
};

function decode(bytes: Uint8Array, cut: number, limits: BodyLimits): Decoded {
  const decoder = new RequestBodyDecoder("chunked", limits);
  const body: Uint8Array[] = [];
  let taken = 0;
  for (const piece of pieces(bytes, cut)) {
    try {
      const used = decoder.push(piece);
      body.push(decoder.data.slice());
      piece.fill(0xdd); // The chunk may be lent.
      taken += used === -1 ? piece.length : used;
      if (used !== -1) break;
    } catch (error) {
      ensure(error instanceof HandshakeError, () => `not a HandshakeError: ${error}`);
      ensure(decoder.data.length === 0, () => "data after a failure");
      taken += piece.length;
      return { body: join(...body), error: error as HandshakeError, isDone: false, taken };
    }
  }
  return { body: join(...body), error: undefined, isDone: decoder.isDone, taken };
}

function assertModel(bytes: Uint8Array, decoded: Decoded, limits: BodyLimits): void {
  const text = fromLatin1(bytes.subarray(0, decoded.taken));
  const model = readChunked(text, limits);
  if (decoded.error === undefined) {
    const expected = decoded.isDone ? "done" : "more";
    ensure(model.state === expected, () => `${expected}, the model: ${model.state}`);
    ensure(same(decoded.body, latin1(model.body)), () => "another body than the model's");
    if (decoded.isDone) {
      ensure(model.length === decoded.taken, () => `${decoded.taken} bytes, not ${model.length}`);
    }
    return;
  }
  const before = readChunked(text.slice(0, -1), limits);
  ensure(before.state === "more", () => `fails late: the model before was ${before.state}`);
  const { status } = decoded.error;
  ensure(model.state === status, () => `${decoded.error}, the model: ${model.state}`);
}

function assertRoundTrip(body: Uint8Array, cut: number): void {
  const encoder = new ResponseBodyEncoder(CHUNKED);
  const encoded = [...pieces(body, cut)].flatMap((piece) => [...encoder.encode(piece)]);
  const bytes = join(...encoded, encoder.finish());
  const { body: again, taken, isDone } = decode(bytes, cut, {
    ...LIMITS[0]!,
    maxBodySize: Infinity,
  });
  ensure(
    isDone && taken === bytes.length && same(again, body),
    () => "encoded, it is another body",
  );
}
