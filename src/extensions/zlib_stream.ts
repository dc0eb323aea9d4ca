import { constants, createDeflateRaw, createInflateRaw } from "node:zlib";
import type { ZlibOptions } from "node:zlib";

/** The error codes and flush values of zlib that are used here. */
export const { Z_BLOCK, Z_DATA_ERROR, Z_SYNC_FLUSH } = constants;

/**
 * The handle inside a stream of `node:zlib`. It is not documented, but Node has had it for longer than Deno
 * and Bun exist, and packages such as `pngjs` call it. {@linkcode proveZlibStream} tests that it works.
 */
interface ZlibHandle {
  /** Inflates or deflates synchronously, and writes the rest of room and input to `_writeState`. */
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void;
  /** Resets the stream, including its window. */
  reset(): void;
  /** Called within `writeSync()` if zlib reports an error. */
  onerror: (message: string, errno: number) => void;
}

/** The members of a stream of `node:zlib` that {@linkcode ZlibStream} uses. */
export interface NodeZlibStream {
  readonly _handle: ZlibHandle;
  /** The rest of the room for output and of the input after the latest call. */
  readonly _writeState: Uint32Array;
  /** Listens to errors that the stream emits. */
  on(event: "error", listener: () => void): unknown;
  /** Frees zlib's memory. */
  close(): void;
}

/** An error that zlib reports. */
export class ZlibError extends Error {
  /** The name of the class. */
  override readonly name = "ZlibError";
  /** The error code of zlib, such as `Z_DATA_ERROR`. */
  readonly errno: number;

  /** Creates an error with zlib's own text and code. */
  constructor(message: string, errno: number) {
    super(message);
    this.errno = errno;
  }
}

/**
 * A synchronous raw deflate or inflate stream that keeps its window between calls.
 *
 * The streams of `node:zlib` are asynchronous: they would cost a promise a message, and on some runtimes
 * a thread pool's latency. Its synchronous functions keep no window. So this class calls the handle on
 * which both are built.
 */
export class ZlibStream {
  /** The rest of the room for output after `write()`, in bytes. */
  availableOut = 0;
  /** The rest of the input after `write()`, in bytes. */
  availableIn = 0;
  readonly #stream: NodeZlibStream;
  readonly #handle: ZlibHandle;
  readonly #state: Uint32Array;
  #error: ZlibError | undefined;

  /** Takes ownership of a stream of `node:zlib`. */
  constructor(stream: NodeZlibStream) {
    this.#stream = stream;
    this.#handle = stream._handle;
    this.#state = stream._writeState;
    this.#handle.onerror = (message, errno) => this.#error = new ZlibError(message, errno);
    stream.on("error", () => {});
  }

  /** Creates a stream that deflates. */
  static deflate(options: ZlibOptions): ZlibStream {
    return new ZlibStream(internals(createDeflateRaw({ ...options, chunkSize: SMALLEST_CHUNK })));
  }

  /** Creates a stream that inflates, with the largest window. */
  static inflate(): ZlibStream {
    return new ZlibStream(internals(createInflateRaw({ chunkSize: SMALLEST_CHUNK })));
  }

