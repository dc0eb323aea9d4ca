// Both roles with all WebSocket peers on this machine, plain and over TLS, with and without
// permessage-deflate. The last test prints the matrix.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import process from "node:process";
import { assert, assertEquals, onTestEnd, run, runtime, test, testIf } from "../../harness.ts";
import { scriptCommand } from "../../support/script.ts";
import { ca, good } from "../../support/tls.ts";
import { assertCloses, CLIENTS, interopServer } from "./interop.ts";
import type { Client } from "./interop.ts";
import { exerciseServer, SERVERS, startServer } from "./servers.ts";
import type { Server } from "./servers.ts";

interface Column {
  name: string;
  isSecure: boolean;
  compresses: boolean;
}
const COLUMNS: readonly Column[] = [
  { name: "plain", isSecure: false, compresses: false },
  { name: "plain+deflate", isSecure: false, compresses: true },
  { name: "TLS", isSecure: true, compresses: false },
  { name: "TLS+deflate", isSecure: true, compresses: true },
];

/** The text of a cell. */
type Cell = "ok" | "not offered by the peer";

/** The result of each column, for each peer in its role. */
const matrix = new Map<string, Map<string, Cell>>();
const notes = new Set<string>();

function row(name: string): Map<string, Cell> {
  const cells = matrix.get(name) ?? new Map<string, Cell>();
  matrix.set(name, cells);
  return cells;
}

/** Returns the cell of a test that has passed, from the extensions of its connections. */
function judge(column: Column, extensions: readonly string[], declines?: string): Cell {
  const count = extensions.filter((value) => /^permessage-deflate\b/.test(value)).length;
  const expected = column.compresses && declines === undefined ? extensions.length : 0;
  assert(extensions.length > 0, "there were connections");
  assertEquals(count, expected, `connections that compress, of ${extensions.length}`);
  if (!column.compresses || declines === undefined) return "ok";
  notes.add(declines);
  return "not offered by the peer";
}

/** Returns the environment in which child processes trust the authority. */
async function trustAuthority(): Promise<void> {
  const folder = await mkdtemp(`${tmpdir()}/sluice-`);
  await writeFile(`${folder}/ca.pem`, ca.cert);
  const names = ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "DENO_CERT"];
  const before = names.map((name) => process.env[name]);
  for (const name of names) process.env[name] = `${folder}/ca.pem`;
  onTestEnd(async () => {
    for (const [i, name] of names.entries()) {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    }
    await rm(folder, { recursive: true });
  });
}

/** A running process cannot change its trusted authorities, so this runtime is started again, too. */
function inChild(client: Client): Client {
  if (!client.name.includes("this very")) return client;
  return {
    ...client,
    name: `the WebSocket of ${runtime}`,
    async run(url, only) {
      const [command, args] = scriptCommand("tests/system/interop/peers/platform_client.mjs");
      const { code, stdout, stderr } = await run(command, [...args, url, only]);
      assertEquals(code, 0, `${stdout}${stderr}`);
      return JSON.parse(stdout);
    },
  };
}

/** Runs a client's exchanges with a server of this library. */
async function tryClient(client: Client, column: Column): Promise<Cell> {
  const { isSecure, compresses } = column;
  if (isSecure) await trustAuthority();
  const { url, closes, extensions } = interopServer("for await", {
    ...(isSecure ? { tls: { cert: good.cert, key: good.key } } : {}),
    ...(compresses ? { compression: { threshold: 0 } } : {}),
  });
  const report = await client.run(url, "all");
  // Each client reports it in its own words, so the server's result is used.
  const inUse = "extensions in use";
  const { [inUse]: reported, ...rest } = report;
  const { [inUse]: none, ...expected } = client.expected.all;
  assertEquals(rest, expected);
  if (!compresses) assertEquals(reported, none);
  await assertCloses(closes);
  return judge(column, extensions, client.declines);
}

/** Runs the exchanges of this library's client with a server. */
async function tryServer(server: Server, column: Column): Promise<Cell> {
  const { url, options } = await startServer(server, column.isSecure);
  const compression = column.compresses ? { compression: { threshold: 0 } } : {};
  const extensions = await exerciseServer(url, { ...options, ...compression }, server.isFull);
  return judge(column, [extensions], server.declines);
}

for (const client of CLIENTS.map(inChild)) {
  const cells = row(`client: ${client.name}`);
  for (const column of COLUMNS) {
    const name = `${client.name} as a client gets along with serve(): ${column.name}`;
    testIf(client.condition, name, async () => {
      cells.set(column.name, await tryClient(client, column));
    });
  }
}

for (const server of SERVERS) {
  const cells = row(`server: ${server.name}`);
  for (const column of COLUMNS) {
    const name = `${server.name} as a server gets along with connect(): ${column.name}`;
    testIf(server.condition, name, async () => {
      cells.set(column.name, await tryServer(server, column));
    });
  }
}

test("the matrix of peers has no gap", () => {
  const widths = [36, ...COLUMNS.map(({ name }) => name.length < 8 ? 8 : 25)];
  const line = (cells: string[]) => cells.map((cell, i) => cell.padEnd(widths[i]!)).join("").trim();
  console.log([
    line([`Sluice on ${runtime}, with`, ...COLUMNS.map(({ name }) => name)]),
    ...[...matrix].map(([name, cells]) =>
      line([name, ...COLUMNS.map((column) => cells.get(column.name) ?? "not run")])
    ),
    ...[...notes].map((note) => `Not offered: ${note}.`),
  ].join("\n"));
  if (process.env.CI !== "true") return;
  for (const [name, cells] of matrix) {
    for (const column of COLUMNS) assert(cells.has(column.name), `${name}, ${column.name}`);
  }
});
