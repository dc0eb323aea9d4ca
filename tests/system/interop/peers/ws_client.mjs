// The `ws` package on Node. Arguments: the URL; "echoes" if the server only echoes.
import process from "node:process";
import { once } from "node:events";
import { WebSocket } from "ws";
import { exchangeEchoes, exchangeMore } from "./exchanges.mjs";

const [url, only] = process.argv.slice(2);
const kit = { WebSocket };
const results = await exchangeEchoes(`${url}/echo`, kit);
Object.assign(results, await pingAndFragments());
if (only !== "echoes") {
  Object.assign(results, await exchangeMore(url, kit), await headers(), await refusals());
}
console.log(JSON.stringify(results));

/** The exchanges that the platform's WebSocket cannot do. */
async function pingAndFragments() {
  const socket = new WebSocket(`${url}/echo`);
  await once(socket, "open");
  socket.ping(Buffer.from("are you there?"));
  const [payload] = await once(socket, "pong");
  socket.send("Hel", { fin: false });
  socket.ping("between");
  socket.send("lo w", { fin: false });
  socket.send("örld", { fin: true });
  const [text, isBinary] = await once(socket, "message");
  socket.send(Buffer.from([1]), { fin: false });
  socket.send(Buffer.alloc(0), { fin: false });
  socket.send(Buffer.from([2, 3]), { fin: true });
  const [bytes, isBinaryToo] = await once(socket, "message");
  socket.close(1000);
  await once(socket, "close");
  return {
    "the client's ping": payload.toString(),
    "text in fragments": isBinary ? "binary" : text.toString(),
    "binary in fragments": isBinaryToo ? [...bytes] : "text",
  };
}

async function headers() {
  const socket = new WebSocket(`${url}/headers`, { headers: { "X-Custom": "of the client" } });
  const [text] = await once(socket, "message");
  const seen = JSON.parse(text.toString());
  socket.close(1000);
  await once(socket, "close");
  return {
    "a request header": seen["x-custom"],
    "the extension offered": seen["sec-websocket-extensions"]?.split(";")[0],
  };
}

async function refusals() {
  const results = {};
  for (const status of [401, 403]) {
    const socket = new WebSocket(`${url}/refuse/${status}`);
    const [, response] = await once(socket, "unexpected-response");
    let body = "";
    for await (const chunk of response) body += chunk;
    results[`the status and body of ${status}`] = [response.statusCode, body];
  }
  return results;
}
