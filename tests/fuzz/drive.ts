/** Drives bytes through src/, in the ways of a connection and of a stream. */

import type { ExtensionInUse } from "../../src/extensions/extension.ts";
import { Receiver } from "../../src/connection/receiver.ts";
import type { PartConsumer, ReceiverCore } from "../../src/connection/receiver_core.ts";
import { decodeClosePayload } from "../../src/protocol/close_code.ts";
import { WebSocketError } from "../../src/protocol/errors.ts";
import type { Frame } from "../../src/protocol/frame.ts";
import { FrameDecoder } from "../../src/protocol/frame_decoder.ts";
import { DEFAULT_LIMITS } from "../../src/connection/limits.ts";
import type { Message, MessagePart, PayloadMode } from "../../src/protocol/message.ts";
import { MessageAssembler } from "../../src/protocol/message_assembler.ts";
import { Opcode } from "../../src/protocol/opcode.ts";
import { join } from "../support/bytes.ts";
import { uncounted } from "../../src/connection/counters.ts";
import { timers } from "../../src/util/timers.ts";
import { ensure, pieces, same } from "./target.ts";

/** The ways: the codec alone, and a connection's receiver, with each of its options. */
export const WAYS = ["codec", "given", "lent", "parts", "lent parts"] as const;

/** How the bytes are received. */
export interface Drive {
  way: typeof WAYS[number];
  role: "server" | "client";
  maxMessageSize: number;
  maxFragments: number;
  /** Where the bytes are split: see {@linkcode pieces}. */
  cut: number;
  /** A seed that decides at which messages the receiver pauses; 0 for none. */
  pauses: number;
  extensions?: ExtensionInUse | undefined;
}

/** A received control frame. */
interface Control {
  kind: "ping" | "pong" | "close";
  bytes: Uint8Array;
}

/** The result. */
export interface Driven {
  events: (Message | Control)[];
  /** The number of parts of messages. */
  parts: number;
  error: WebSocketError | undefined;
  /** The number of bytes up to the end of the piece that caused the error. */
  taken: number;
  /** Whether the bytes end inside a frame or a message; for the codec alone. */
  isCut: boolean;
}

/** The close codes with which a receiver may fail. */
const DOCUMENTED = [1002, 1007, 1008, 1009];

