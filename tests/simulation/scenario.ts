/** One scenario: applications at both ends of virtual connections, and what must hold for them. */

import {
  accept,
  connect,
  connectOver,
  InvalidPayloadError,
  MessageTooBigError,
  PolicyViolationError,
  ProtocolError,
  ReconnectingWebSocket,
  serve,
  WebSocketStream,
} from "../../mod.ts";
import type {
  ConnectionOptions,
  ConnectOptions,
  WebSocketConnection,
  WebSocketServer,
} from "../../mod.ts";
import { SocketActor } from "./actor.ts";
import type { Form } from "./actor.ts";
import type { Stage } from "./stream_pair.ts";
import { ReconnectActor, StreamActor } from "./clients.ts";
import type { Config } from "./config.ts";
import { describe, Direction, Outbox, OutboxDirection, Promises, Violation } from "./ledger.ts";
import type { Content } from "./ledger.ts";
import type { Network } from "./network.ts";
import { realTurn } from "./virtual_time.ts";
import type { VirtualTime } from "./virtual_time.ts";
import { WireEnd, WireTransport } from "./wire.ts";

/** A connection of a server scenario. */
interface Link {
  readonly toServer: Direction;
  readonly toClient: Direction;
  readonly server: SocketActor;
  client: SocketActor | undefined;
}

/** The errors that are the peer's fault. */
const FAULTS = [ProtocolError, InvalidPayloadError, MessageTooBigError, PolicyViolationError];
/** The socket at which the server listens. */
const SOCKET = "/simulation";
/** The start of the URLs, which end with the number of the connection. */
const URL_BASE = "ws://example.com/";
/** The most clients of a server scenario. */
const MOST_CLIENTS = 4;
/** How long a timer may outlive all connections, in milliseconds: less than any timeout. */
const LAST_TICK = 400;
/** The time that a scenario may take to end, in milliseconds. */
const MOST_ENDING = 3_600_000;

/** See the module. */
export class Scenario implements Stage {
  readonly promises = new Promises();
  readonly config: Config;
  readonly time: VirtualTime;
  readonly network: Network;
  readonly actors: SocketActor[] = [];
  readonly streamActors: StreamActor[] = [];
  readonly reconnectActors: ReconnectActor[] = [];
  readonly ends: WireEnd[] = [];
  netEvents = 0;
  /** How many connections a server has accepted. */
  get served(): number {
    return this.#links.filter(({ server }) => server.isOpened).length;
  }

  /** Whether the network has broken a connection. */
  isBroken = false;
  /** The first broken invariant. */
  violation: Violation | undefined;
  #server: WebSocketServer | undefined;
  readonly #links: Link[] = [];
  readonly #bySocket = new WeakMap<WebSocketConnection, SocketActor>();
  #hasEnded = false;

  constructor(config: Config, time: VirtualTime, network: Network) {
    this.config = config;
    this.time = time;
    this.network = network;
    time.restart();
    network.restart();
    network.options = config.wires[0]!;
    network.onConnection = (client, server) => this.ends.push(client, server);
    time.onError = (error) => this.violated(error);
  }

  violated(error: unknown): void {
    this.violation ??= error instanceof Violation ? error : new Violation(
      "nothing throws",
      error instanceof Error ? error.stack ?? `${error}` : `${error}`,
    );
  }

  /** Starts the applications. */
  async start(): Promise<void> {
    if (this.config.kind === "server") return this.#serve();
    const { wires, forms } = this.config;
    const [a, b] = [new WireTransport(wires[0]!), new WireTransport(wires[1]!)];
    WireEnd.join(a, b);
    this.ends.push(a, b);
    const toServer = new Direction("client to server");
    const toClient = new Direction("server to client");
    const client = this.#actor("c0", forms[0]!, toClient, toServer);
    const server = this.#actor("s0", forms[1]!, toServer, toClient);
    this.actors.push(client, server);
    const options = this.#options();
    const handler = client.form === "callbacks" ? client.handler : undefined;
    accept(b, options).then((socket) => server.opened(socket), (error) => this.violated(error));
    connectOver(a, "ws://example.com/", options, handler)
      .then((socket) => client.opened(socket), (error) => this.violated(error));
    await this.#until(() => client.isOpened && server.isOpened);
  }

