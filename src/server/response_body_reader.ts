/** The result of a read of a stream. */
export interface ReadResult {
  done?: boolean;
  value?: unknown;
}

/** The members of a stream reader that are needed to send a body. */
export interface BodyReader {
  read(): Promise<ReadResult>;
  cancel(reason?: unknown): Promise<void>;
}

/** The first piece of a body, if it is available. */
export interface BegunBody {
  readonly piece: Uint8Array | undefined;
  /** The next read. */
  readonly reading: Promise<ReadResult>;
  /** The length of the whole body, in bytes, if it is known. */
  readonly length: number | undefined;
}

/** The number of microtasks to wait for a body that is available, but must be read as a stream. */
const READY_MICROTASKS = 8;

/**
 * Reads the first piece of a body, if it is available. The head must not wait for the first data of a
 * stream, for example of server-sent events.
 *
 * @param announced The length that the application announces.
 */
export async function beginBody(
  body: BodyReader,
  announced: number | undefined,
): Promise<BegunBody> {
  const reading = body.read();
  const first = await settledSoon(reading);
  if (first === undefined) return { piece: undefined, reading, length: announced };
  if (first.done) return { piece: undefined, reading, length: announced ?? 0 };
  const piece = toBytes(first.value);
  const next = body.read();
  next.catch(() => {}); // It is awaited after the first piece has been written.
  // A body that ends with its first piece, as one made of a string, is sent with its length.
  const second = announced === undefined ? await settledSoon(next) : undefined;
  return { piece, reading: next, length: second?.done ? piece.length : announced };
}

/** Returns the result of a promise that settles within a few microtasks, otherwise `undefined`. */
async function settledSoon(reading: Promise<ReadResult>): Promise<ReadResult | undefined> {
  let result: ReadResult | undefined;
  let isRejected = false;
  reading.then((value) => result = value, () => isRejected = true);
  for (let i = 0; i < READY_MICROTASKS && result === undefined && !isRejected; i++) await null;
  return isRejected ? await reading : result;
}

/** Returns the bytes of a piece of a stream. */
export function toBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (!ArrayBuffer.isView(value)) {
    throw new TypeError("Cannot send body: expected a stream of Uint8Array");
  }
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** Returns a reader of a body of any class: a stream, a `node:stream`, an async iterable, a Blob. */
export function readerOf(body: unknown): BodyReader {
  if (typeof body === "string" || ArrayBuffer.isView(body) || body instanceof Blob) {
    return new Response(body as BodyInit).body!.getReader();
  }
  const { getReader } = body as Partial<ReadableStream>;
  if (typeof getReader === "function") return getReader.call(body) as BodyReader;
  // node-fetch has a node:stream there.
  const iterate = (body as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator];
  if (typeof iterate !== "function") {
    throw new TypeError("Cannot send response: its body is no stream");
  }
  const iterator = iterate.call(body);
  return {
    read: () => iterator.next(),
    cancel: async () => void await iterator.return?.(),
  };
}
