"""A server by Python's websockets. Arguments: files of a certificate and a key, for TLS."""

import asyncio
import http
import json
import ssl
import sys

import websockets

# The API of version 14 and later lives elsewhere than the one before, which Debian 12 has.
try:
    from websockets.asyncio.server import serve

    IS_NEW = True
except ImportError:
    from websockets.server import serve

    IS_NEW = False


def path_of(socket):
    return socket.request.path if IS_NEW else socket.path


def headers_of(socket):
    headers = socket.request.headers if IS_NEW else socket.request_headers
    return {name.lower(): value for name, value in headers.raw_items()}


async def handle(socket):
    path = path_of(socket)
    if path == "/headers":
        await socket.send(json.dumps(headers_of(socket)))
    if path == "/server-close":
        await socket.close(4001, "server says bye")
    if path == "/server-ping":
        await (await socket.ping(b"Hello"))
        await socket.send("answered Hello")
    if path == "/fragments":
        await socket.send(iter(["Hello ", "wör", "ld"]))
    async for message in socket:
        await socket.send(message)


def refuse_new(connection, request):
    if request.path.startswith("/refuse/"):
        status = int(request.path[len("/refuse/"):])
        return connection.respond(status, f"refused with {status}")


async def refuse_old(path, headers):
    if path.startswith("/refuse/"):
        status = int(path[len("/refuse/"):])
        return http.HTTPStatus(status), [], f"refused with {status}".encode()


async def main():
    context = None
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
    async with serve(
        handle,
        "127.0.0.1",
        0,
        ssl=context,
        subprotocols=["chat.v2"],
        max_size=2 * 1024 * 1024,
        process_request=refuse_new if IS_NEW else refuse_old,
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"listening on {port}", flush=True)
        await asyncio.Future()


asyncio.run(main())
