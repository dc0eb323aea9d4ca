/** A message of NATS. */
export interface NatsMessage {
  /** The subject. */
  subject: string;
  /** The payload. */
  data: Uint8Array;
  /** The subject for answers; for messages of JetStream, their place in the stream. */
  reply?: string;
  /** The headers. */
  headers?: { get(name: string): string };
}

/** The members of a NATS connection that `natsRelay()` uses. */
export interface NatsConnection {
  /** Sends a message. The payload must not be changed until it has been written. */
  publish(subject: string, payload: Uint8Array): void;
  /** Receives messages. */
  subscribe(
    subject: string,
    options: { callback(error: Error | null, message: NatsMessage): void },
  ): { unsubscribe(): void };
  /** Sends a request, and resolves to its answer. */
  request(
    subject: string,
    payload: Uint8Array,
    options: { timeout: number },
  ): Promise<{ data: Uint8Array }>;
  /** Reports changes of the connection: `disconnect` and `reconnect` among them. */
  status(): AsyncIterable<{ type: string }>;
}

/** The member of a JetStream client that `natsRelay()` uses: `jetstream(connection)`. */
export interface JetStream {
  /** Stores a message, and resolves to its sequence number. */
  publish(
    subject: string,
    payload: Uint8Array,
    options?: { msgID?: string; timeout?: number },
  ): Promise<{ seq: number; duplicate: boolean }>;
}