  #actor(name: string, form: Form, received: Direction, sent: Direction): SocketActor {
    const { limits, overflow, leastSize } = this.config;
    const facts = { ...limits, overflow, leastSize };
    return new SocketActor(name, form, this, { in: received, out: sent }, facts);
  }

  #options(): ConnectionOptions {
    const { limits, overflow, compression } = this.config;
    return { limits, overflow, compression: compression ? { threshold: 30 } : false };
  }

  #clientOptions(): ConnectOptions {
    return { ...this.#options(), path: SOCKET };
  }

  #serve(): void {
    const actorOf = (socket: WebSocketConnection): SocketActor => {
      const known = this.#bySocket.get(socket);
      if (known !== undefined) return known;
      const id = Number(new URL(socket.request.url).pathname.slice(1));
      const { server } = this.#links[id]!;
      this.#bySocket.set(socket, server);
      this.actors.push(server);
      return server;
    };
    const options = {
      ...this.#options(),
      path: SOCKET,
      onError: (error: unknown) => this.#reported(error),
    };
    this.#server = this.config.serverCallbacks
      ? serve(options, {
        open: (socket) => actorOf(socket).handler.open!(socket),
        message: (socket, message) => actorOf(socket).handler.message!(socket, message),
        drain: (socket) => actorOf(socket).handler.drain!(socket),
        error: (socket, error) => actorOf(socket).handler.error!(socket, error),
        close: (socket, info) => actorOf(socket).handler.close!(socket, info),
      })
      : serve(options, (socket) => {
        const actor = actorOf(socket);
        actor.opened(socket);
        return actor.handled.promise;
      });
  }

  /** No end breaks a rule of the protocol, or a limit of the other. */
  #reported(error: unknown): void {
    if (FAULTS.some((Fault) => error instanceof Fault)) {
      this.violated(new Violation("both ends keep to the protocol", `${error}`));
    }
  }

  #addLink(toServer: (id: number) => Direction): number {
    const id = this.#links.length;
    const { forms, serverCallbacks } = this.config;
    const form = serverCallbacks ? "callbacks" : forms[1 + id % (forms.length - 1)]!;
    const direction = toServer(id);
    const toClient = new Direction(`s${id} to its client`);
    // A server with a handler function has no callbacks.
    const own = form === "callbacks" && !serverCallbacks ? "iterator" : form;
    const server = this.#actor(`s${id}`, own, direction, toClient);
    this.#links.push({ toServer: direction, toClient, server, client: undefined });
    return id;
  }

  /** Whether another client may connect. */
  get canConnect(): boolean {
    const { actors, streamActors, reconnectActors } = this;
    const clients = actors.filter(({ name }) => name.startsWith("c")).length;
    return this.#server !== undefined &&
      clients + streamActors.length + reconnectActors.length < MOST_CLIENTS;
  }

  /** Has a client connect with `connect()`. */
  connect(): void {
    if (!this.canConnect) return;
    const id = this.#addLink((id) => new Direction(`c${id} to the server`));
    const link = this.#links[id]!;
    const form = this.config.forms[0]!;
    const client = link.client = this.#actor(`c${id}`, form, link.toClient, link.toServer);
    this.actors.push(client);
    const handler = form === "callbacks" ? client.handler : undefined;
    const promise = connect(`${URL_BASE}${id}`, this.#clientOptions(), handler);
    this.promises.track(`c${id} connect()`, promise, ({ state, value }) => {
      if (state === "resolved") client.opened(value as WebSocketConnection);
    });
  }

  /** Has a client connect with a `WebSocketStream`. */
  connectStream(): void {
    if (!this.canConnect) return;
    const id = this.#addLink((id) => new Direction(`w${id} to the server`));
    const { toServer, toClient } = this.#links[id]!;
    const stream = new WebSocketStream(`${URL_BASE}${id}`, this.#clientOptions());
    this.streamActors.push(
      new StreamActor(`w${id}`, this, { in: toClient, out: toServer }, stream),
    );
  }

  /** Has a `ReconnectingWebSocket` connect. */
  reconnect(): void {
    if (!this.canConnect) return;
    const outbox = new Outbox();
    const name = `r${this.reconnectActors.length}`;
    const ids: number[] = [];
    const url = () => {
      const id = this.#addLink((id) => new OutboxDirection(`${name} to s${id}`, outbox));
      ids.push(id);
      return `${URL_BASE}${id}`;
    };
    const socket = new ReconnectingWebSocket(url, {
      ...this.#clientOptions(),
      initialDelay: 20,
      maxDelay: 500,
      maxQueueSize: 1000,
    });
    const received = (content: Content) => {
      const text = typeof content === "string" ? content : new TextDecoder().decode(content);
      const id = /^s(\d+)\./.exec(text)?.[1];
      if (id !== undefined) return this.#links[Number(id)]!.toClient.receive(content);
      // An echo, of whichever of its connections.
      for (const own of ids) {
        try {
          return this.#links[own]!.toClient.receive(content);
        } catch {
          // It is not of this one.
        }
      }
      throw new Violation("messages arrive in order, once and intact", describe(content));
    };
    this.reconnectActors.push(new ReconnectActor(name, this, outbox, socket, received));
  }

  /** Shuts the server down. */
  shutdown(options: { spread?: number; deadline?: number; drain?: boolean } = {}): void {
    const server = this.#server;
    if (server === undefined) return;
    for (const { server: actor } of this.#links) actor.hasClosed = true;
    this.promises.track("server shutdown()", server.shutdown(options), ({ state }) => {
      if (state === "resolved" && server.connections.size > 0) {
        this.violated(new Violation("shutdown() ends with the last connection", ""));
      }
    });
  }

  /** Ends a handler function, as if it returned or threw. */
  endHandler(actor: SocketActor, fails: boolean): void {
    actor.hasClosed = true;
    if (fails) actor.handled.reject(new Error("The handler has failed"));
    else actor.handled.resolve();
    actor.handled.promise.catch(() => {});
  }

  /** Checks what holds at all times. */
  check(): void {
    try {
      for (const actor of this.actors) actor.check();
      for (const actor of this.reconnectActors) actor.check();
      const memory = this.#server?.heldBytes ?? 0;
      if (!(memory >= 0)) throw new Violation("heldBytes is not negative", `server: ${memory}`);
    } catch (error) {
      this.violated(error);
    }
  }

  /** Has all applications read everything, and the network deliver everything. */
  async calm(): Promise<void> {
    for (const end of this.ends) end.isStalled = false;
    for (let idle = 0; idle < 4 && this.violation === undefined;) {
      // Some open only now.
      for (const actor of this.actors) {
        actor.auto();
        actor.endFeeds();
      }
      for (const actor of this.streamActors) actor.auto();
      for (const actor of this.reconnectActors) actor.auto();
      if (await this.#pump()) {
        idle = 0;
      } else {
        // Some promises wait for the next turn of the event loop, which is a timer.
        await this.time.advance(5);
        idle++;
      }
    }
  }

  /** What holds after `calm()`. */
  checkQuiet(): void {
    const [first, second] = this.actors;
    try {
      if (this.config.kind === "pair") {
        first!.checkQuiet(second);
        second!.checkQuiet(first);
        return;
      }
      for (const actor of this.streamActors) actor.checkQuiet();
      for (const actor of this.reconnectActors) actor.checkQuiet();
      for (const { client, server } of this.#links) {
        if (client === undefined || !client.isOpened || !server.isOpened) continue;
        client.checkQuiet(server);
        server.checkQuiet(client);
      }
    } catch (error) {
      this.violated(error);
    }
  }

  /** Ends everything, and checks what holds at the end. */
  async end(): Promise<void> {
    const { config, actors } = this;
    const isUndisturbed = config.isCalmed || config.ending === "slow";
    const wasOpen = isUndisturbed && !this.isBroken && config.kind === "pair" &&
      actors.every(({ socket, hasClosed, streams }) =>
        socket.readyState === 1 && !hasClosed && !streams.hasClosed
      ) &&
      // The end that closes waits for the other's Close no longer than `closeTimeout`.
      actors[1]!.socket.bufferedAmount === 0 &&
      // An echo keeps it from reading, and from its answer, for as long as its own peer is slow.
      !(config.ending === "slow" && actors[1]!.streams.isPiped);
    this.#hasEnded = true;
    await this.#close();
    if (config.ending === "slow") await this.#deliverSlowly();
    await this.calm();
    for (let passed = 0; passed < MOST_ENDING && this.violation === undefined;) {
      if (await this.#pump()) continue;
      const step = this.time.untilNext;
      if (step === undefined) break;
      if (this.ends.every(({ isClosed }) => isClosed) && this.promises.pending().length === 0) {
        // A tick of the timers that connections share may be under way.
        await this.time.advance(LAST_TICK);
        break;
      }
      await this.time.advance(step);
      passed += step;
      // Applications that opened meanwhile.
      if (this.#isClosing) await this.calm();
    }
    if (this.violation !== undefined) return;
    // As long as a handler function runs, the server counts what it has not read.
    for (const { handled } of this.actors) handled.resolve();
    await realTurn();
    try {
      this.#checkEnd(wasOpen);
    } catch (error) {
      this.violated(error);
    }
  }

  /** Ends everything after a broken invariant, so that nothing is left for the next scenario. */
  async dispose(): Promise<void> {
    this.#hasEnded = true;
    for (const end of this.ends) end.isStalled = false;
    for (const actor of this.actors) if (actor.isOpened) actor.socket.abort();
    for (const actor of this.reconnectActors) actor.close(1000, "");
    this.#server?.shutdown({ deadline: 0 });
    for (let i = 0; i < 1000; i++) {
      await realTurn();
      await this.time.runImmediates();
      while (this.network.attempts > 0) this.network.establish(0);
      const ready = this.ends.filter(({ events }) => events.length > 0);
      for (const end of ready) {
        for (const event of end.events.slice(0, 1)) end.fire(event, Infinity);
      }
      if (ready.length > 0) continue;
      const step = this.time.untilNext;
      if (step === undefined) return;
      await this.time.advance(step);
    }
  }

  /** Delivers a few bytes at a time, so that all takes several times `closeTimeout`. */
  async #deliverSlowly(): Promise<void> {
    for (const end of this.ends) end.isStalled = false;
    for (let i = 0; i < 2000 && this.violation === undefined; i++) {
      for (const actor of this.actors) {
        actor.auto();
        actor.endFeeds();
      }
      if (this.ends.every(({ isClosed }) => isClosed)) return;
      for (const end of this.ends) {
        while (end.events.includes("room")) {
          this.netEvents++;
          end.fire("room", 0);
          await realTurn();
        }
      }
      for (const end of this.ends) {
        const [event] = end.events;
        if (event === undefined) continue;
        this.netEvents++;
        end.fire(event, 100);
        await realTurn();
      }
      this.check();
      await this.time.advance(this.config.limits.closeTimeout / 10);
    }
  }

  get #isClosing(): boolean {
    return this.actors.some((actor) => !actor.isAuto && actor.isOpened);
  }

  async #close(): Promise<void> {
    const { config, actors } = this;
    const isClient = ({ name }: SocketActor) => name.startsWith("c");
    const closes = (actor: SocketActor) => actor.isOpened && actor.close(1000, "the end");
    for (const { handled } of actors) handled.promise.catch(() => {});
    if (config.ending === "break") { for (const end of this.ends) end.breakDown(); }
    if (config.ending === "abort") {
      for (const actor of actors) if (isClient(actor) && actor.isOpened) actor.abort();
    }
    const { ending } = config;
    if (ending === "second" || ending === "both") {
      if (config.kind === "server") this.shutdown();
      else closes(actors[1]!);
    }
    if (ending !== "second") actors.filter(isClient).forEach(closes);
    if (config.kind === "pair") return;
    // Without this, a client that reconnects does so for ever.
    for (const actor of this.reconnectActors) actor.close(1000, "the end");
    for (const actor of this.streamActors) actor.close(1000, "the end");
    if (ending === "first") await this.calm();
    this.shutdown();
  }

  #checkEnd(wasOpen: boolean): void {
    const fail = (invariant: string, detail: string): never => {
      throw new Violation(invariant, detail);
    };
    const open = this.ends.filter(({ isClosed }) => !isClosed);
    if (open.length > 0) {
      fail("all connections are closed in the end", `${open.length} ends are open`);
    }
    const pending = this.promises.pending();
    if (pending.length > 0) fail("every promise settles", pending.join(", "));
    const { pendingTimers } = this.time;
    if (pendingTimers > 0) {
      fail("no timer is left", `${pendingTimers}: ${this.time.timerPlaces.join("\n")}`);
    }
    const [first, second] = this.config.kind === "pair" ? this.actors : [];
    for (const actor of this.actors) {
      actor.check();
      actor.checkClosed(actor === first ? second : first);
    }
    const server = this.#server;
    if (server !== undefined) {
      if (server.connections.size > 0) fail("a server forgets closed connections", "");
      if (server.heldBytes !== 0) {
        fail("a server without connections holds no memory", `${server.heldBytes}`);
      }
      if (this.network.listeners > 0) fail("a server stops listening", "");
    }
    const { ending } = this.config;
    if (wasOpen && ending !== "abort" && ending !== "break") {
      for (const { name, closeInfo } of this.actors) {
        const { wasClean, closeCode } = closeInfo!;
        if (!wasClean || closeCode !== 1000) {
          const how = ending === "slow" ? "slow" : "quiet";
          fail(
            `an undisturbed close is clean (${how})`,
            `${name}: ${closeCode}, ${closeInfo!.error}`,
          );
        }
      }
    }
    for (const { closeInfo } of this.actors) {
      if (closeInfo?.error !== undefined) this.#reported(closeInfo.error);
    }
    if (this.violation !== undefined) throw this.violation;
  }

  async #until(condition: () => boolean): Promise<void> {
    for (let i = 0; i < 10_000 && !condition() && this.violation === undefined; i++) {
      if (!await this.#pump()) await this.time.advance(1);
    }
    if (!condition()) this.violated(new Violation("a connection opens", ""));
  }

  /** Delivers everything that can be delivered; returns whether there was anything. */
  async #pump(): Promise<boolean> {
    let isBusy = false;
    for (let i = 0; i < 100_000 && this.violation === undefined; i++) {
      await realTurn();
      if (this.time.hasImmediates) {
        await this.time.runImmediates();
        isBusy = true;
        continue;
      }
      while (this.network.attempts > 0) this.network.establish(0);
      let hasFired = false;
      for (const end of this.ends) {
        const [event] = end.events;
        if (event === undefined) continue;
        this.netEvents++;
        end.fire(event, Infinity);
        hasFired = true;
      }
      this.check();
      if (!hasFired) return isBusy;
      isBusy = true;
      if (this.#hasEnded) { for (const actor of this.actors) if (actor.isOpened) actor.auto(); }
    }
    return isBusy;
  }
}
