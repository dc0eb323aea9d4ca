// Clients over raw TCP, in a process of their own: they read fixed-size frames, or nothing.
import { connect } from "node:net";
import type { Socket } from "node:net";
import { answer, configuration } from "../cluster/processes.ts";
import { quantile } from "./bar.ts";

/** The configuration: which clients connect to where. */
export interface ClientsConfig {
  port: number;
  /** The number of clients that read. */
  reading: number;
  /** The number of clients that do not read until `resume`. */
  stalled: number;
}

/** A Pong without data, masked with zeros. */
const PONG = Uint8Array.of(0x8a, 0x80, 0, 0, 0, 0);

/** What a client has received. */
export interface Received {
  count: number;
  /** The sum of the gaps that it was told. */
  told: number;
  /** How often a number did not follow the one before and the gap told between. */
  wrong: number;
  last: number;
  isClosed: boolean;
  closeCode: number;
}

class Client {
  readonly received: Received = {
    count: 0,
    told: 0,
    wrong: 0,
    last: 0,
    isClosed: false,
    closeCode: 0,
  };
  readonly socket: Socket;
  readonly isStalled: boolean;
  readonly latencies: number[] | undefined;
  #gap = 0;
  #rest = new Uint8Array(0);

  private constructor(socket: Socket, isStalled: boolean, isTimed: boolean) {
    this.socket = socket;
    this.isStalled = isStalled;
    this.latencies = isTimed ? [] : undefined;
  }

  static open(port: number, isStalled: boolean, isTimed: boolean): Promise<Client> {
    const { promise, resolve, reject } = Promise.withResolvers<Client>();
    const socket = connect(port, "127.0.0.1");
    const client = new Client(socket, isStalled, isTimed);
    socket.on("error", reject);
    socket.on("close", () => client.received.isClosed = true);
    socket.write(
      `GET /${
        isStalled ? "stalled" : ""
      } HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    let head = "";
    const readHead = (chunk: Uint8Array) => {
      head += new TextDecoder("latin1").decode(chunk);
      if (!head.endsWith("\r\n\r\n")) return;
      socket.off("data", readHead);
      if (isStalled) socket.pause();
      else socket.on("data", (chunk) => client.#read(chunk as Uint8Array));
      resolve(client);
    };
    socket.on("data", readHead);
    return promise;
  }

  /** Reads what has waited. */
  resume(): void {
    this.socket.on("data", (chunk) => this.#read(chunk as Uint8Array));
    this.socket.resume();
  }

  #read(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    while (at + 4 <= bytes.length) {
      const short = bytes[at + 1]!;
      const header = short < 126 ? 2 : 4;
      const length = short < 126 ? short : view.getUint16(at + 2);
      if (at + header + length > bytes.length) break;
      if (bytes[at] === 0x82) this.#take(view, at + header);
      else if (bytes[at] === 0x88) this.received.closeCode = view.getUint16(at + 2);
      else if (bytes[at] === 0x89) this.#pong(bytes.subarray(at + header, at + header + length));
      at += header + length;
    }
    this.#rest = bytes.slice(at);
  }

  #pong(data: Uint8Array): void {
    const pong = new Uint8Array(PONG.length + data.length);
    pong.set(PONG);
    pong[1]! |= data.length;
    pong.set(data, PONG.length);
    this.socket.write(pong);
  }

  /** Takes a message: a number, the time, and whether it is a gap; see `messageOf()`. */
  #take(view: DataView, at: number): void {
    const number = view.getUint32(at);
    const { received } = this;
    if (view.getUint8(at + 12) === 1) {
      received.told += number;
      this.#gap += number;
      return;
    }
    if (number !== received.last + 1 + this.#gap) received.wrong++;
    this.#gap = 0;
    received.last = number;
    received.count++;
    this.latencies?.push(Date.now() - view.getFloat64(at + 4));
  }
}

const { port, reading, stalled } = configuration<ClientsConfig>();
const clients: Client[] = [];

answer({
  async open() {
    while (clients.length < reading + stalled) {
      const some = Math.min(64, reading + stalled - clients.length);
      clients.push(
        ...await Promise.all(
          Array.from({ length: some }, (_, n) => {
            const index = clients.length + n;
            return Client.open(port, index >= reading, index < reading && index % 100 === 0);
          }),
        ),
      );
    }
  },
  resume() {
    for (const client of clients) if (client.isStalled) client.resume();
  },
  /** What the clients that read have, and what the others have. */
  received: () => ({
    reading: clients.filter(({ isStalled }) => !isStalled).map(({ received }) => received),
    stalled: clients.filter(({ isStalled }) => isStalled).map(({ received }) => received),
  }),
  /** The latency that 99 of 100 messages have at most, in milliseconds. */
  p99: () => quantile(clients.flatMap(({ latencies }) => latencies ?? []), 0.99),
  close() {
    for (const { socket } of clients) socket.destroy();
  },
});
