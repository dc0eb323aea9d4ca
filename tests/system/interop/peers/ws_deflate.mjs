// The `ws` package on Node, which echoes with the given options of permessage-deflate. As a server (no
// argument), it takes them from the query of the URL; as a client ("client"), from standard input, a
// JSON list of [url, options], to which it connects one after the other.
import { once } from "node:events";
import http from "node:http";
import process from "node:process";
import { WebSocket, WebSocketServer } from "ws";

const maxPayload = 8 * 1024 * 1024;

function echo(socket) {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
}

async function beClient() {
  let input = "";
  for await (const chunk of process.stdin) input += chunk;
  for (const [url, options] of JSON.parse(input)) {
    const perMessageDeflate = { threshold: 0, ...options };
    const socket = new WebSocket(url, { perMessageDeflate, maxPayload });
    echo(socket);
    const [code] = await once(socket, "close");
    if (code !== 1000) throw new Error(`${url} ${JSON.stringify(options)}: closed with ${code}`);
  }
}

function beServer() {
  const server = http.createServer();
  server.on("upgrade", (request, socket, head) => {
    const options = JSON.parse(decodeURIComponent(request.url.split("?")[1]));
    const perMessageDeflate = { threshold: 0, ...options };
    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate, maxPayload });
    sockets.handleUpgrade(request, socket, head, echo);
  });
  server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
}

if (process.argv[2] === "client") await beClient();
else beServer();
