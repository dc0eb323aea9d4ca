"""Python's `websockets`: URL, and "echoes" where the server only echoes."""

import asyncio
import json
import sys

import websockets

MIB = 1024 * 1024
SIZES = [0, 1, 125, 126, 65535, 65536, MIB]
PIPELINED = 2000


def bytes_of(size):
    return bytes((i * 7) % 256 for i in range(size))


def connect(url, **options):
    return websockets.connect(url, max_size=None, ping_interval=None, **options)


async def exchange_echoes(url):
    results = {}
    socket = await connect(url)
    for size in SIZES:
        for kind, message in [("text", "x" * size), ("binary", bytes_of(size))]:
            await socket.send(message)
            results[f"{kind} of {size} bytes"] = await socket.recv() == message
    text = "aé€\U0001f600\0\ufeff" * 1000
    await socket.send(text)
    results["text that is not ASCII"] = await socket.recv() == text

    messages = [f"message {i}" if i % 2 == 0 else bytes_of(i % 300) for i in range(PIPELINED)]

    async def send_all():
        for message in messages:
            await socket.send(message)

    sending = asyncio.ensure_future(send_all())
    results["pipelined messages in order"] = sum(
        [await socket.recv() == message for message in messages]
    )
    await sending

    payload = b"are you there?"
    await asyncio.wait_for(await socket.ping(payload), 10)
    results["the client's ping"] = payload.decode()
    await socket.send(["Hel", "lo w", "örld"])
    results["text in fragments"] = await socket.recv()
    await socket.send([b"\1", b"", b"\2\3"])
    results["binary in fragments"] = list(await socket.recv())

    await socket.close(4321, "client says bye")
    results["the client's close"] = closing(socket)
    return results


def closing(socket):
    return {"code": socket.close_code, "reason": socket.close_reason}


async def exchange_more(url):
    results = {}
    async with connect(f"{url}/echo") as socket:
        results["extensions in use"] = ",".join(item.name for item in socket.extensions)
        results["subprotocol, none offered"] = socket.subprotocol or ""
    async with connect(f"{url}/echo", subprotocols=["chat.v1", "chat.v2"]) as socket:
        results["subprotocol, two offered"] = socket.subprotocol
    async with connect(f"{url}/server-ping") as socket:
        results["the server's ping"] = await socket.recv()
    async with connect(f"{url}/fragments") as socket:
        results["the server's fragments"] = await socket.recv()
    async with connect(f"{url}/server-close") as socket:
        await socket.wait_closed()
        results["the server's close"] = closing(socket)
    async with connect(f"{url}/echo") as socket:
        await socket.send(bytes(MIB + 1))
        await socket.wait_closed()
        results["a message over the limit"] = socket.close_code
    async with connect(f"{url}/headers", extra_headers={"X-Custom": "of the client"}) as socket:
        seen = json.loads(await socket.recv())
        results["a request header"] = seen.get("x-custom")
        results["the extension offered"] = seen.get("sec-websocket-extensions", "").split(";")[0]
    for status in [401, 403]:
        try:
            await connect(f"{url}/refuse/{status}")
            results[f"a handshake refused with {status}"] = "open"
        except websockets.InvalidStatusCode as error:
            refused = "refused" if error.status_code == status else error.status_code
            results[f"a handshake refused with {status}"] = refused
    return results


async def main(url, only=""):
    results = await exchange_echoes(f"{url}/echo")
    if only != "echoes":
        results.update(await exchange_more(url))
    print(json.dumps(results))


asyncio.run(main(*sys.argv[1:]))
