// A raw client on Node that sends or reads a message of a gibibyte.
// Arguments: the port; "send" or "read"; "text" or "binary"; the size in MiB; "deflate" to compress the
// message. It prints what it has read, and the code of the Close frame.
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import process from "node:process";
import { constants, deflateRawSync } from "node:zlib";

const [port, way, type, mib, coding] = process.argv.slice(2);
const FRAME = 64 * 1024;
const frames = Number(mib) * 1024 * 1024 / FRAME;
const key = Buffer.from("37fa213d", "hex");
const socket = connect(Number(port), "127.0.0.1");
socket.setNoDelay(true);
socket.on("error", (error) => console.log(`error ${error.code}`));

function frame(first, payload) {
  const header = Buffer.alloc(payload.length < 126 ? 2 : payload.length < 65536 ? 4 : 10);
  header[0] = first;
  if (header.length === 2) header[1] = 0x80 | payload.length;
  else if (header.length === 4) header.writeUInt16BE(payload.length, 2), header[1] = 0xfe;
  else header.writeBigUInt64BE(BigInt(payload.length), 2), header[1] = 0xff;
  return Buffer.concat([header, key, payload.map((byte, i) => byte ^ key[i % 4])]);
}

/** The payload of one frame: text with characters of all UTF-8 lengths, or all bytes. */
function block() {
  const payload = Buffer.alloc(FRAME);
  if (type !== "text") return payload.map((_, i) => (i * 7 + (i >> 8)) & 0xff);
  payload.fill("grüße, 世界 and 🌍! ");
  return payload.fill(0x2e, Buffer.from(payload.toString().replace(/\ufffd+$/, "")).length);
}

function compressed(payload) {
  return deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH });
}

async function send() {
  const payload = coding === "deflate" ? compressed(block()) : block();
  const opcode = (type === "text" ? 1 : 2) | (coding === "deflate" ? 0x40 : 0);
  const more = frame(0, payload);
  for (let i = 0; i < frames; i++) {
    if (!socket.write(i === 0 ? frame(opcode, payload) : more)) {
      await new Promise((resolve) => socket.once("drain", resolve));
    }
  }
  socket.write(frame(0x80, Buffer.from(coding === "deflate" ? [0] : [])));
}

let head = Buffer.alloc(0);
let isOpen = false;
let left = 0;
let current = 0;
let count = 0;
let sum = 0;
let fragments = 0;
function take(chunk) {
  let position = 0;
  while (position < chunk.length) {
    if (left > 0) {
      const taken = Math.min(left, chunk.length - position);
      if (current < 8) {
        count += taken;
        sum += chunk[position] + chunk[position + taken - 1];
      } else if (current === 8 && taken > 1) {
        console.log(`close ${chunk.readUInt16BE(position)}`);
        socket.end();
      }
      left -= taken;
      position += taken;
      if (left === 0 && ended) console.log(`read ${count} in ${fragments}`);
      continue;
    }
    const size = (chunk[position + 1] & 0x7f) < 126
      ? 2
      : (chunk[position + 1] & 0x7f) === 126
      ? 4
      : 10;
    if (!(chunk.length - position >= size)) break;
    const first = chunk[position];
    if ((first & 15) < 8) fragments++;
    current = first & 15;
    left = size === 2
      ? chunk[position + 1] & 0x7f
      : size === 4
      ? chunk.readUInt16BE(position + 2)
      : Number(chunk.readBigUInt64BE(position + 2));
    ended = (first & 0x80) !== 0 && current < 8;
    position += size;
    if (left === 0 && ended) console.log(`read ${count} in ${fragments}`);
  }
  head = chunk.subarray(position);
}
let ended = false;

socket.on("data", (chunk) => {
  const bytes = head.length > 0 ? Buffer.concat([head, chunk]) : chunk;
  head = Buffer.alloc(0);
  if (isOpen) return take(bytes);
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return void (head = bytes);
  console.log(bytes.subarray(0, end).toString().split("\r\n")[0]);
  isOpen = true;
  if (way === "send") send();
  take(bytes.subarray(end + 4));
});
socket.on("end", () => socket.end());
socket.write(
  `GET /${way}/${type} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
    (coding === "deflate" ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "") + "\r\n",
);
