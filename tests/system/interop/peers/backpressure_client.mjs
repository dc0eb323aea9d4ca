// A raw peer on Node that sends to an echo without end, and reads nothing or little of the echoes; and a
// second one that sends short messages one after the other. It prints the growth of the echo's process,
// how much it read, and how long the second peer waited.
// Arguments: the port; how many bytes a second to read; for how many seconds; the size of a message in
// bytes; how many MiB a third peer that reads everything sends first, and in messages of which size.
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import process from "node:process";

const [port, rate, seconds, size, warmUp, warmUpSize] = process.argv.slice(2).map(Number);
const MIB = 1024 * 1024;
/** How often the slow reader reads, a second. */
const TICKS = 20;

function frame(payload) {
  const length = payload.length;
  const header = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10);
  header[0] = 0x82;
  if (header.length === 2) header[1] = 0x80 | length;
  else if (header.length === 4) header.writeUInt16BE(length, 2), header[1] = 0xfe;
  else header.writeBigUInt64BE(BigInt(length), 2), header[1] = 0xff;
  return Buffer.concat([header, Buffer.alloc(4), payload]); // Masked with zeros: as it is.
}

/** A connection past its handshake. */
async function open() {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", (error) => console.log(`error ${error.code}`));
  socket.setNoDelay(true);
  const key = randomBytes(16).toString("base64");
  socket.write(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  await new Promise((resolve) => socket.once("readable", resolve));
  const head = socket.read().toString("latin1");
  if (!head.startsWith("HTTP/1.1 101") || !head.endsWith("\r\n\r\n")) throw new Error(head);
  return socket;
}

/** The memory usage that the echo's process reports, in MiB. */
async function memory() {
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  const { live, rss, held } = await answer.json();
  return { live: live / MIB, rss: rss / MIB, held: held / MIB };
}

const latencies = [];
let isDone = false;

/** Sends one message at a time, until the end. */
async function converse(socket) {
  const message = frame(Buffer.alloc(32, 7));
  while (!isDone) {
    const start = performance.now();
    socket.write(message);
    for (let left = 34; left > 0;) {
      await new Promise((resolve) => socket.once("readable", resolve));
      left -= socket.read()?.length ?? 0;
    }
    latencies.push(performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Sends messages of a size without end; returns how many bytes the kernel has taken. */
function sendTo(socket, size) {
  const message = frame(Buffer.alloc(size, 42));
  const block = Buffer.concat(Array(Math.max(1, Math.floor(64 * 1024 / size))).fill(message));
  let written = 0;
  const send = () => {
    while (!isDone && !socket.destroyed && socket.write(block, () => written += block.length));
  };
  socket.on("drain", send);
  send();
  return () => written;
}

const other = await open();
const conversation = converse(other);

// First a peer that reads everything: the initial growth of a runtime, and the garbage that it has not
// collected yet, are not measured.
if (warmUp > 0) {
  const healthy = await open();
  let left = warmUp * MIB;
  const warm = new Promise((resolve) => {
    healthy.on("data", (chunk) => (left -= chunk.length) <= 0 && resolve());
  });
  sendTo(healthy, warmUpSize);
  await warm;
  healthy.destroy();
}
const flood = await open();
await new Promise((resolve) => setTimeout(resolve, 300));
latencies.length = 0;

const before = await memory();
const peak = { live: 0, rss: 0, held: 0 };
const watching = (async () => {
  while (!isDone) {
    const now = await memory();
    for (const key in peak) peak[key] = Math.max(peak[key], now[key]);
    // Collecting the garbage blocks the other connections.
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
})();

const written = sendTo(flood, size);

let read = 0;
const reading = rate === 0 ? undefined : setInterval(() => {
  for (let left = rate / TICKS; left > 0 && flood.readableLength > 0;) {
    const chunk = flood.read(Math.min(left, flood.readableLength));
    left -= chunk.length;
    read += chunk.length;
  }
}, 1000 / TICKS);
if (reading !== undefined) flood.on("readable", () => {});

await new Promise((resolve) => setTimeout(resolve, seconds * 500));
const half = written();
await new Promise((resolve) => setTimeout(resolve, seconds * 500));
isDone = true;
clearInterval(reading);
await Promise.all([conversation, watching]);
const later = written() - half;
other.destroy();
flood.destroy();
latencies.sort((a, b) => a - b);
const at = (part) => latencies[Math.floor((latencies.length - 1) * part)].toFixed(2);
console.log(
  `grew ${(peak.live - before.live).toFixed(2)} from ${before.live.toFixed(1)} MiB, ` +
    `RSS ${(peak.rss - before.rss).toFixed(1)} from ${before.rss.toFixed(1)}, ` +
    `held ${peak.held.toFixed(2)}, took ` +
    `${(written() / MIB).toFixed(1)} MiB, ${(later / MIB).toFixed(1)} of them later, gave ` +
    `${(read / MIB).toFixed(1)}, echoes ${latencies.length} median ${at(0.5)} p99 ${at(0.99)} ` +
    `longest ${at(1)} ms`,
);
