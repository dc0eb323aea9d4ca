/** The life of one connection: messages, pauses, stalls, and one of many endings. */

import type { Buffer } from "node:buffer";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { constants, deflateRawSync } from "node:zlib";
import { pause } from "../attacks/attack.ts";
import { closeFrame, frame } from "../../support/frames.ts";
import { request } from "../attacks/wire.ts";
import { ANSWERS } from "./ledger.ts";
import type { Ending, Ledger } from "./ledger.ts";
import { MessageReader } from "./message_reader.ts";
import { between, payloadOf, someSize } from "./payloads.ts";
import type { Chance, Sent } from "./payloads.ts";

/** How long the server may take for a response that is due at once, in milliseconds. */
const PATIENCE = 30_000;
/** The most messages that may wait for their echo. */
const MOST_UNECHOED = 50;

const ENDINGS: readonly [Ending, number][] = [
  ["close", 0.45],
  ["server's close", 0.2],
  ["reset", 0.15],
  ["end without Close", 0.1],
  ["garbage", 0.1],
];

/** What all connections have in common. */
export interface World {
  ports: readonly number[];
  ledger: Ledger;
  /** The mean time between the messages of a connection, in milliseconds. */
  interval: number;
  /** Aborts at the end of the soak. */
  signal: AbortSignal;
}

/** A connection, from its start to its end. */
export class Life {
  readonly #world: World;
  readonly #id: number;
  readonly #chance: Chance;
  readonly #ending: Ending;
  readonly #isCompressed: boolean;
  readonly #waiting: Sent[] = [];
  #socket: Socket | undefined;
  #sequence = 0;
  #code: number | undefined;
  #isGone = false;
  /** Whether its messages have been accounted for. */
  #isOver = false;
  #hasFailed = false;
  #wake: (() => void)[] = [];

  constructor(world: World, id: number, chance: Chance) {
    this.#world = world;
    this.#id = id;
    this.#chance = chance;
    this.#isCompressed = chance() < 0.4;
    let left = chance();
    this.#ending = ENDINGS.find(([, part]) => (left -= part) < 0)?.[0] ?? "close";
  }

