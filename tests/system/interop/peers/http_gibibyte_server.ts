/**
 * A server in a process of its own, so that its memory can be measured. It reads the body of a POST, or
 * answers a GET with a body, of the size in MiB in its first argument. As its second argument says, it is
 * Sluice ("http"), or a plain loop over TCP ("plain") that takes the same requests without reading them. A
 * chunk of a stream belongs to the application, so the plain loop gives each chunk its own memory as well.
 */

import process from "node:process";
import { serve } from "../../../../mod.ts";
import type { TcpAddr } from "../../../../mod.ts";
import { listen } from "../../../../src/transport/mod.ts";
import { begin, end, look, MIB } from "./growth.ts";

const total = Number(process.argv[2]) * MIB;
const latin1 = new TextDecoder("latin1");
const PIECE = new Uint8Array(64 * 1024).map((_, i) => (i * 7 + (i >> 8)) & 0xff);
const HEAD = new TextEncoder().encode(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
const DONE = new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");

async function upload(request: Request): Promise<Response> {
  let count = 0;
  for await (const chunk of request.body!) {
    count += chunk.length;
    look(chunk.length);
  }
  end("moved", count);
  return new Response("done");
}

function download(): Response {
  let count = 0;
  const body = new ReadableStream({
    pull(controller) {
      controller.enqueue(PIECE);
      count += PIECE.length;
      look(PIECE.length);
      if (count < total) return;
      end("moved", count);
      controller.close();
    },
  });
  return new Response(body, { headers: { "Content-Length": `${total}` } });
}

function serveHttp(): number {
  const server = serve({
    hostname: "127.0.0.1",
    port: 0,
    limits: { maxBodySize: Infinity },
    fetch(request) {
      begin();
      return request.method === "POST" ? upload(request) : download();
    },
  }, {});
  return (server.addr as TcpAddr).port;
}

/** Serves without HTTP: the first byte of the request tells whether the body is sent or received. */
function servePlain(): number {
  const listener = listen({ hostname: "127.0.0.1", port: 0 }, {
    connection(transport) {
      let isGet: boolean | undefined;
      let count = 0;
      let last: Uint8Array;
      const send = (): void => {
        while (count < total) {
          count += PIECE.length;
          look(PIECE.length);
          if (count === total) end("moved", count);
          if (!transport.write(PIECE)) return;
        }
      };
      transport.handler = {
        data(chunk) {
          if (isGet === undefined) {
            begin();
            isGet = chunk[0] === 0x47;
            if (isGet) {
              if (transport.write(HEAD)) send();
              return;
            }
            // The client writes the head at once, so it is whole; a part of the body may follow.
            chunk = chunk.subarray(latin1.decode(chunk).indexOf("\r\n\r\n") + 4);
          }
          last = transport.lendsChunks ? chunk.slice() : chunk;
          count += last.length;
          look(last.length);
          if (count < total) return;
          end("moved", count);
          transport.write(DONE);
        },
        drain() {
          if (isGet) send();
        },
        end: () => transport.close(),
        close() {},
      };
      transport.resume();
    },
    error: (error) => console.error(error),
  });
  return (listener.addr as TcpAddr).port;
}

console.log(`listening on ${process.argv[3] === "plain" ? servePlain() : serveHttp()}`);
