// What a bundler leaves out: modules have no effects that keep what an application does not import.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import type { FrameInit } from "../../src/protocol/mod.ts";
import { assert, assertEquals, assertRejects, canRun, onTestEnd, run, testIf } from "../harness.ts";
import { streamOf } from "../support/streams.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Texts that only these parts contain: their error messages. */
const MARKS = {
  server: '"serve()"',
  client: '"connect()"',
  reconnecting: '"ReconnectingWebSocket"',
  decoder: "Cannot decode frame",
};

/** Bundles a module into a file, and returns its path. */
async function bundleFile(source: string, target: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "bundle-"));
  onTestEnd(() => rmSync(folder, { recursive: true }));
  const [from, to] = [join(folder, "in.ts"), join(folder, "out.mjs")];
  writeFileSync(from, source.replace("ROOT", root));
  const args = ["build", from, "--minify", `--target=${target}`, `--outfile=${to}`];
  const { code, stderr } = await run("bun", args);
  assertEquals([code, stderr], [0, ""]);
  return to;
}

/** Bundles a module, and returns its size in KiB and the parts that it contains. */
async function bundle(source: string): Promise<{ size: number; parts: string[] }> {
  const text = readFileSync(await bundleFile(source, "bun"), "utf8");
  const parts = Object.entries(MARKS).filter(([, mark]) => text.includes(mark));
  return { size: text.length / 1024, parts: parts.map(([part]) => part) };
}

testIf(canRun("bun"), "a bundle leaves out what is not imported", async () => {
  const all = await bundle('export * from "ROOT/mod.ts";');
  assertEquals(all.parts, ["server", "client", "reconnecting", "decoder"]);

  const connect = await bundle('export { connect } from "ROOT/mod.ts";');
  assertEquals(connect.parts, ["client", "decoder"]);
  assert(connect.size < 0.7 * all.size, `connect: ${connect.size} of ${all.size} KiB`);

  const serve = await bundle('export { serve } from "ROOT/mod.ts";');
  assertEquals(serve.parts, ["server", "decoder"]);

  const streams = await bundle('export * from "ROOT/src/streams/mod.ts";');
  assertEquals(streams.parts, ["decoder"]);
  assert(streams.size < 30, `the streams: ${streams.size} KiB`);

  const nothing = await bundle('import "ROOT/mod.ts";');
  assertEquals(nothing.parts, []);
  assert(nothing.size < 15, `nothing: ${nothing.size} KiB`);
});

testIf(
  canRun("bun"),
  "everything that the entry for browsers exports has 12 KiB with gzip",
  async () => {
    const file = await bundleFile('export * from "ROOT/src/browser/mod.ts";', "browser");
    const bytes = readFileSync(file);
    const exported = await import(pathToFileURL(file).href);
    assertEquals(Object.keys(exported).sort(), [
      "FrameDecoderStream",
      "FrameEncoderStream",
      "MessageAssemblerStream",
      "MessagePartStream",
      "ReconnectingWebSocket",
      "isFinalClose",
      "openFeed",
    ]);
    const size = gzipSync(bytes, { level: 9 }).length;
    assert(size <= 12 * 1024, `${size} bytes, expected at most ${12 * 1024}`);
  },
);

/** The module that is bundled. */
type Codecs = typeof import("../../src/browser/mod.ts");

/** Sends frames through the codecs of a bundle, in chunks of `step` bytes, and returns the messages. */
async function through(codecs: Codecs, frames: FrameInit[], step: number): Promise<unknown[]> {
  const bytes: number[] = [];
  const encoder = new codecs.FrameEncoderStream({ role: "client" });
  const encoded = streamOf(frames).pipeThrough(encoder);
  for await (const chunk of encoded) bytes.push(...chunk);
  const chunks = Array.from(
    { length: Math.ceil(bytes.length / step) },
    (_, i) => new Uint8Array(bytes.slice(i * step, (i + 1) * step)),
  );
  const messages = streamOf(chunks)
    .pipeThrough(new codecs.FrameDecoderStream({ role: "server" }))
    .pipeThrough(new codecs.MessageAssemblerStream());
  return Array.fromAsync(messages);
}

testIf(
  canRun("bun"),
  "the codecs for browsers work without kernel, validator and pool",
  async () => {
    const file = await bundleFile('export * from "ROOT/src/browser/mod.ts";', "browser");
    const codecs: Codecs = await import(pathToFileURL(file).href);
    const text = new TextEncoder().encode("a€😀\ufffd".repeat(3000));
    const binary = Uint8Array.from({ length: 70_000 }, (_, i) => i * 7);
    const frames: FrameInit[] = [
      { opcode: 1, fin: false, payload: text.subarray(0, 10_001) },
      { opcode: 9, payload: new Uint8Array(125) },
      { opcode: 0, payload: text.subarray(10_001) },
      { opcode: 2, fin: false, payload: binary.subarray(0, 5) },
      { opcode: 0, payload: binary.subarray(5) },
      { opcode: 1, payload: new TextEncoder().encode("short \ufffd") },
      { opcode: 2, payload: binary },
    ];
    const expected = [new TextDecoder().decode(text), binary, "short \ufffd", binary];
    for (const step of [1, 1000, 65_536]) {
      assertEquals(await through(codecs, frames, step), expected, `${step} bytes a chunk`);
    }
    const invalid = [[0xff], [0xed, 0xa0, 0x80], [0x61, 0xe2, 0x82], [0xc0, 0x80]];
    for (const bytes of invalid) {
      const payload = new Uint8Array(bytes);
      const whole: FrameInit[] = [{ opcode: 1, payload }];
      const parts: FrameInit[] = [{ opcode: 1, fin: false, payload }, { opcode: 0 }];
      for (const wrong of [whole, parts]) {
        await assertRejects(() => through(codecs, wrong, 1000), Error, "not UTF-8");
      }
    }
  },
);
