// The recipe of docs/getting-started.md, with `bun --hot` and `deno run --watch-hmr`.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import process from "node:process";
import { assertEquals, delay, onTestEnd, runtime, spawn, test } from "../harness.ts";
import { freePort } from "../support/ports.ts";

test("the recipe for hot reloading answers with the new code", async () => {
  const folder = await mkdtemp(`${tmpdir()}/sluice-`);
  onTestEnd(() => rm(folder, { recursive: true }));
  const port = await freePort();
  const mod = new URL("../../mod.ts", import.meta.url).href;
  const write = (answer: string) =>
    writeFile(
      `${folder}/main.ts`,
      `import { serve, type WebSocketServer } from ${JSON.stringify(mod)};
const hot = globalThis as { server?: WebSocketServer };
await hot.server?.shutdown({ deadline: 1000 });
hot.server = serve({ hostname: "127.0.0.1", port: ${port}, fetch: () => new Response("${answer}") }, {});
`,
    );
  const answer = async () => {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/`, {
        headers: { Connection: "close" },
      });
      return await response.text();
    } catch {
      return "";
    }
  };
  const answers = async (expected: string) => {
    let found = "";
    for (let i = 0; i < 150 && found !== expected; i++) {
      await delay(100);
      found = await answer();
    }
    assertEquals(found, expected);
  };
  await write("old");
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const args = runtime === "bun"
    ? ["--hot"]
    : ["run", "-A", "--no-check", "--config", config, "--watch-hmr"];
  const child = spawn(process.execPath, [...args, `${folder}/main.ts`]);
  onTestEnd(async () => void (await child.kill("SIGKILL")));
  await answers("old");
  await delay(500); // The watcher starts after the module.
  await write("new");
  await answers("new");
});