  /** Runs it to its end. */
  async live(): Promise<void> {
    const { ledger } = this.#world;
    try {
      if (this.#chance() < 0.05) return await this.#halfHandshake();
      await this.#open();
      const count = between(this.#chance, 1, 60);
      while (this.#sequence < count && !this.#world.signal.aborted && !this.#isGone) {
        await this.#act();
      }
      await this.#end();
    } catch (error) {
      this.#problem(`${error}`);
    } finally {
      this.#isOver = true;
      this.#socket?.destroy();
      ledger.ended(this.#ending, this.#waiting.length);
    }
  }

  async #halfHandshake(): Promise<void> {
    this.#world.ledger.halfHandshakes++;
    const socket = await this.#connect();
    socket.write(request().slice(0, between(this.#chance, 0, 150)));
    await this.#sleep(between(this.#chance, 0, 500));
    if (this.#chance() < 0.5) socket.resetAndDestroy();
  }

  async #open(): Promise<void> {
    const socket = await this.#connect();
    this.#world.ledger.connections++;
    let head = "";
    const reader = new MessageReader({
      message: (payload, isText) => this.#echo(payload, isText),
      pong: () => void this.#world.ledger.pongs++,
      close: (code) => this.#code = code,
    });
    const opened = Promise.withResolvers<void>();
    socket.on("data", (chunk: Buffer) => {
      if (this.#isOver) return; // On Deno it may come after resetAndDestroy().
      try {
        if (head.includes("\r\n\r\n")) {
          reader.push(chunk);
        } else {
          head += chunk.toString("latin1");
          if (head.includes("\r\n\r\n")) opened.resolve();
        }
      } catch (error) {
        this.#problem(`${error}`);
        socket.destroy();
      }
      this.#tell();
    });
    // Without context takeover each message can be inflated by itself.
    const offer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    socket.write(
      request({ fields: this.#isCompressed ? { "Sec-WebSocket-Extensions": offer } : {} }),
    );
    await this.#within(opened.promise, "the answer to the handshake");
    if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(`refused: ${head.split("\r\n")[0]}`);
    if (this.#isCompressed && !/permessage-deflate/.test(head)) throw new Error("no compression");
  }

  async #connect(): Promise<Socket> {
    const { ports } = this.#world;
    const port = ports[this.#id % ports.length]!;
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.#socket = socket;
    socket.setNoDelay(true);
    const connected = new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    socket.on("error", () => this.#gone());
    socket.on("end", () => this.#gone());
    socket.on("close", () => this.#gone());
    await this.#within(connected, "a TCP connection");
    return socket;
  }

  /** Sends a message or a burst; sometimes a Ping, a stall or a pause. */
  async #act(): Promise<void> {
    const { ledger, interval } = this.#world;
    const chance = this.#chance;
    const burst = chance() < 0.1 ? between(chance, 2, 10) : 1;
    for (let i = 0; i < burst; i++) this.#send(false);
    if (chance() < 0.02) {
      ledger.stalls++;
      this.#socket!.pause();
      await this.#sleep(between(chance, 500, 3000));
      this.#socket!.resume();
    }
    // Between half and one and a half of the mean, whatever the size of the burst.
    await this.#sleep(interval * burst * (0.5 + chance()));
    if (this.#waiting.length < MOST_UNECHOED) return;
    const wait = this.#until(() => this.#waiting.length < MOST_UNECHOED || this.#isGone);
    await this.#within(wait, `${MOST_UNECHOED} echoes`);
  }

  #send(isLast: boolean): void {
    const { ledger } = this.#world;
    const chance = this.#chance;
    const sent: Sent = {
      isText: chance() < 0.5,
      connection: this.#id,
      sequence: this.#sequence++,
      size: someSize(chance),
      isLast,
    };
    const payload = payloadOf(sent);
    this.#waiting.push(sent);
    ledger.sent++;
    ledger.bytes += payload.length;
    const rsv1 = this.#isCompressed && chance() < 0.7;
    const body = rsv1
      ? deflateRawSync(payload, { level: 1, finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
      : payload;
    const opcode = sent.isText ? 1 : 2;
    const pieces = chance() < 0.2 ? between(chance, 2, 8) : 1;
    const step = Math.ceil(body.length / pieces);
    for (let i = 0; i < pieces; i++) {
      const part = body.subarray(i * step, i === pieces - 1 ? undefined : (i + 1) * step);
      const fin = i === pieces - 1;
      this.#socket!.write(
        frame({ fin, rsv: rsv1 && i === 0 ? 4 : 0, opcode: i === 0 ? opcode : 0, payload: part }),
      );
      if (chance() < 0.05) {
        ledger.pings++;
        this.#socket!.write(frame({ opcode: 9, payload: "soak" }));
      }
    }
  }

  #echo(payload: Buffer, isText: boolean): void {
    const sent = this.#waiting.shift();
    if (sent === undefined) throw new Error("an echo of nothing");
    const expected = payloadOf(sent);
    if (isText !== sent.isText || !expected.equals(payload)) {
      const got = payload.subarray(0, 40).toString("latin1");
      const wanted = expected.subarray(0, 40).toString("latin1");
      throw new Error(`an echo of ${payload.length} bytes, "${got}", instead of "${wanted}"`);
    }
    this.#world.ledger.echoed++;
  }

  async #end(): Promise<void> {
    const socket = this.#socket!;
    const ending = this.#ending;
    const sequence = this.#sequence;
    if (this.#isGone && !this.#hasFailed) {
      throw new Error(`gone before its end, with ${this.#code}`);
    }
    if (ending === "reset") return void socket.resetAndDestroy();
    if (ending === "end without Close") socket.end();
    if (ending === "close") socket.write(closeFrame(1000));
    if (ending === "garbage") socket.write(frame({ opcode: 3, payload: "garbage" }));
    if (ending === "server's close") {
      this.#send(true);
      // Later messages may be lost, and are counted.
      if (this.#chance() < 0.5) this.#send(false);
    }
    const closed = this.#until(() => this.#isGone);
    await this.#within(closed, `the end of TCP after ${ending}`);
    if (this.#code !== ANSWERS[ending]) {
      this.#problem(`was closed with ${this.#code}, not ${ANSWERS[ending]}`);
    }
    // Messages before a Close are echoed; if the server was asked to close, those up to that message.
    const lost = this.#waiting[0]?.sequence ?? Infinity;
    const last = ending === "server's close" ? sequence : this.#sequence - 1;
    const isClean = ending === "close" || ending === "server's close";
    if (isClean && lost <= last) this.#problem(`lost message ${lost} of ${last} before its Close`);
    if (ending === "server's close") {
      socket.write(closeFrame(1000));
      socket.end();
    }
  }

  #problem(text: string): void {
    this.#hasFailed = true;
    const form = ["callbacks", "for await", "pipe"][this.#id % this.#world.ports.length];
    const deflate = this.#isCompressed ? ", compressed" : "";
    this.#world.ledger.problem(
      `connection ${this.#id} (${form}${deflate}, ${this.#ending}): ${text}`,
    );
  }

  #gone(): void {
    this.#isGone = true;
    this.#tell();
  }

  #tell(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  /** Sleeps, at most until the end of the soak or of the connection. */
  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#world;
    const until = performance.now() + ms;
    while (performance.now() < until && !signal.aborted && !this.#isGone) {
      await pause(Math.max(0, Math.min(1000, until - performance.now())));
    }
  }

  async #within(promise: Promise<void>, what: string): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${what}: not within ${PATIENCE} ms`)), PATIENCE);
    });
    try {
      await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
