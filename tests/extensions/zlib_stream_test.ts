import { createDeflateRaw, createInflateRaw } from "node:zlib";
import { Deflater } from "../../src/extensions/deflater.ts";
import {
  proveZlibStream,
  supportsZlibStream,
  Z_SYNC_FLUSH,
  ZlibStream,
} from "../../src/extensions/zlib_stream.ts";
import type { NodeZlibStream } from "../../src/extensions/zlib_stream.ts";
import { assertEquals, assertThrows, hex, test } from "../harness.ts";

test("proveZlibStream succeeds on this runtime", () => {
  assertEquals(proveZlibStream(), true);
  assertEquals(supportsZlibStream(), true);
});

/** Wraps a stream whose handle `change` may change. */
function changed(
  stream: unknown,
  change: (inner: { _handle: Record<string, unknown>; _writeState: Uint32Array }) => void,
): ZlibStream {
  const { _handle, _writeState } = stream as NodeZlibStream;
  const handle: Record<string, unknown> = {
    writeSync: (...args: Parameters<typeof _handle.writeSync>) => _handle.writeSync(...args),
    reset: () => _handle.reset(),
    set onerror(listener: typeof _handle.onerror) {
      _handle.onerror = listener;
    },
  };
  const inner = { _handle: handle, _writeState };
  change(inner);
  const source = stream as NodeZlibStream;
  return new ZlibStream(
    {
      ...inner,
      on: (event: "error", listener: () => void) => source.on(event, listener),
      close: () => source.close(),
    } as unknown as NodeZlibStream,
  );
}

const changes: [what: string, change: Parameters<typeof changed>[1]][] = [
  ["has no writeSync()", (inner) => delete inner._handle.writeSync],
  ["writes nothing", (inner) => inner._handle.writeSync = () => {}],
  ["throws", (inner) => {
    inner._handle.writeSync = () => {
      throw new TypeError("expected another argument");
    };
  }],
  ["does not reset", (inner) => inner._handle.reset = () => {}],
  ["forgets its context", (inner) => {
    const write = inner._handle.writeSync as (...args: unknown[]) => void;
    inner._handle.writeSync = (...args: unknown[]) => {
      (inner._handle.reset as () => void)();
      write(...args);
    };
  }],
  ["does not report errors", (inner) => {
    Object.defineProperty(inner._handle, "onerror", { set: () => {} });
  }],
  ["does not stop at a block", (inner) => {
    const write = inner._handle.writeSync as (...args: unknown[]) => void;
    inner._handle.writeSync = (_flush: number, ...args: unknown[]) => write(Z_SYNC_FLUSH, ...args);
  }],
  ["does not report the rest of room and input", (inner) => inner._writeState = new Uint32Array(2)],
];

test("proveZlibStream succeeds for a stream that is only wrapped", () => {
  const deflate = () => changed(createDeflateRaw(), () => {});
  const inflate = () => changed(createInflateRaw(), () => {});
  assertEquals(proveZlibStream(deflate, inflate), true);
});

for (const [what, change] of changes) {
  test(`proveZlibStream fails for a stream that ${what}`, () => {
    const inflate = () => changed(createInflateRaw(), change);
    assertEquals(proveZlibStream(() => ZlibStream.deflate({}), inflate), false);
    if (["does not report errors", "does not stop at a block"].includes(what)) return;
    const deflate = () => changed(createDeflateRaw(), change);
    assertEquals(proveZlibStream(deflate, () => ZlibStream.inflate()), false);
  });
}

test("proveZlibStream fails on a runtime without a handle", () => {
  assertEquals(proveZlibStream(() => new ZlibStream({} as NodeZlibStream)), false);
});

test("Deflater replaces a stream that has failed", () => {
  const options = { windowBits: 9, level: 3, memLevel: 2, takesContextOver: true };
  const deflater = new Deflater(options);
  // An invalid input: its error depends on the runtime, but it is passed on in any case.
  assertThrows(() => deflater.deflate(undefined as unknown as Uint8Array, true), Error);
  assertEquals([...deflater.deflate(new TextEncoder().encode("Hello"), true)], [
    ...hex("f2 48 cd c9 c9 07 00"),
  ]);
  deflater.close();
});
