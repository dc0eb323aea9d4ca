/** Whole sessions, recorded from two connections that talk to each other, to be played again. */

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

/** What is recorded. */
export interface SessionPlan {
  readonly role: Role;
  readonly use: Use;
  readonly isCompressed: boolean;
  /** Who sends its Close first. */
  readonly closer: "peer" | "subject";
  /** What the peer sends; its second message in fragments, with a Ping in between. */
  readonly messages: readonly Message[];
  readonly limits?: Partial<Limits>;
}

/** Some of the peer's bytes, and how many of ours must have come before. */
interface Step {
  readonly after: number;
  readonly bytes: Uint8Array;
}

/** What came of a plan. */
export interface Session extends SessionPlan {
  readonly name: string;
  /** The peer's part of it. */
  readonly steps: readonly Step[];
  /** How many bytes the peer sends, and how many of them are the handshake's. */
  readonly length: number;
  readonly headLength: number;
  /** The same of what we send. */
  readonly sentLength: number;
  readonly sentHeadLength: number;
  /** All that the peer sends in messages: that which makes us close is one. */
  readonly messages: readonly Message[];
  /** Where each frame of the peer's ends. */
  readonly frameEnds: readonly number[];
  /** Where each message of the peer's ends, and the peer's Close. */
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

/** What the peer does: a message, a message in fragments around a Ping, and the others. */
async function talk(
  peer: WebSocketConnection,
  messages: readonly Message[],
  closer: "peer" | "subject",
): Promise<void> {
  let count = 0;
  const counting = (async () => {
    for await (const _ of peer) count++;
  })();
  /** Each message is echoed, the first one with another; a greeting came before. */
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

/** What has passed, as the peer's part, and where in it things end. */
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

/** Where the head of an HTTP message ends; 0 where it doesn't. */
export function headEnd(bytes: Uint8Array): number {
  return latin1.decode(bytes.subarray(0, 1024)).indexOf("\r\n\r\n") + 4;
}

const latin1 = new TextDecoder("latin1");

/** How a session is played. */
export interface PlayOptions extends FaultOptions {
  /** Whether the peer waits for nothing but the handshake. */
  readonly isEager?: boolean;
  readonly memory?: MemoryOptions;
  readonly limits: Partial<Limits>;
  readonly signal?: AbortSignal | undefined;
}

/** A session that is played. */
export interface Played {
  readonly transport: FaultTransport;
  readonly subject: Subject;
}

/** Plays a session's peer to a new connection. */
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

/** The peer's end: it says its part. */
class Player {
  readonly #transport: MemoryTransport;
  readonly #session: Session;
  readonly #isEager: boolean;
  #next = 0;
  #received = 0;
  #hasEnded = false;
  #isWriting = false;
  /** The request, for a client's key is always another. */
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
