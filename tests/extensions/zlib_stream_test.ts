import { createDeflateRaw, createInflateRaw } from "node:zlib";
import { ContextDeflater } from "../../src/extensions/deflater.ts";
import { chooseBackend, contextBackend, oneShotBackend } from "../../src/extensions/zlib_window.ts";
import { proveZlibStream, Z_SYNC_FLUSH, ZlibStream } from "../../src/extensions/zlib_stream.ts";
import type { NodeZlibStream } from "../../src/extensions/zlib_stream.ts";
import { assert, assertEquals, assertThrows, hex, test } from "../harness.ts";

test("proveZlibStream holds on this runtime, so that contexts are kept", () => {
  assertEquals(proveZlibStream(), true);
  assertEquals(chooseBackend(), contextBackend);
  assertEquals(chooseBackend(true), contextBackend);
  assertEquals(chooseBackend(false), oneShotBackend);
});

/** A stream whose inner parts are changed by `change`. */
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
  ["doesn't reset", (inner) => inner._handle.reset = () => {}],
  ["forgets its context", (inner) => {
    const write = inner._handle.writeSync as (...args: unknown[]) => void;
    inner._handle.writeSync = (...args: unknown[]) => {
      (inner._handle.reset as () => void)();
      write(...args);
    };
  }],
  ["doesn't tell of errors", (inner) => {
    Object.defineProperty(inner._handle, "onerror", { set: () => {} });
  }],
  ["stops at no block", (inner) => {
    const write = inner._handle.writeSync as (...args: unknown[]) => void;
    inner._handle.writeSync = (_flush: number, ...args: unknown[]) => write(Z_SYNC_FLUSH, ...args);
  }],
  ["says nothing of what is left", (inner) => inner._writeState = new Uint32Array(2)],
];

test("proveZlibStream holds for a stream that is only wrapped", () => {
  const deflate = () => changed(createDeflateRaw(), () => {});
  const inflate = () => changed(createInflateRaw(), () => {});
  assertEquals(proveZlibStream(deflate, inflate), true);
});

for (const [what, change] of changes) {
  test(`proveZlibStream refuses a stream that ${what}`, () => {
    const inflate = () => changed(createInflateRaw(), change);
    assertEquals(proveZlibStream(() => ZlibStream.deflate({}), inflate), false);
    if (["doesn't tell of errors", "stops at no block"].includes(what)) return;
    const deflate = () => changed(createDeflateRaw(), change);
    assertEquals(proveZlibStream(deflate, () => ZlibStream.inflate()), false);
  });
}

test("proveZlibStream refuses a runtime without a handle", () => {
  assertEquals(proveZlibStream(() => new ZlibStream({} as NodeZlibStream)), false);
});

test("ContextDeflater gives up a stream that fails", () => {
  const options = { windowBits: 9, level: 3, memLevel: 2, takesContextOver: true };
  const deflater = new ContextDeflater(options);
  // An input that is none: what zlib says of it differs, that it's handed on doesn't.
  assertThrows(() => deflater.deflate(undefined as unknown as Uint8Array, true), Error);
  assertEquals([...deflater.deflate(new TextEncoder().encode("Hello"), true)], [
    ...hex("f2 48 cd c9 c9 07 00"),
  ]);
  deflater.close();
  assert(true);
});
