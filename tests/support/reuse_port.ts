// Listens twice at one port, connects 40 times, and prints how many each listener was given.
import { connect } from "node:net";
import process from "node:process";
import { listen } from "../../src/transport/runtime.ts";
import type { TcpAddr, Transport } from "../../src/transport/transport.ts";

const CONNECTIONS = 40;
const counts = [0, 0];
const done = Promise.withResolvers<void>();

function listenAs(index: number, port: number) {
  return listen({ hostname: "127.0.0.1", port, reusePort: true }, {
    connection(transport: Transport) {
      counts[index]++;
      if (counts[0] + counts[1] === CONNECTIONS) done.resolve();
      transport.close();
    },
    error: (error) => done.reject(error),
  });
}

const first = listenAs(0, 0);
const { port } = first.addr as TcpAddr;
listenAs(1, port);
for (let i = 0; i < CONNECTIONS; i++) connect({ host: "127.0.0.1", port }).on("error", () => {});
await done.promise;
console.log(JSON.stringify(counts));
process.exit(0);
