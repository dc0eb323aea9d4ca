import { constants, createDeflateRaw, createInflateRaw } from "node:zlib";
import type { ZlibOptions } from "node:zlib";

/** zlib's error codes and flush values, as far as they are used here. */
export const { Z_BLOCK, Z_DATA_ERROR, Z_FINISH, Z_SYNC_FLUSH } = constants;

/**
 * What stands behind a stream of `node:zlib`: not documented, but older than any of the runtimes that
 * have it, and what packages such as `pngjs` call. {@linkcode proveZlibStream} says whether it's there.
 */
interface ZlibHandle {
  /** Inflates or deflates, now, and writes how much room and input are left to `_writeState`. */
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void;
  /** Forgets the window and everything else. */
  reset(): void;
  /** Called, within `writeSync()`, where zlib has an error. */
  onerror: (message: string, errno: number) => void;
}

/** A stream of `node:zlib`, as {@linkcode ZlibStream} needs it. */
export interface NodeZlibStream {
  readonly _handle: ZlibHandle;
  /** How much room for output, and how much input, the last call has left. */
  readonly _writeState: Uint32Array;
  /** As of any stream. */
  on(event: "error", listener: () => void): unknown;
  /** Frees zlib's memory. */
  close(): void;
}

/** What zlib has to say against its input. */
export class ZlibError extends Error {
  /** The name of the class. */
  override readonly name = "ZlibError";
  /** zlib's number for it, such as `Z_DATA_ERROR`. */
  readonly errno: number;

  /** Makes one of zlib's own text and number. */
  constructor(message: string, errno: number) {
    super(message);
    this.errno = errno;
  }
}

/**
 * A raw deflate or inflate stream that keeps its window from call to call, and is synchronous.
 *
 * `node:zlib`'s own streams are asynchronous, which would cost a promise a message, and on some
 * runtimes a trip through a thread pool; its synchronous functions have no context. So this calls
 * what both are made of.
 */
export class ZlibStream {
  /** How much of the output's room is left after `write()`. */
  availableOut = 0;
  /** How much of the input is left after `write()`. */
  availableIn = 0;
  readonly #stream: NodeZlibStream;
  readonly #handle: ZlibHandle;
  readonly #state: Uint32Array;
  #error: ZlibError | undefined;

  /** Takes over a stream that nobody else uses. */
  constructor(stream: NodeZlibStream) {
    this.#stream = stream;
    this.#handle = stream._handle;
    this.#state = stream._writeState;
    this.#handle.onerror = (message, errno) => this.#error = new ZlibError(message, errno);
    stream.on("error", () => {});
  }

  /** Makes one that deflates. */
  static deflate(options: ZlibOptions): ZlibStream {
    return new ZlibStream(internals(createDeflateRaw({ ...options, chunkSize: SMALLEST_CHUNK })));
  }

  /** Makes one that inflates, whatever the peer's window. */
  static inflate(): ZlibStream {
    return new ZlibStream(internals(createInflateRaw({ chunkSize: SMALLEST_CHUNK })));
  }

  /**
   * Inflates or deflates from `start` to the end of `input`, until that or the room is used up.
   *
   * @param flush Z_SYNC_FLUSH, or Z_BLOCK to stop at the end of a block.
   * @param room How many bytes of `output`, from its start, may be written.
   * @throws {ZlibError} where zlib has an error: then the stream must be closed.
   */
  write(flush: number, input: Uint8Array, start: number, output: Uint8Array, room: number): void {
    this.#handle.writeSync(flush, input, start, input.length - start, output, 0, room);
    if (this.#error !== undefined) throw this.#error;
    this.availableOut = this.#state[0]!;
    this.availableIn = this.#state[1]!;
  }

  /** Forgets the context. */
  reset(): void {
    this.#handle.reset();
  }

  /** Frees zlib's memory. */
  close(): void {
    this.#stream.close();
  }
}

/** The least that node:zlib takes: the buffer that its own methods would write to is not used here. */
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
 * Proves, on the examples of RFC 7692, that this runtime's streams do what {@linkcode ZlibStream}
 * wants of them: that a context is kept and can be reset, that a final block stops, that an error is
 * told at once, and that Z_BLOCK stops where a block ends and nowhere else.
 *
 * @param deflate Makes a stream that deflates.
 * @param inflate Makes a stream that inflates.
 * @returns whether all of it holds.
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
  // A block that has not ended: what Z_BLOCK stops at, if at all, is not the end of the tail.
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

/** Whether the input gives that output, and leaves so much of the input. */
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
