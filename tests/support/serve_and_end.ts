// Serves a client and shuts down with all options. Nothing may then keep the process running.
import { connect, serve } from "../../mod.ts";
import type { TcpAddr } from "../../mod.ts";

const server = serve({ hostname: "127.0.0.1", port: 0, maxConnections: 1 }, {});
const { port } = server.addr as TcpAddr;
const socket = await connect(`ws://127.0.0.1:${port}`);
await connect(`ws://127.0.0.1:${port}`).catch(() => {}); // There is no room.
server.shutdown({ spread: 60_000, deadline: 120_000, drain: true });
server.shutdown({ drain: true });
console.log((await socket.closed).closeCode);
await server.finished;
console.log("finished");
