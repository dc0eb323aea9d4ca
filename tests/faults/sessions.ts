/** Records whole sessions between two connections, and replays the peer's side of them. */

import { accept } from "../../src/server/accept.ts";
import { connectOver } from "../../src/client/connect.ts";
import type { WebSocketConnection } from "../../src/connection/connection.ts";
import type { Role } from "../../src/protocol/frame.ts";
import type { Limits } from "../../src/connection/limits.ts";
import type { Message } from "../../src/protocol/message.ts";
import { computeAcceptKey } from "../../src/handshake/accept_key.ts";
import { memoryPair } from "../../src/transport/memory_transport.ts";
import type { MemoryOptions, MemoryTransport } from "../../src/transport/memory_transport.ts";
import { assert, assertEquals, deadline, delay } from "../harness.ts";
import { FaultTransport } from "../support/fault_transport.ts";
import type { FaultOptions } from "../support/fault_transport.ts";
import { wholeFrames } from "../support/frames.ts";
import { QUIT } from "./drives.ts";
import { startSubject } from "./subject.ts";
import type { Subject, Use } from "./subject.ts";

/** The plan of a session. */
export interface SessionPlan {
  readonly role: Role;
  readonly use: Use;
  readonly isCompressed: boolean;
  /** Which end sends its Close first. */
  readonly closer: "peer" | "subject";
  /** The peer's messages; the second one is sent in fragments, with a Ping in between. */
  readonly messages: readonly Message[];
  readonly limits?: Partial<Limits>;
}

/** Bytes of the peer, and how many of ours it must have received before it sends them. */
interface Step {
  readonly after: number;
  readonly bytes: Uint8Array;
}

/** A recorded session. */
export interface Session extends SessionPlan {
  readonly name: string;
  /** What the peer sends, and when. */
  readonly steps: readonly Step[];
  /** The number of bytes that the peer sends, and the number of those of its handshake. */
  readonly length: number;
  readonly headLength: number;
  /** The same numbers for this end. */
  readonly sentLength: number;
  readonly sentHeadLength: number;
  /** The peer's messages, including the one after which this end closes. */
  readonly messages: readonly Message[];
  /** The end offset of each frame of the peer. */
  readonly frameEnds: readonly number[];
  /** The end offset of each message of the peer, and of its Close. */
  readonly messageEnds: readonly number[];
  readonly closeEnd: number;
}

const RECORDING: Partial<Limits> = { closeTimeout: 20_000, handshakeTimeout: 20_000 };

/** Records a session. */
export async function record(plan: SessionPlan): Promise<Session> {
  const { role, use, isCompressed, closer } = plan;
  const [here, there] = memoryPair({ capacity: 1024 * 1024 });
  const transport = new FaultTransport(here);
  const limits = { ...RECORDING, ...plan.limits };
  const subject = startSubject(transport, { role, use, isCompressed, limits });
  const compression = isCompressed ? { threshold: 0 } : false;
  const options = { compression, limits: { ...RECORDING, maxMessageSize: Infinity } };
  const peer = role === "server"
    ? await connectOver(there, "ws://example.com/", options)
    : await accept(there, options);
  const messages = closer === "subject" ? [...plan.messages, QUIT] : plan.messages;
  await talk(peer, messages, closer);
  const { closeCode, wasClean } = await deadline(subject.over, 20_000, "the session's end");
  assertEquals([closeCode, wasClean], [1000, true]);
  return { ...plan, ...analyze(transport, messages), name: nameOf(plan) };
}

function nameOf({ role, use, isCompressed, closer }: SessionPlan): string {
  const extension = isCompressed ? ", compressed" : "";
  return `${role}, ${use}${extension}, ${closer === "peer" ? "closed by the peer" : "closes"}`;
}

/** The peer: sends a message, a message in fragments around a Ping, and the others. */
async function talk(
  peer: WebSocketConnection,
  messages: readonly Message[],
  closer: "peer" | "subject",
): Promise<void> {
  let count = 0;
  const counting = (async () => {
    for await (const _ of peer) count++;
  })();
  /** Each message is echoed; a second one follows the first echo, and a greeting precedes it. */
  const echoed = async (index: number) => {
    while (count < index + 3) await delay(0);
  };
  for (const [i, message] of messages.entries()) {
    if (i === 1) {
      const half = message.length >> 1;
      const { readable, writable } = new TransformStream<Message, Message>();
      const sent = peer.send(readable as ReadableStream<string>);
      const writer = writable.getWriter();
      await writer.write(message.slice(0, half));
      await peer.ping();
      await writer.write(message.slice(half));
      await writer.close();
      await sent;
    } else {
      await peer.send(message as string);
    }
    if (message !== QUIT) await deadline(echoed(i), 20_000, `the echo of message ${i}`);
  }
  if (closer === "peer") await peer.close(1000, "bye");
  await counting;
}