  /**
   * Inflates or deflates from `start` to the end of `input`, until the input or the room is used up.
   *
   * @param flush Z_SYNC_FLUSH, or Z_BLOCK to stop at the end of a block.
   * @param room The number of bytes at the start of `output` that may be written.
   * @throws {ZlibError} If zlib reports an error. The stream must be closed then.
   */
  write(flush: number, input: Uint8Array, start: number, output: Uint8Array, room: number): void {
    this.#handle.writeSync(flush, input, start, input.length - start, output, 0, room);
    if (this.#error !== undefined) throw this.#error;
    this.availableOut = this.#state[0]!;
    this.availableIn = this.#state[1]!;
  }

  /** Drops the context. */
  reset(): void {
    this.#handle.reset();
  }

  /** Frees zlib's memory. */
  close(): void {
    this.#stream.close();
  }
}

/** The smallest buffer that `node:zlib` allows for its own methods, which are not used here. */
const SMALLEST_CHUNK = 64;

function internals(stream: unknown): NodeZlibStream {
  return stream as NodeZlibStream;
}

// RFC 7692 §7.2.3.1, §7.2.3.2 and §7.2.3.4: "Hello", "Hello" again by the window, and as a final block.
const HELLO = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
const HELLO_AGAIN = [0xf2, 0x00, 0x11, 0x00, 0x00];
const HELLO_FINAL = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
const TAIL = [0x00, 0x00, 0xff, 0xff];

/**
 * Tests, with the examples of RFC 7692, that the streams of this runtime do what {@linkcode ZlibStream}
 * requires: a context is kept and can be reset, a final block stops the stream, an error is reported at
 * once, and Z_BLOCK stops at the end of a block and nowhere else.
 *
 * @param deflate Creates a stream that deflates.
 * @param inflate Creates a stream that inflates.
 * @returns Whether all tests pass.
 */
export function proveZlibStream(
  deflate: () => ZlibStream = () => ZlibStream.deflate({ windowBits: 15 }),
  inflate: () => ZlibStream = () => ZlibStream.inflate(),
): boolean {
  try {
    return provesDeflate(deflate()) && provesInflate(inflate()) && provesErrors(inflate());
  } catch {
    return false;
  }
}

let isProven: boolean | undefined;

/** Returns whether {@linkcode ZlibStream} works on this runtime. Tested once, at the first call. */
export function supportsZlibStream(): boolean {
  return isProven ??= proveZlibStream();
}

function provesDeflate(zlib: ZlibStream): boolean {
  const hello = [0x48, 0x65, 0x6c, 0x6c, 0x6f];
  const holds = gives(zlib, hello, [...HELLO, ...TAIL]) &&
    gives(zlib, hello, [...HELLO_AGAIN, ...TAIL]);
  zlib.reset();
  const holdsAgain = gives(zlib, hello, [...HELLO, ...TAIL]);
  zlib.close();
  return holds && holdsAgain;
}

function provesInflate(zlib: ZlibStream): boolean {
  const hello = [0x48, 0x65, 0x6c, 0x6c, 0x6f];
  const holds = gives(zlib, HELLO, hello) && gives(zlib, [...TAIL, 0x55], [], 1, Z_BLOCK) &&
    gives(zlib, HELLO_AGAIN, hello) && gives(zlib, [...TAIL, 0x55], [], 1, Z_BLOCK) &&
    gives(zlib, [...HELLO_FINAL, 0x00], hello, 1) && gives(zlib, [0x00], [], 1);
  zlib.reset();
  // In an unfinished block, Z_BLOCK does not stop at the end of the tail.
  const isCut = gives(zlib, HELLO.slice(0, 3), [0x48, 0x65]) &&
    !gives(zlib, [...TAIL, 0x55], [], 1, Z_BLOCK);
  zlib.close();
  return holds && isCut;
}

function provesErrors(zlib: ZlibStream): boolean {
  try {
    gives(zlib, [0x07, 0xff], []);
  } catch (error) {
    return error instanceof ZlibError && error.errno === Z_DATA_ERROR;
  } finally {
    zlib.close();
  }
  return false;
}

/** Returns whether the input gives the expected output, with `left` bytes of the input left. */
function gives(
  zlib: ZlibStream,
  input: number[],
  expected: number[],
  left = 0,
  flush: number = Z_SYNC_FLUSH,
): boolean {
  const output = new Uint8Array(64);
  zlib.write(flush, new Uint8Array(input), 0, output, output.length);
  const given = output.length - zlib.availableOut;
  return zlib.availableIn === left && given === expected.length &&
    expected.every((byte, i) => byte === output[i]);
}
