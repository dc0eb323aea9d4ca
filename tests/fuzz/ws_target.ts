import { createRequire } from "node:module";
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import { join } from "../support/bytes.ts";
import { damage } from "./arbitraries.ts";
import { drive } from "./drive.ts";
import type { Driven } from "./drive.ts";
import { anyStream, PLAN, readPlan, writePlan } from "./frames_target.ts";
import { Random } from "./random.ts";
import { ensure, same } from "./target.ts";
import type { Target } from "./target.ts";

/** The members of the `ws` package's receiver that are used here. */
interface WsReceiver {
  on(event: string, listener: (...args: never[]) => void): void;
  _write(chunk: Uint8Array, encoding: string, done: (error?: object) => void): void;
}
type WsReceiverClass = new (options: object) => WsReceiver;

// Imported by its path, since Bun replaces the package by its own.
const path = fileURLToPath(new URL("../../node_modules/ws/lib/receiver.js", import.meta.url));
const WsReceiver = createRequire(import.meta.url)(path) as WsReceiverClass;

interface Heard {
  events: { kind: string; bytes: Uint8Array; code: number }[];
  /** The close code and the name of the error; 0 and empty if there is none. */
  code: number;
  name: string;
}

/** Returns the result of `ws` for the bytes in one piece. */
function hear(bytes: Uint8Array, isServer: boolean, limits: object): Heard {
  const heard: Heard = { events: [], code: 0, name: "" };
  const receiver = new WsReceiver({ isServer, ...limits });
  const push = (kind: string, bytes: Uint8Array, code = 0) =>
    heard.events.push({ kind, bytes: Uint8Array.from(bytes), code });
  receiver.on("message", (data: Uint8Array, isBinary: boolean) => {
    push(isBinary ? "binary" : "text", data);
  });
  receiver.on("ping", (data: Uint8Array) => push("ping", data));
  receiver.on("pong", (data: Uint8Array) => push("pong", data));
  receiver.on("conclude", (code: number, reason: Uint8Array) => push("close", reason, code));
  receiver.on("error", () => {});
  // `ws` unmasks in place, so it gets a copy.
  receiver._write(Buffer.from(bytes), "buffer", (error) => {
    if (error === undefined) return;
    const [code] = Object.getOwnPropertySymbols(error)
      .filter((symbol) => symbol.description === "status-code")
      .map((symbol) => (error as Record<symbol, number>)[symbol]);
    heard.code = code ?? -1;
    heard.name = (error as { code: string }).code;
  });
  return heard;
}

/** The allowed differences: our error, the outcome of `ws`, and the reason. */
interface Difference {
  why: string;
  /** The code of our error. */
  ours: RegExp;
  /** The close code and the error code of `ws`. */
  theirs: RegExp;
  /** What `ws` may receive after our error; nothing by default. */
  later?: RegExp;
}

const DIFFERENCES: readonly Difference[] = [
  {
    why: "a length in more bytes than it wants (§5.2), which ws takes",
    ours: /^1002 ERR_LENGTH_NOT_MINIMAL$/,
    theirs: /./,
    later: /./,
  },
  {
    why: "a length with its top bit set (§5.2): wrong, to ws too big",
    ours: /^1002 ERR_LENGTH_SIGN$/,
    theirs: /^1009 WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH$/,
  },
  {
    why: "known at once, and to ws when the header, the frame or the message has ended",
    ours:
      /^1002 ERR_(RSV|RESERVED_OPCODE|FRAGMENTED_CONTROL|(UN)?EXPECTED_CONTINUATION|LENGTH_SIGN)$/,
    theirs: /^0 $/,
  },
  {
    why: "known at once, and to ws when the header, the frame or the message has ended",
    ours: /^1009 ERR_MESSAGE_TOO_BIG$/,
    theirs: /^0 $/,
  },
  {
    why:
      "text is wrong at its first wrong byte, and to ws at its message's end, unless that is wrong",
    ours: /^1007 ERR_INVALID_UTF8$/,
    theirs: /^(0 |10\d\d WS_ERR_.*)$/,
    later: /^(ping|pong|close)$/,
  },
  {
    why: "a fragment too many at its header, and to ws at its end, or too big before",
    ours: /^1008 ERR_TOO_MANY_FRAGMENTS$/,
    theirs: /^(0 |1009 WS_ERR_UNSUPPORTED_(MESSAGE|DATA_PAYLOAD)_LENGTH)$/,
  },
  {
    why: "too big once the header has ended, and to ws before the masking key",
    ours: /^0 $/,
    theirs: /^1009 WS_ERR_UNSUPPORTED_MESSAGE_LENGTH$/,
  },
  {
    why: "a Close of one byte (§5.5.1), to ws at its header",
    ours: /^0 $/,
    theirs: /^1002 WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH$/,
  },
];

/** We and `ws` give the same result for the same bytes, except for the differences in the table. */
export const ws: Target = {
  name: "ws",
  generate(seed, index) {
    const random = new Random(seed, index);
    const isServer = random.once(2);
    let stream = anyStream(random, isServer);
    if (random.once(3)) stream = damage(random, stream);
    return join(writePlan(random, isServer), stream);
  },
  check(input) {
    const plan = { ...readPlan(input), way: "codec" as const };
    const bytes = input.subarray(PLAN);
    const { maxMessageSize: maxPayload, maxFragments } = plan;
    const heard = hear(bytes, plan.role === "server", { maxPayload, maxFragments });
    const driven = drive(bytes, plan);
    const ours = `${driven.error?.closeCode ?? 0} ${driven.error?.code ?? ""}`;
    const theirs = `${heard.code} ${heard.name}`;
    const { events } = driven;
    const later = heard.events.slice(events.length);
    events.forEach((event, i) => {
      const other = heard.events[i];
      ensure(other !== undefined && isSame(event, other), () => `event ${i}: ws ${other?.kind}`);
    });
    const isAgreed = (driven.error?.closeCode ?? 0) === heard.code;
    if (isAgreed && later.length === 0) return `both ${heard.code}`;
    const known = DIFFERENCES.find((difference) =>
      difference.ours.test(ours) && difference.theirs.test(theirs) &&
      later.every(({ kind }) => difference.later?.test(kind))
    );
    ensure(
      known !== undefined,
      () => `ours "${ours}", ws "${theirs}" with ${later.map(({ kind }) => kind)}`,
    );
    return `ours ${ours.slice(0, 4)}, ws ${theirs.slice(0, 4)}: ${known!.why}`;
  },
};

const encoder = new TextEncoder();

function isSame(event: Driven["events"][number], other: Heard["events"][number]): boolean {
  if (typeof event === "string") {
    return other.kind === "text" && same(encoder.encode(event), other.bytes);
  }
  if (event instanceof Uint8Array) return other.kind === "binary" && same(event, other.bytes);
  if (event.kind !== other.kind) return false;
  if (event.kind !== "close") return same(event.bytes, other.bytes);
  const [high, low] = event.bytes;
  const code = high === undefined ? 1005 : high * 256 + low!;
  return code === other.code && same(event.bytes.subarray(2), other.bytes);
}