/** Drives the bytes through src/. */
export function drive(bytes: Uint8Array, how: Drive): Driven {
  const driven: Driven = { events: [], parts: 0, error: undefined, taken: 0, isCut: false };
  /** The parts of each message, by its index; compared when all bytes have been received. */
  const parts = new Map<number, Message[]>();
  const take = how.way === "codec" ? codec(how, driven) : receiver(how, driven, parts);
  try {
    for (const piece of pieces(bytes, how.cut)) {
      driven.taken += piece.length;
      const isKept = how.way === "codec" && codecOptions(how).chunks === "kept";
      const before = isKept ? piece.slice() : undefined;
      take(piece);
      // The codec must not change a chunk that its caller keeps.
      ensure(before === undefined || same(piece, before), () => "wrote to a chunk that is kept");
      // A lent chunk is overwritten after the call.
      if (how.way !== "given" && how.way !== "parts") piece.fill(0xdd);
    }
    take(undefined);
  } catch (error) {
    ensure(error instanceof WebSocketError, () => `not a WebSocketError: ${describe(error)}`);
    const told = error as WebSocketError;
    ensure(DOCUMENTED.includes(told.closeCode!), () => `close code ${told.closeCode}: ${told}`);
    ensure(/^ERR_[A-Z0-9_]+$/.test(told.code), () => `code ${told.code}`);
    driven.error = told;
  }
  for (const [i, all] of parts) if (i < driven.events.length) driven.events[i] = whole(all);
  assertSilent(driven, take, how.role);
  return driven;
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.stack}` : String(error);
}

/** Checks that everything is ignored after an error or a Close frame. */
function assertSilent(
  driven: Driven,
  take: (piece: Uint8Array | undefined) => void,
  role: "server" | "client",
): void {
  const last = driven.events.at(-1);
  const isClosed = typeof last === "object" && "kind" in last && last.kind === "close";
  if (driven.error === undefined && !isClosed) return;
  const count = driven.events.length;
  const { parts } = driven;
  const frame = role === "server" ? [0x81, 0x81, 0, 0, 0, 0, 0x61] : [0x81, 0x01, 0x61];
  take(Uint8Array.from([...frame, ...frame, 0xff]));
  ensure(driven.events.length === count && driven.parts === parts, () => "goes on after the end");
}

type Take = (piece: Uint8Array | undefined) => void;

function control(frame: Frame, driven: Driven): void {
  const { opcode, payload } = frame;
  if (opcode === Opcode.Close) decodeClosePayload(payload);
  const kind = opcode === Opcode.Close ? "close" : opcode === Opcode.Ping ? "ping" : "pong";
  driven.events.push({ kind, bytes: payload.slice() });
}

/** Returns how the codec alone gets its chunks and passes on payloads: it cannot be paused. */
function codecOptions(how: Drive): { chunks: "kept" | "lent"; payload: PayloadMode } {
  const payload = (["shared", "owned", "borrowed"] as const)[how.pauses % 3]!;
  return { chunks: how.pauses % 2 === 0 ? "kept" : "lent", payload };
}

/** Drives the decoder and the assembler as the streams do. */
function codec(how: Drive, driven: Driven): Take {
  const { chunks, payload } = codecOptions(how);
  const decoder = new FrameDecoder({
    role: how.role,
    rsv: how.extensions?.rsv ?? 0,
    chunks,
    payload,
  });
  const assembler = new MessageAssembler({
    maxMessageSize: how.maxMessageSize,
    maxFragments: how.maxFragments,
    payload,
    onControlFrame: (frame) => control(frame, driven),
  });
  const sink = {
    enqueue(message: Message) {
      if (typeof message === "string" || payload === "shared") {
        driven.events.push(message);
      } else if (payload === "borrowed") {
        driven.events.push(message.slice());
      } else {
        const isOwn = message.buffer.byteLength === message.length;
        ensure(isOwn, () => `owned: ${message.length} of ${message.buffer.byteLength} bytes`);
        driven.events.push(message);
      }
    },
  };
  const frames = { enqueue: (frame: Frame) => assembler.transform(frame, sink) };
  const { extensions } = how;
  const decoded = extensions === undefined
    ? frames
    : { enqueue: (frame: Frame) => extensions.receive(frame, frames) };
  return (piece) => {
    if (piece !== undefined) return decoder.transform(piece, decoded);
    try {
      decoder.flush();
    } catch (error) {
      ensure((error as WebSocketError).code === "ERR_TRUNCATED", () => describe(error));
      driven.isCut = true;
    }
  };
}

/** Drives a connection's receiver, and pauses it at some messages. */
function receiver(how: Drive, driven: Driven, parts: Map<number, Message[]>): Take {
  let state = how.pauses;
  const goesOn = () => {
    if (how.pauses === 0) return true;
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 16) % 3 !== 0;
  };
  let begun: Message[] = [];
  const consumer = {
    isFull: false,
    isIdle: true,
    mayReply: false,
    memoryUsage: 0,
    message: (message: Message) => {
      driven.events.push(message);
      return goesOn();
    },
    onClose() {},
  };
  const streams: PartConsumer = {
    part: (part: MessagePart) => {
      driven.parts++;
      begun.push(typeof part.data === "string" ? part.data : part.data.slice()); // Valid until here.
      if (part.fin) {
        // Control frames may have arrived between its parts: the message counts where it ends.
        parts.set(driven.events.push("") - 1, begun);
        begun = [];
      }
      return goesOn();
    },
  };
  const { role, extensions, maxMessageSize, maxFragments } = how;
  const lendsChunks = how.way.startsWith("lent");
  let failure: unknown;
  const core: ReceiverCore = {
    settings: {
      role,
      limits: { ...DEFAULT_LIMITS, maxMessageSize, maxFragments },
      timers,
      counters: uncounted,
    },
    transport: { lendsChunks, pause() {}, resume() {} },
    sender: { isFull: false },
    readers: { onFull() {} },
    keepalive: { paused() {}, resumed() {} },
    consumer,
    socket: undefined,
    isOpen: true,
    isClosing: false,
    isClosed: false,
    isOverBudget: false,
    control: (frame) => control(frame, driven),
    fail: (error) => void (failure ??= error),
    peerEnded() {},
    turn: {
      work: 1e6,
      isSpent: () => false,
      wait: () => () => {},
      skipWait: () => true,
      release: () => {},
    },
    onTurn() {},
    onIdle() {},
    handlerFailed() {},
    reportError() {},
  };
  const way = new Receiver(core, extensions);
  if (how.way.endsWith("parts")) way.streamMessages(streams);
  const take: Take = (piece) => {
    if (piece === undefined) {
      while (way.hasPendingInput) way.resume();
      return;
    }
    // A connection may or may not read on for a while after a pause.
    while (way.hasPendingInput && goesOn()) way.resume();
    way.take(piece);
    way.afterChunk();
  };
  return (piece) => {
    take(piece);
    const error = failure;
    failure = undefined;
    if (error !== undefined) throw error;
  };
}

/** Joins the parts of a message. */
function whole(parts: readonly Message[]): Message {
  const isText = typeof parts[0] === "string";
  ensure(parts.every((part) => (typeof part === "string") === isText), () => "parts of two types");
  return isText ? parts.join("") : join(...parts as Uint8Array[]);
}
