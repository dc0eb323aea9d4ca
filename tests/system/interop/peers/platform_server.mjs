// A server by the runtime's own means. Arguments: files of a certificate and a key, for TLS.
import { readFileSync } from "node:fs";
import process from "node:process";

const [certFile, keyFile] = process.argv.slice(2);
const tls = certFile === undefined
  ? undefined
  : { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };

/** The answer to what is to be refused, and the protocol to choose. */
function look(request) {
  const { pathname } = new URL(request.url);
  const status = Number(pathname.match(/^\/refuse\/(\d+)$/)?.[1]);
  const refusal = status > 0 ? new Response(`refused with ${status}`, { status }) : undefined;
  const offered = request.headers.get("sec-websocket-protocol") ?? "";
  const protocol = offered.split(/, */).includes("chat.v2") ? "chat.v2" : undefined;
  return { pathname, refusal, protocol };
}

function greet(socket, pathname, headers) {
  if (pathname === "/headers") socket.send(JSON.stringify(Object.fromEntries(headers)));
  if (pathname === "/server-close") socket.close(4001, "server says bye");
}

if (globalThis.Deno !== undefined) {
  globalThis.Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    ...tls,
    onListen: ({ port }) => console.log(`listening on ${port}`),
  }, (request) => {
    const { pathname, refusal, protocol } = look(request);
    if (refusal !== undefined) return refusal;
    // Once it's upgraded, the request can't be read any more.
    const headers = [...request.headers];
    const { socket, response } = globalThis.Deno.upgradeWebSocket(request, {
      ...(protocol === undefined ? {} : { protocol }),
    });
    socket.binaryType = "arraybuffer";
    socket.onopen = () => greet(socket, pathname, headers);
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  });
} else {
  const server = globalThis.Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    ...(tls === undefined ? {} : { tls }),
    fetch(request, server) {
      const { pathname, refusal, protocol } = look(request);
      if (refusal !== undefined) return refusal;
      const data = { pathname, headers: [...request.headers] };
      const headers = protocol === undefined ? {} : { "Sec-WebSocket-Protocol": protocol };
      return server.upgrade(request, { data, headers }) ? undefined : new Response("no");
    },
    websocket: {
      perMessageDeflate: true, // Off by default.
      maxPayloadLength: 2 * 1024 * 1024,
      open: (socket) => greet(socket, socket.data.pathname, socket.data.headers),
      message: (socket, message) => void socket.send(message, true),
    },
  });
  console.log(`listening on ${server.port}`);
}
