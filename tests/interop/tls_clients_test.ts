// Clients that we did not write, against a server of ours, over TLS.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import process from "node:process";
import type { TcpAddr } from "../../mod.ts";
import { assertEquals, onTestEnd, run, runtime, testIf } from "../harness.ts";
import { certificate } from "../support/certificates.ts";
import { serving } from "../support/server.ts";
import { type Client, CLIENTS, scriptCommand } from "./interop.ts";

const ca = certificate({ subject: "Test CA" });
const { cert, key } = certificate({ subject: "server", names: ["localhost"], issuer: ca });

/** Has the child processes of this test trust the authority, each in its own way. */
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

/** A process can't be told whom to trust while it runs: this very runtime is another process too. */
function inChild(client: Client): Client {
  if (!client.name.includes("this very")) return client;
  return {
    ...client,
    name: `the WebSocket of ${runtime}`,
    async run(url, only) {
      const [command, args] = scriptCommand("tests/interop/peers/platform_client.mjs");
      const { code, stdout, stderr } = await run(command, [...args, url, only]);
      assertEquals(code, 0, `${stdout}${stderr}`);
      return JSON.parse(stdout);
    },
  };
}

for (const client of CLIENTS.map(inChild)) {
  testIf(client.condition, `${client.name} gets along with the server over TLS`, async () => {
    await trustAuthority();
    const { server, errors } = serving({
      message: (socket, message) => socket.send(message),
    }, { tls: { cert, key } });
    const url = `wss://localhost:${(server.addr as TcpAddr).port}`;
    assertEquals(await client.run(url, "echoes"), client.expected.echoes);
    assertEquals(errors, []);
  });
}
