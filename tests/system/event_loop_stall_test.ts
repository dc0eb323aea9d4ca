// A server whose event loop stalls closes no connection, although all of its timers are late. Its
// clients are in this process, and answer all the time.
import { connect } from "../../mod.ts";
import type { WebSocketConnection } from "../../mod.ts";
import { assert, assertEquals, deadline, delay, onTestEnd, spawn, test } from "../harness.ts";
import { block } from "../support/block.ts";
import { upgradeRequest } from "../support/http.ts";
import { scriptCommand } from "../support/script.ts";
import { tcpConnect } from "../support/raw_tcp.ts";

const CLIENTS = 1000;
/** The server's pongTimeout is 1 s. */
const STALL = 2500;

interface Report {
  open: number;
  answered: number;
  lost: string[];
}

async function ask(socket: WebSocketConnection, command: string): Promise<string> {
  socket.send(command);
  const { value } = await deadline(socket[Symbol.asyncIterator]().next(), 20_000, command);
  return `${value}`;
}

test("a stalled event loop loses none of 1,000 connections, and detects a dead peer after that", async () => {
  const child = spawn(...scriptCommand("tests/support/stalling_server.ts", "--no-check"));
  const [, port] = await child.waitForLine(/^port (\d+)$/);
  const url = `ws://127.0.0.1:${port}/`;
  const limits = { pingInterval: Infinity };
  const sockets: WebSocketConnection[] = [];
  onTestEnd(async () => {
    for (const socket of sockets) socket.abort();
    await Promise.all(sockets.map(({ closed }) => closed));
  });
  const control = await connect(url, { limits });
  sockets.push(control);
  while (sockets.length <= CLIENTS) {
    sockets.push(...await Promise.all(Array.from({ length: 50 }, () => connect(url, { limits }))));
  }
  const report = async (): Promise<Report> => JSON.parse(await ask(control, "report"));
  const everyone = async () => {
    while ((await report()).answered < CLIENTS) await delay(50);
  };
  await deadline(everyone(), 20_000, "every client's Pong");

  for (let i = 1; i <= 2; i++) {
    // The Pings are answered after the stall begins, and before it ends.
    block(250);
    assertEquals(await ask(control, `stall ${STALL / i}`), "stalled");
    await delay(400);
  }
  await delay(1500);
  const { open, lost } = await report();
  assertEquals({ open, lost }, { open: sockets.length, lost: [] });

  // The same server detects a peer that does not answer.
  const silent = await tcpConnect({ transport: "tcp", hostname: "127.0.0.1", port: Number(port) });
  silent.write(upgradeRequest());
  await silent.untilEnd();
  assert(silent.text.includes("101"), silent.text);
  const after = await report();
  assertEquals({ open: after.open, lost: after.lost }, { open, lost: ["ERR_PONG_TIMEOUT"] });
});
