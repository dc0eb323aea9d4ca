// Attempts to connect that are given up in the very moment in which they succeed, or after they failed:
// over real sockets, nothing may be left of them.
import { connect } from "../../mod.ts";
import { connect as connectTransport, startTls } from "../../src/transport/mod.ts";
import { assertEquals, assertRejects, deadline, eventually, test, testIf } from "../harness.ts";
import { assertDescriptors, canCount, countDescriptors } from "../support/descriptors.ts";
import { watchRejections } from "../support/leaks.ts";
import { rawServer } from "../support/raw_tcp.ts";
import { servingTls, trust } from "../support/tls.ts";

/** How many connections are made at once: so many that it takes a while to see to all of them. */
const COUNT = 50;
/** After how many milliseconds they are given up. */
const DELAY = 2;

/** It has no more than the looks of a certificate. */
const MALFORMED = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

/**
 * Gives attempts up, all in one moment, and waits for them; in each round it's another moment. In about
 * one round of three, the timer and the connections are ready at once.
 */
async function giveUp(url: string, round: number, rounds: number): Promise<void> {
  const stop = new AbortController();
  const start = performance.now();
  setTimeout(() => stop.abort("enough"), DELAY);
  while (performance.now() - start < DELAY * round / rounds);
  const tls = url.startsWith("wss:") ? trust : {};
  const attempts = Array.from(
    { length: COUNT },
    () => connect(url, { ...tls, signal: stop.signal }),
  );
  for (const outcome of await Promise.allSettled(attempts)) {
    if (outcome.status === "fulfilled") outcome.value.abort();
    else assertEquals(outcome.reason, "enough");
  }
}

test("connect closes a connection that is made as it's given up", async () => {
  const server = await rawServer();
  for (let round = 0; round < 40; round++) {
    await giveUp(`ws://127.0.0.1:${server.port}/`, round, 40);
    await Promise.all(server.connections.splice(0).map((connection) => connection.untilGone()));
  }
});

testIf(canCount, "connect closes one over TLS that is made as it's given up", async () => {
  const { url } = servingTls();
  const before = countDescriptors();
  for (let round = 0; round < 12; round++) {
    await giveUp(url, round, 12);
    await assertDescriptors(before);
  }
});

test("connect and startTls leave nothing to be given up where they throw at once", async () => {
  watchRejections();
  const stop = new AbortController();
  const target = { hostname: "127.0.0.1", port: 70_000 };
  const attempt = connectTransport(target, stop.signal);
  await assertRejects(() => deadline(attempt, 5000, "connect"), Error, "70000");
  const server = await rawServer();
  for (const count of [1, 2]) {
    const transport = await connectTransport({ ...target, port: server.port }, stop.signal);
    await eventually(() => server.connections.length === count, 5000, "the server's accept");
    if (count === 2) transport.close();
    const tls = startTls(transport, { caCerts: [MALFORMED] }, "localhost", stop.signal);
    await assertRejects(() => deadline(tls, 5000, "startTls"), count === 1 ? TypeError : Error);
    await server.connections.at(-1)!.untilGone();
  }
  stop.abort("enough");
});
