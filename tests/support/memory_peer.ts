import type { Role } from "../../src/protocol/frame.ts";
import type { MemoryTransport } from "../../src/transport/memory_transport.ts";
import { join } from "./bytes.ts";
import { closePayload, frameWords, rawFrame, wholeFrames } from "./frames.ts";
import type { ParsedFrame, RawFrame } from "./frames.ts";
import { Changes } from "./changes.ts";

/** How long to wait for an event that is due at once, in milliseconds. */
const PATIENCE = 5000;

/** First bytes of frames: FIN and opcode, or the opcode alone. */
export const First = {
  Text: 0x81,
  Binary: 0x82,
  Close: 0x88,
  Ping: 0x89,
  Pong: 0x8a,
  TextStart: 0x01,
  Continuation: 0x00,
  ContinuationEnd: 0x80,
} as const;

/** A Close frame; without a code if none is given. */
export function closeFrame(code?: number, reason = ""): RawFrame {
  return { first: First.Close, payload: code === undefined ? "" : closePayload(code, reason) };
}

/** A text frame. */
export function textFrame(payload: string): RawFrame {
  return { first: First.Text, payload };
}

/** The other end of a connection under test: raw frames in memory. It answers nothing by itself. */
export class MemoryPeer {
  readonly transport: MemoryTransport;
  /** The received frames. */
  readonly frames: ParsedFrame[] = [];
  /** Whether the connection under test has ended its direction. */
  hasEnded = false;
  /** Whether the connection is closed. */
  isClosed = false;
  /** The error that the transport closed with. */
  error: unknown;
  readonly #role: Role;
  #rest: Uint8Array = new Uint8Array(0);
  #unread: number;
  #queue: Uint8Array[] = [];
  #isWriting = false;
  readonly #changes = new Changes();

  /**
   * @param role The role of the peer.
   * @param skip The length of the response to the opening handshake, which is skipped, in bytes.
   */
  constructor(transport: MemoryTransport, role: Role, skip = 0) {
    this.transport = transport;
    this.#role = role;
    this.#unread = skip;
    transport.handler = {
      data: (chunk) => this.#read(chunk),
      drain: () => {
        this.#isWriting = false;
        this.#flush();
        this.#changes.tell();
      },
      end: () => {
        this.hasEnded = true;
        this.#changes.tell();
      },
      close: (error) => {
        this.isClosed = true;
        this.error = error;
        this.#changes.tell();
      },
    };
  }

  /** The received frames in words. */
  get words(): string[] {
    return this.frames.map(frameWords);
  }

  /** Whether sent bytes wait for the connection under test. */
  get isStuck(): boolean {
    return this.#isWriting;
  }

  /** Sends frames in one write, masked if the peer is a client. */
  send(...frames: RawFrame[]): void {
    const to = this.#role === "client" ? "server" : "client";
    this.sendBytes(join(...frames.map((frame) => rawFrame(frame, to))));
  }

  /** Sends bytes. */
  sendBytes(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#flush();
  }

  /** Waits for the Close frame, answers it, and ends TCP in the order of the roles. */
  async closeBack(): Promise<void> {
    const isClose = ({ first }: ParsedFrame) => first === First.Close;
    await this.until(() => this.frames.some(isClose), "a Close frame");
    const { payload } = this.frames.find(isClose)!;
    this.send({ first: First.Close, payload });
    await this.end();
  }

  /** Ends TCP: a server first, a client after it. */
  async end(): Promise<void> {
    await this.until(() => !this.isStuck || this.isClosed, "room for what was sent");
    if (this.#role === "client") await this.until(() => this.hasEnded || this.isClosed, "the end");
    this.transport.close();
  }

  /** From now on, reads at most so many bytes a millisecond. */
  readSlowly(bytes: number): void {
    const handler = this.transport.handler!;
    const { data } = handler;
    handler.data = (chunk) => {
      data(chunk);
      this.transport.pause();
      setTimeout(() => this.transport.resume(), chunk.length / bytes);
    };
  }

  /** Resolves once the condition holds; evaluates it after each event. */
  async until(condition: () => boolean, what: string): Promise<void> {
    await this.#changes.until(condition, PATIENCE, what);
  }

  /** Waits for so many frames, and returns all received ones in words. */
  async received(count: number): Promise<string[]> {
    await this.until(() => this.frames.length >= count, `frame ${count}`);
    return this.words;
  }

  #read(chunk: Uint8Array): void {
    const skipped = Math.min(this.#unread, chunk.length);
    this.#unread -= skipped;
    const { frames, rest } = wholeFrames(join(this.#rest, chunk.subarray(skipped)));
    this.frames.push(...frames);
    this.#rest = rest;
    this.#changes.tell();
  }

  #flush(): void {
    while (!this.#isWriting) {
      const bytes = this.#queue.shift();
      if (bytes === undefined) return;
      this.#isWriting = !this.transport.write(bytes);
    }
  }
}
