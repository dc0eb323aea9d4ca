/** The application of the HTTP loads, the same on each server. */

const PIECE = new Uint8Array(64 * 1024);
/** The size of a download, in bytes. */
const DOWNLOAD = 64 * 1024 * 1024;
/** Made by the first request for it: it would delay the garbage collections of the other loads. */
let buffer: Uint8Array<ArrayBuffer> | undefined;

/** Returns a stream of 64 MiB in pieces of 64 KiB, without a Content-Length. */
function stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
  let left = DOWNLOAD / PIECE.length;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(PIECE);
      if (--left === 0) controller.close();
    },
  });
}

async function receive(request: Request): Promise<Response> {
  const body = await request.arrayBuffer();
  return new Response(request.url.endsWith("/up") ? String(body.byteLength) : body);
}

/** Answers a request: 13 bytes, an echo, the size of an upload, or a download of 64 MiB. */
export function answer(request: Request): Response | Promise<Response> {
  if (request.method === "POST") return receive(request);
  if (request.url.endsWith("/down")) return new Response(stream());
  if (!request.url.endsWith("/buffer")) return new Response("Hello, world!");
  return new Response(buffer ??= new Uint8Array(DOWNLOAD));
}
