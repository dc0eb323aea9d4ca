// A raw client on Node that uploads or downloads a gibibyte by HTTP. Arguments: the port; "up" or "down";
// the size in MiB. It prints the status of the response and the size of its body.
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import process from "node:process";

const [port, way, mib] = process.argv.slice(2);
const total = Number(mib) * 1024 * 1024;
const piece = Buffer.alloc(64 * 1024).map((_, i) => (i * 7 + (i >> 8)) & 0xff);
const socket = connect(Number(port), "127.0.0.1");
socket.setNoDelay(true);
socket.on("error", (error) => console.log(`error ${error.code}`));

let head = "";
let count = 0;
let length = -1;
socket.on("data", (chunk) => {
  let body = chunk.length;
  if (length === -1) {
    head += chunk.toString("latin1");
    const end = head.indexOf("\r\n\r\n");
    if (end === -1) return;
    length = Number(/\r\ncontent-length: (\d+)/i.exec(head)[1]);
    body = head.length - end - 4;
  }
  count += body;
  if (count < length) return;
  console.log(`status ${head.slice(9, 12)}, ${count} bytes`);
  socket.destroy();
});

const [method, fields] = way === "up" ? ["POST", `Content-Length: ${total}\r\n`] : ["GET", ""];
socket.write(`${method} / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${fields}\r\n`);
if (way === "up") {
  for (let i = 0; i < total / piece.length; i++) {
    if (!socket.write(piece)) await new Promise((resolve) => socket.once("drain", resolve));
  }
}
