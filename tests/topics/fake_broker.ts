import type { Broker, BrokerEvents } from "../../src/topics/broker.ts";
import { encodeText } from "../../src/topics/relay_wire.ts";
import type { WireMessage } from "../../src/topics/relay_wire.ts";
import type { History, Keep, Position } from "../../src/topics/types.ts";

/** A broker in this process. It delivers in the next microtask. */
export class FakeHub {
  readonly clients = new Set<FakeBroker>();
  /** What was published: the channel and the payload. */
  readonly log: [channel: string, payload: string][] = [];

  connect(): FakeBroker {
    const client = new FakeBroker(this);
    this.clients.add(client);
    return client;
  }

  publish(channel: string, payload: string | Uint8Array): void {
    if (typeof payload === "string") this.log.push([channel, payload]);
    queueMicrotask(() => {
      for (const client of this.clients) client.deliver(channel, payload);
    });
  }

  /** The control messages of a type. */
  said(type: string): Record<string, unknown>[] {
    return this.log.filter(([, payload]) => payload.startsWith("{"))
      .map(([, payload]) => JSON.parse(payload)).filter((control) => control.type === type);
  }
}

/** The client of a relay. The test decides what reaches it, and what it sends. */
export class FakeBroker implements Broker {
  /** Whether it receives nothing. */
  isDeaf = false;
  /** Whether nothing that it sends arrives. */
  isMute = false;
  /** What `store()` returns. */
  stored: () => Promise<Position> = () => new Promise(() => {});
  renewals = 0;
  readonly channels = new Set<string>();
  events: BrokerEvents | undefined;

  constructor(readonly hub: FakeHub) {}

  start(events: BrokerEvents): Promise<void> {
    this.events = events;
    return Promise.resolve();
  }

  subscribe(channel: string): Promise<void> {
    this.channels.add(channel);
    return Promise.resolve();
  }

  unsubscribe(channel: string): void {
    this.channels.delete(channel);
  }

  sendControl(channel: string, text: string): void {
    if (!this.isMute) this.hub.publish(channel, text);
  }

  send(channel: string, message: WireMessage): void {
    if (!this.isMute) this.hub.publish(channel, encodeText(message));
  }

  deliver(channel: string, payload: string | Uint8Array): void {
    if (!this.isDeaf && this.channels.has(channel)) this.events?.message(channel, payload);
  }

  renew(): Promise<void> {
    this.renewals++;
    return Promise.resolve();
  }

  tick(): void {}

  store(_topic: string, _message: WireMessage, _keep: Keep): Promise<Position> {
    return this.stored();
  }

  follow(): Promise<void> {
    return Promise.resolve();
  }

  unfollow(): void {}

  read(): Promise<History> {
    return Promise.reject(new Error("no store"));
  }

  stop(): Promise<void> {
    this.hub.clients.delete(this);
    return Promise.resolve();
  }
}
