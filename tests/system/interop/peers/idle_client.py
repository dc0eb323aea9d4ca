"""Python's `websockets`: connects to URL, says nothing, and answers pings until the server closes."""

import asyncio
import sys

import websockets


async def main(url):
    socket = await websockets.connect(url, ping_interval=None)
    await socket.wait_closed()
    print(f"closed {socket.close_code}")


asyncio.run(main(sys.argv[1]))
