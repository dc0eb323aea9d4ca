/** Z1: the size of the entries, minified and compressed. */

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { atMost, exactly } from "./bar.ts";
import type { Row } from "./bar.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Bundles exports, and returns the text. */
function bundle(folder: string, lines: readonly string[]): Uint8Array {
  const source = join(folder, "in.ts");
  writeFileSync(source, lines.join("\n"));
  const own = join(root, "node_modules", ".bin", "bun");
  const { status, stderr } = spawnSync(
    existsSync(own) ? own : "bun",
    ["build", source, "--minify", "--target=bun", `--outfile=${join(folder, "out.js")}`],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(stderr);
  return readFileSync(join(folder, "out.js"));
}

/** Z1. */
export function sizes(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "size-"));
  try {
    const main = `export * from ${JSON.stringify(join(root, "mod.ts"))};`;
    const entry = JSON.stringify(join(root, "src/topics/mod.ts"));
    const names = "topics, topicsHandler, openFeed, presence, TOPICS_PROTOCOL, applicationMessage";
    const gzipped = (...more: string[]) =>
      gzipSync(bundle(folder, [main, `export { ${[names, ...more].join()} } from ${entry};`]), {
        level: 9,
      }).length / 1024;
    const alone = bundle(folder, [main]);
    const without = gzipped();
    const text = new TextDecoder().decode(alone);
    return Promise.resolve([
      exactly(
        "parts of /topics in mod.ts",
        ["sluice.topics.v1", "maxWaiting", "HINCRBY"].filter((part) => text.includes(part)).length,
        0,
      ),
      atMost(
        "/topics without relays, more than mod.ts, gzip",
        without - gzipSync(alone, { level: 9 }).length / 1024,
        12,
        "KiB",
      ),
      atMost("natsRelay(), gzip", gzipped("natsRelay") - without, 3, "KiB"),
      atMost("redisRelay(), gzip", gzipped("redisRelay") - without, 3, "KiB"),
      atMost("both relays, gzip", gzipped("natsRelay", "redisRelay") - without, 6, "KiB"),
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
