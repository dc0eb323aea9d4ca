// The `ws` package on Node: connects to URL, and prints the messages as JSON when the server has closed.
import process from "node:process";
import { WebSocket } from "ws";

const socket = new WebSocket(process.argv[2], { perMessageDeflate: true });
const messages = [];
socket.on("message", (data) => messages.push(String(data)));
socket.on("close", (code) => console.log(JSON.stringify({ code, messages })));
