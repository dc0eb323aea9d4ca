// The documentation: its code blocks type-check and run, and its links lead somewhere.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { DEFAULT_LIMITS, HandshakeError } from "../../mod.ts";
import type { TcpAddr } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  canRun,
  deadline,
  onTestEnd,
  run,
  runtime,
  spawn,
  test,
  testIf,
} from "../harness.ts";
import type { Child } from "../harness.ts";
import { anchorsOf, blocksOf, documents, linksOf, read, root } from "../support/markdown.ts";
import type { Block } from "../support/markdown.ts";
import { connectOptionChecks } from "../../src/client/connect_options.ts";
import { reconnectOptionChecks } from "../../src/client/reconnect_options.ts";
import { resolveDeflateOptions } from "../../src/extensions/deflate_options.ts";
import { serveOptionChecks } from "../../src/server/serve_options.ts";
import { connectToChild, freePort } from "../support/ports.ts";
import { serving } from "../support/server.ts";

const typescript = documents().flatMap(blocksOf).filter(({ language }) => language === "ts");
// A block is for both runtimes, or for the one that its attribute names.
const blocks = typescript.filter(({ attributes }) =>
  attributes.length === 0 || attributes.includes(runtime)
);

/** The ports of the blocks. */
const PORT = /\b(?:808\d|9090)\b/g;

/** Writes files into a new folder, in which the names of the package resolve as in the checkout. */
function folderOf(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "docs-"));
  onTestEnd(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const tsconfig = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: { typeRoots: [join(root, "node_modules/@types")], noUnusedLocals: false },
    include: ["*.ts"],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
  return folder;
}

test("each code block of the documents is for both runtimes or names its runtime", () => {
  assert(typescript.length > 15);
  for (const { name, attributes } of typescript) {
    assert(["", "deno", "bun"].includes(attributes.join(" ")), `${name}: ${attributes}`);
  }
});

const tsc = join(root, "node_modules/.bin/tsc");
const canCheck = runtime === "deno" ? true : canRun(tsc);
testIf(canCheck, "the code blocks of the documents type-check", async () => {
  const files = Object.fromEntries(blocks.map(({ name, code }) => [
    `${name.replaceAll(/[/:]/g, "-")}.ts`,
    `${code}\nexport {};\n`,
  ]));
  const folder = folderOf(files);
  const command = runtime === "deno"
    ? [process.execPath, "check", "--config", join(root, "deno.json"), folder]
    : [tsc, "--noEmit", "--project", folder];
  const { code, stdout, stderr } = await run(command[0]!, command.slice(1), {
    env: { NO_COLOR: "1" },
  });
  assertEquals([code, code === 0 ? "" : stdout + stderr], [0, ""]);
});

/** Starts a block as a process. Port 8080 is `port`, and each other port a free one. */
async function start({ code }: Block, port: number): Promise<Child> {
  const ports = new Map([["8080", port]]);
  for (const [named] of code.matchAll(PORT)) {
    if (!ports.has(named)) ports.set(named, await freePort());
  }
  const source = code.replaceAll("localhost:80", "127.0.0.1:80")
    .replaceAll(PORT, (named) => `${ports.get(named)}`);
  const path = join(folderOf({ "main.ts": source }), "main.ts");
  const args = runtime === "deno"
    ? ["run", "-A", "--no-check", "--config", join(root, "deno.json")]
    : [];
  return spawn(process.execPath, [...args, path], { env: { NO_COLOR: "1" } });
}

/** The outputs that the block's comments promise: `console.log(message); // Hello`. */
function outputsOf({ code }: Block): string[] {
  return Array.from(code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm), ([, output]) => output!);
}

for (const block of blocks) {
  const isServer = /\bserve\(|\.listen\(/.test(block.code) && block.code.includes("8080");
  if (isServer) {
    test(`${block.name} serves a client`, async () => {
      const port = await freePort();
      const child = await start(block, port);
      if (block.connect !== undefined) {
        await assertRejects(() => connectToChild(child, port), HandshakeError);
      }
      const socket = await connectToChild(child, port, block.connect);
      const reading = (async () => {
        for await (const _ of socket);
      })();
      await socket.send("Hello");
      await deadline(Promise.any([socket.ping(), socket.closed]), 10_000, "an answer");
      await deadline(socket.close(1000), 10_000, "the close");
      await reading;
      await child.kill("SIGTERM");
      const { stdout, stderr } = await deadline(child.exited, 10_000, "the end of the block");
      assertEquals(stderr, "");
      for (const output of outputsOf(block)) assert(stdout.includes(output), stdout);
    });
  } else {
    test(`${block.name} runs to its end`, async () => {
      const { server } = serving(async (socket) => {
        for await (const message of socket) {
          await socket.send(message);
          return;
        }
      });
      const child = await start(block, (server.addr as TcpAddr).port);
      const { code, stdout, stderr } = await deadline(child.exited, 20_000, "the end of the block");
      assertEquals([code, stderr], [0, ""]);
      for (const output of outputsOf(block)) assert(stdout.includes(output), stdout);
    });
  }
}

for (const document of documents()) {
  test(`the links of ${document} lead to a file and a heading`, () => {
    for (const link of linksOf(document)) {
      if (/^https?:/.test(link)) continue;
      const [path, anchor] = link.split("#");
      const target = path === "" ? document : relative(root, join(root, dirname(document), path!));
      assert(existsSync(join(root, target)), link);
      if (anchor !== undefined) assert(anchorsOf(target).includes(anchor), link);
    }
  });
}

test("the documents name files that exist", () => {
  for (const document of documents()) {
    for (const line of read(document).split("\n")) {
      let folder: string | undefined;
      for (const [, path] of line.matchAll(/`((?:[\w-]+\/)*[\w.-]+\.ts)`/g)) {
        if (path!.startsWith("src/")) folder = dirname(path!);
        else if (folder === undefined) continue;
        const file = path!.startsWith("src/") ? path! : join(folder, path!);
        assert(existsSync(join(root, file)), `${document}: ${file}`);
      }
    }
  }
});

test("docs/architecture.md names functions that exist", () => {
  const row = /^\| `(src\/[\w/.]+)` *\| `(?:(\w+)\.)?(#?\w+)\(\)`/gm;
  const hops = [...read("docs/architecture.md").matchAll(row)];
  assert(hops.length > 25);
  for (const [, file, owner, name] of hops) {
    const source = read(file!);
    if (owner !== undefined) assert(source.includes(`class ${owner}`), `${file}: ${owner}`);
    const definition = new RegExp(`(?:^ +(?:override )?(?:async )?|function )${name}\\(`, "m");
    assert(definition.test(source), `${file}: ${name}()`);
  }
});

test("README.md links to each page of docs/", () => {
  const links = linksOf("README.md");
  for (const document of documents()) {
    if (document.startsWith("docs/")) assert(links.includes(document), document);
  }
});

test("the documents name each option and limit", () => {
  const text = documents().filter((path) => path !== "CHANGELOG.md").map(read).join("\n");
  const names = [
    ...Object.keys(serveOptionChecks),
    ...Object.keys(connectOptionChecks),
    ...Object.keys(reconnectOptionChecks),
    ...Object.keys(DEFAULT_LIMITS),
    ...Object.keys(resolveDeflateOptions({})),
  ];
  assert(names.length > 40);
  assertEquals(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text)), []);
});
