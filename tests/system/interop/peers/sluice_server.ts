// A server of this library in a process of its own, on either runtime. Arguments: the files of a
// certificate and a key, for TLS.
import { readFileSync } from "node:fs";
import process from "node:process";
import { serve, type ServeOptions, type SocketHandler, type TcpAddr } from "../../../../mod.ts";
import { streamOf } from "../../../support/streams.ts";

interface Data {
  path: string;
  headers: Record<string, string>;
}

const [certFile, keyFile] = process.argv.slice(2);
const options: ServeOptions<Data> = {
  hostname: "127.0.0.1",
  port: 0,
  protocols: ["chat.v2"],
  compression: { threshold: 0 },
  limits: { maxMessageSize: 2 * 1024 * 1024 },
  upgrade(request) {
    const { pathname: path } = new URL(request.url);
    const status = Number(path.match(/^\/refuse\/(\d+)$/)?.[1]);
    if (status > 0) return new Response(`refused with ${status}`, { status });
    return { data: { path, headers: Object.fromEntries(request.headers) } };
  },
  origins: "*",
};
if (certFile !== undefined) {
  options.tls = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile!, "utf8") };
}

const handler: SocketHandler<Data> = {
  open(socket) {
    const { path, headers } = socket.data;
    if (path === "/headers") socket.send(JSON.stringify(headers));
    if (path === "/server-close") socket.close(4001, "server says bye");
    if (path === "/server-ping") socket.ping().then(() => socket.send("answered"));
    if (path === "/fragments") socket.send(streamOf(["Hello ", "wör", "ld"]));
  },
  message: (socket, message) => void socket.send(message),
};
const server = serve<Data>(options, handler);
console.log(`listening on ${(server.addr as TcpAddr).port}`);
