// What a bundler leaves out: modules have no effects that keep what an application does not import.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, canRun, onTestEnd, run, testIf } from "../harness.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Texts that only these parts contain: their error messages. */
const MARKS = {
  server: '"serve()"',
  client: '"connect()"',
  reconnecting: '"ReconnectingWebSocket"',
  decoder: "Cannot decode frame",
};

/** Bundles a module, and returns its size in KiB and the parts that it contains. */
async function bundle(source: string): Promise<{ size: number; parts: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), "bundle-"));
  onTestEnd(() => rmSync(folder, { recursive: true }));
  const [from, to] = [join(folder, "in.ts"), join(folder, "out.js")];
  writeFileSync(from, source.replace("ROOT", root));
  const args = ["build", from, "--minify", "--target=bun", `--outfile=${to}`];
  const { code, stderr } = await run("bun", args);
  assertEquals([code, stderr], [0, ""]);
  const text = readFileSync(to, "utf8");
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