/** Returns the recorded bytes as the peer's part, with the offsets in it. */
function analyze(transport: FaultTransport, messages: readonly Message[]) {
  const steps: Step[] = [];
  let after = 0;
  for (const item of transport.passed) {
    if (item.type === "out") after += item.bytes.length;
    else if (item.type === "in") steps.push({ after, bytes: item.bytes });
  }
  const bytes = transport.bytes("in");
  const headLength = headEnd(bytes);
  const frameEnds: number[] = [];
  const messageEnds: number[] = [];
  let closeEnd = Infinity;
  let position = headLength;
  for (const { first, header, key, payload } of wholeFrames(bytes.slice(headLength)).frames) {
    position += (header.length + 1) / 3 + (key === "" ? 0 : 4) + payload.length;
    frameEnds.push(position);
    if ((first & 0x0f) === 8) closeEnd = position;
    else if ((first & 0x88) === 0x80) messageEnds.push(position);
  }
  assertEquals(position, bytes.length);
  assertEquals(messageEnds.length, messages.length);
  const { length } = bytes;
  assert(closeEnd === length);
  return {
    steps,
    length,
    headLength,
    sentLength: after,
    sentHeadLength: headEnd(transport.bytes("out")),
    messages,
    frameEnds,
    messageEnds,
    closeEnd,
  };
}

/** Returns the end offset of the head of an HTTP message; 0 if it is incomplete. */
export function headEnd(bytes: Uint8Array): number {
  return latin1.decode(bytes.subarray(0, 1024)).indexOf("\r\n\r\n") + 4;
}

const latin1 = new TextDecoder("latin1");

/** Options of a replay. */
export interface PlayOptions extends FaultOptions {
  /** Whether the peer waits for the handshake only. */
  readonly isEager?: boolean;
  readonly memory?: MemoryOptions;
  readonly limits: Partial<Limits>;
  readonly signal?: AbortSignal | undefined;
}

/** A session that is being replayed. */
export interface Played {
  readonly transport: FaultTransport;
  readonly subject: Subject;
}

/** Replays the peer of a session to a new connection. */
export function play(session: Session, options: PlayOptions): Played {
  const { memory = {}, limits, signal } = options;
  const { role, use, isCompressed } = session;
  const [here, there] = memoryPair(memory);
  const transport = new FaultTransport(here, options);
  new Player(there, session, options.isEager ?? false).start();
  const subject = startSubject(transport, {
    role,
    use,
    isCompressed,
    limits: { ...session.limits, ...limits },
    signal,
  });
  return { transport, subject };
}

/** The peer's end: sends its part. */
class Player {
  readonly #transport: MemoryTransport;
  readonly #session: Session;
  readonly #isEager: boolean;
  #next = 0;
  #received = 0;
  #hasEnded = false;
  #isWriting = false;
  /** The request, since each client has another key. */
  #request = "";

  constructor(transport: MemoryTransport, session: Session, isEager: boolean) {
    this.#transport = transport;
    this.#session = session;
    this.#isEager = isEager;
  }

  start(): void {
    this.#transport.handler = {
      data: (chunk) => {
        this.#received += chunk.length;
        if (this.#session.role === "client" && this.#next === 0) {
          this.#request += latin1.decode(chunk);
        }
        this.#go();
      },
      drain: () => {
        this.#isWriting = false;
        this.#go();
      },
      end: () => {
        this.#hasEnded = true;
        this.#go();
      },
      close() {},
    };
    this.#go();
  }

  #go(): void {
    const { role, steps } = this.#session;
    while (!this.#isWriting && this.#next < steps.length) {
      const { after, bytes } = steps[this.#next];
      if (this.#received < (this.#isEager && this.#next > 0 ? 0 : after)) return;
      const isAnswer = role === "client" && this.#next === 0;
      this.#next++;
      this.#isWriting = !this.#transport.write(isAnswer ? this.#answer(bytes) : bytes.slice());
    }
    if (this.#isWriting || this.#next < steps.length) return;
    // RFC 6455 §7.1.1: TCP is closed first by the server.
    if (role === "client" || this.#hasEnded) this.#transport.shutdown();
    if (this.#hasEnded) this.#transport.close();
  }

  #answer(bytes: Uint8Array): Uint8Array {
    const key = /^Sec-WebSocket-Key: (.*)\r$/im.exec(this.#request)![1];
    const text = latin1.decode(bytes.subarray(0, headEnd(bytes)));
    const own = text.replace(/(?<=^Sec-WebSocket-Accept: ).*(?=\r$)/im, computeAcceptKey(key));
    assertEquals(own.length, text.length);
    const answer = bytes.slice();
    answer.set(new TextEncoder().encode(own));
    return answer;
  }
}
