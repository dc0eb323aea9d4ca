// A server of the `ws` package on Node. Arguments: the files of a certificate and a key, for TLS.
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import process from "node:process";
import { WebSocketServer } from "ws";

const [cert, key] = process.argv.slice(2);
const server = cert === undefined
  ? http.createServer()
  : https.createServer({ cert: readFileSync(cert), key: readFileSync(key) });
const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: { threshold: 0 }, // Off by default.
  maxPayload: 2 * 1024 * 1024,
  handleProtocols: (offered) => offered.has("chat.v2") ? "chat.v2" : false,
});

server.on("upgrade", (request, socket, head) => {
  socket.on("error", () => {});
  const status = Number(request.url.match(/^\/refuse\/(\d+)$/)?.[1]);
  if (status > 0) {
    const body = `refused with ${status}`;
    socket.end(
      `HTTP/1.1 ${status} Refused\r\nContent-Length: ${body.length}\r\nX-Peer: ws\r\n\r\n${body}`,
    );
    return;
  }
  sockets.handleUpgrade(request, socket, head, (websocket) => greet(websocket, request));
});

function greet(socket, request) {
  socket.on("error", () => {});
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  if (request.url === "/headers") socket.send(JSON.stringify(request.headers));
  if (request.url === "/server-close") socket.close(4001, "server says bye");
  if (request.url === "/server-ping") {
    socket.on("pong", (data) => socket.send(`answered ${data}`));
    socket.ping("Hello");
  }
  if (request.url === "/fragments") {
    socket.send("Hello ", { fin: false });
    socket.ping();
    socket.send("wör", { fin: false });
    socket.send("ld", { fin: true });
  }
}

server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
