// The exchanges of a JavaScript client with the server, with any class WebSocket.

const MIB = 1024 * 1024;
const SIZES = [0, 1, 125, 126, 65535, 65536, MIB];
const PIPELINED = 2000;

/** An open WebSocket: its messages one by one, and how it closed. */
class Client {
  constructor(url, { WebSocket, protocols, options }) {
    // Not every class WebSocket accepts a third argument.
    this.socket = options === undefined
      ? new WebSocket(url, protocols ?? [])
      : new WebSocket(url, protocols ?? [], options);
    this.socket.binaryType = "arraybuffer";
    this.queue = [];
    this.waiting = [];
    this.opened = new Promise((resolve, reject) => {
      this.socket.addEventListener("open", () => resolve(this));
      this.socket.addEventListener("error", () => reject(new Error("error event")));
    });
    this.opened.catch(() => {});
    this.closed = new Promise((resolve) => {
      this.socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
    });
    this.socket.addEventListener("message", ({ data }) => {
      const next = this.waiting.shift();
      if (next === undefined) this.queue.push(data);
      else next(data);
    });
  }

  next() {
    if (this.queue.length > 0) return Promise.resolve(this.queue.shift());
    return new Promise((resolve, reject) => {
      this.waiting.push(resolve);
      this.closed.then(({ code }) => reject(new Error(`closed with ${code}`)));
    });
  }

  async close(code, reason) {
    this.socket.close(code, reason);
    return await this.closed;
  }
}

function bytesOf(size) {
  return Uint8Array.from({ length: size }, (_, i) => (i * 7) % 256);
}

function isSame(actual, expected) {
  if (typeof expected === "string") return actual === expected;
  if (!(actual instanceof ArrayBuffer) || actual.byteLength !== expected.length) return false;
  const bytes = new Uint8Array(actual);
  return expected.every((byte, i) => bytes[i] === byte);
}

/** Echoes of every size, and many at once. */
export async function exchangeEchoes(url, kit) {
  const client = await new Client(url, kit).opened;
  const results = {};
  for (const size of SIZES) {
    client.socket.send("x".repeat(size));
    results[`text of ${size} bytes`] = isSame(await client.next(), "x".repeat(size));
    client.socket.send(bytesOf(size));
    results[`binary of ${size} bytes`] = isSame(await client.next(), bytesOf(size));
  }
  const text = "aé€\u{1f600}\0\ufeff".repeat(1000);
  client.socket.send(text);
  results["text that is not ASCII"] = isSame(await client.next(), text);
  for (let i = 0; i < PIPELINED; i++) {
    client.socket.send(i % 2 === 0 ? `message ${i}` : bytesOf(i % 300));
  }
  let inOrder = 0;
  for (let i = 0; i < PIPELINED; i++) {
    if (isSame(await client.next(), i % 2 === 0 ? `message ${i}` : bytesOf(i % 300))) inOrder++;
  }
  results["pipelined messages in order"] = inOrder;
  results["the client's close"] = await client.close(4321, "client says bye");
  return results;
}

/** The exchanges that need the paths of interopServer() in ../interop.ts. */
export async function exchangeMore(url, kit) {
  const results = {};
  const open = (path, more = {}) => new Client(`${url}${path}`, { ...kit, ...more }).opened;

  const plain = await open("/echo");
  results["extensions in use"] = plain.socket.extensions;
  results["subprotocol, none offered"] = plain.socket.protocol;
  await plain.close(1000);

  const chosen = await open("/echo", { protocols: ["chat.v1", "chat.v2"] });
  results["subprotocol, two offered"] = chosen.socket.protocol;
  await chosen.close(1000);

  const pinged = await open("/server-ping");
  results["the server's ping"] = await pinged.next();
  await pinged.close(1000);

  const inParts = await open("/fragments");
  results["the server's fragments"] = await inParts.next();
  await inParts.close(1000);

  const told = await open("/server-close");
  results["the server's close"] = await told.closed;

  const big = await open("/echo");
  big.socket.send(new Uint8Array(MIB + 1));
  results["a message over the limit"] = (await big.closed).code;

  for (const status of [401, 403]) {
    const refused = new Client(`${url}/refuse/${status}`, kit);
    results[`a handshake refused with ${status}`] = await refused.opened.then(
      () => "open",
      () => "refused",
    );
  }
  return results;
}
