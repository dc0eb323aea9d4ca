// Peers that reset their connection at once, over real sockets: no handler sees one without an address.
import { createConnection } from "node:net";
import { connect } from "../../mod.ts";
import type { RequestInfo } from "../../mod.ts";
import { assertEquals, delay, test } from "../harness.ts";
import { serving } from "../support/server.ts";

test("500 peers that reset at once pass no rule without an address, and the server goes on", async () => {
  const seen: (string | undefined)[] = [];
  const see = ({ remoteAddr, clientAddr }: RequestInfo) => {
    for (const addr of [remoteAddr, clientAddr]) {
      seen.push(addr.transport === "tcp" ? addr.hostname : undefined);
    }
  };
  const { server, url, errors } = serving({}, {
    maxConnectionsPerAddress: 1000,
    upgrade: (_, info) => see(info),
    fetch: (_, info) => {
      see(info);
      return new Response("ok");
    },
  });
  const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (let i = 0; i < 500; i++) {
    const socket = createConnection(server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.on("connect", () => {
      if (i % 2 === 0) socket.write(request);
      socket.resetAndDestroy();
    });
    if (i % 50 === 0) await delay(1);
  }
  await delay(50);
  const socket = await connect(url);
  await socket.close(1000);
  assertEquals(seen.filter((hostname) => hostname !== "127.0.0.1"), []);
  assertEquals(errors, []);
});
