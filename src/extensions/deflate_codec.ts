/** What a {@linkcode Deflater} is made with. */
export interface DeflaterOptions {
  /** The base-2 logarithm of the LZ77 window, 9 to 15. */
  windowBits: number;
  /** Whether a message may refer to those before it. */
  takesContextOver: boolean;
  /** How hard zlib tries: 0 to 9. */
  level: number;
  /** How much memory zlib takes for it: 1 to 9. */
  memLevel: number;
}

/** What an {@linkcode Inflater} is made with. */
export interface InflaterOptions {
  /** The base-2 logarithm of the LZ77 window, 8 to 15. */
  windowBits: number;
  /** Whether a message may refer to those before it. */
  takesContextOver: boolean;
  /** How many bytes a message may become. */
  maxMessageSize: number;
}

/** Compresses the messages that one connection sends. */
export interface Deflater {
  /**
   * Compresses the next bytes of a message.
   *
   * @param input The bytes.
   * @param endsMessage Whether the message ends with them.
   * @returns the payload to send: lent until the next call of any deflater.
   */
  deflate(input: Uint8Array, endsMessage: boolean): Uint8Array;
  /** How many bytes of memory it holds, without what all connections share. */
  readonly heldBytes: number;
  /** Frees what it holds. */
  close(): void;
}

/** Where an {@linkcode Inflater}'s output goes. */
export interface InflaterTarget {
  /**
   * Takes the next bytes, which are its own, unless it copies.
   *
   * @param bytes The bytes, perhaps none.
   * @param isLast Whether they are the last of what was pushed.
   */
  inflated(bytes: Uint8Array, isLast: boolean): void;
  /** Whether the bytes may be written over as soon as `inflated()` has returned; else they're kept. */
  readonly copies?: boolean;
  /** Whether the inflater shall stop and keep the rest for `resume()`. */
  readonly isPaused: boolean;
}

/** Decompresses the messages that one connection receives. */
export interface Inflater {
  /**
   * Decompresses the next bytes of a message.
   *
   * @param input The bytes.
   * @param endsMessage Whether the message ends with them.
   * @param target Where the output goes.
   * @throws {InvalidPayloadError} where the data are not valid, or end too early.
   * @throws {MessageTooBigError} where the message gets larger than `maxMessageSize`.
   */
  push(input: Uint8Array, endsMessage: boolean, target: InflaterTarget): void;
  /** How many bytes of memory it holds, without what all connections share. */
  readonly heldBytes: number;
  /** Goes on after a pause. */
  resume(target: InflaterTarget): void;
  /** Frees what it holds. */
  close(): void;
}

/** One way to use zlib. */
export interface ZlibBackend {
  /** Makes a compressor, without any native memory yet. */
  createDeflater(options: DeflaterOptions): Deflater;
  /** Makes a decompressor, without any native memory yet. */
  createInflater(options: InflaterOptions): Inflater;
}
