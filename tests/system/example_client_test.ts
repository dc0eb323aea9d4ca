// The command-line client as a process, with a standard input of the test.
import process from "node:process";
import { fileURLToPath } from "node:url";
import { assertEquals, deadline, run, runtime, test } from "../harness.ts";
import type { Exit } from "../harness.ts";
import { rawServer } from "../support/raw_tcp.ts";
import { serving } from "../support/server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

function client(args: string[], input = ""): Promise<Exit> {
  const command = runtime === "deno" ? ["run", "-A"] : [];
  const ended = run(process.execPath, [...command, "examples/client.ts", ...args], {
    cwd: root,
    env: { NO_COLOR: "1" },
    input,
  });
  return deadline(ended, 20_000, "the end of client.ts");
}

test("client.ts sends lines, prints messages, and closes at the end of its input", async () => {
  const { url } = serving(async (socket) => {
    for await (const message of socket) await socket.send(`you said ${message}`);
  });
  assertEquals(await client([url], "Héllo\nagain\n"), {
    code: 0,
    stdout: "you said Héllo\nyou said again\n",
    stderr: `Connected to ${url}\nClosed: 1000\n`,
  });
});

test("client.ts prints what comes until the server closes", async () => {
  const { url } = serving(async (socket) => {
    for await (const _ of socket) break;
    await socket.send("text");
    await socket.send(new Uint8Array(3));
    await socket.close(4000, "enough");
  });
  const { code, stdout, stderr } = await client([url], "go\n");
  assertEquals([code, stdout], [0, "text\n(3 bytes)\n"]);
  // The end of the input and the server's Close cross each other.
  assertEquals(stderr.replace(/4000 enough|1000/, "code"), `Connected to ${url}\nClosed: code\n`);
});

test("client.ts says what is wrong, and exits with 1 or 2", async () => {
  assertEquals((await client(["/chat"])).code, 1);
  assertEquals((await client(["ws://a/", "b"])).code, 2);
  const { port } = await rawServer(async (connection) => {
    await connection.head();
    connection.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  });
  const { code, stdout, stderr } = await client([`ws://127.0.0.1:${port}/`]);
  assertEquals([code, stdout, stderr.includes("404")], [1, "", true]);
});
