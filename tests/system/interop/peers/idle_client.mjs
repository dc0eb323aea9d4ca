// The `ws` package on Node: connects to URL, sends nothing, and answers pings until the server closes.
import process from "node:process";
import { WebSocket } from "ws";

const socket = new WebSocket(process.argv[2]);
socket.on("close", (code) => console.log(`closed ${code}`));
