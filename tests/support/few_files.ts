// Listens, greets each client, and prints its port, and when it cannot accept.
import process from "node:process";
import { listen } from "../../src/transport/runtime.ts";
import type { TcpAddr } from "../../src/transport/transport.ts";

const listener = listen({ hostname: "127.0.0.1", port: 0 }, {
  connection(transport) {
    transport.handler = {
      data() {},
      drain() {},
      end: () => transport.close(),
      close() {},
    };
    transport.write(new TextEncoder().encode("hello"));
  },
  error: (error) => console.log(`cannot accept: ${error}`),
});
console.log(`port ${(listener.addr as TcpAddr).port}`);
process.once("SIGTERM", () => process.exit(0));
