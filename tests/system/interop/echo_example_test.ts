// Clients of others, with examples/echo.ts in a process of its own.
import process from "node:process";
import { assertEquals, spawn, testIf } from "../../harness.ts";
import { scriptCommand } from "../../support/script.ts";
import { CLIENTS } from "./interop.ts";

for (const client of CLIENTS) {
  testIf(client.condition, `${client.name} gets along with examples/echo.ts`, async () => {
    const server = spawn(...scriptCommand("examples/echo.ts"), { env: { PORT: "0" } });
    const [, port] = await server.waitForLine(/ws:\/\/localhost:(\d+)/);
    assertEquals(await client.run(`ws://127.0.0.1:${port}`, "echoes"), client.expected.echoes);
    process.kill(server.pid!, "SIGTERM"); // Deno's ChildProcess.kill() would hide the exit code.
    assertEquals((await server.exited).code, 0);
  });
}
