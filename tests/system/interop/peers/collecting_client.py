"""Python's `websockets`: connects to URL, and prints the messages as JSON when the server has closed."""

import asyncio
import json
import sys

import websockets


async def main(url):
    socket = await websockets.connect(url, compression="deflate")
    messages = [message async for message in socket]
    print(json.dumps({"code": socket.close_code, "messages": messages}))


asyncio.run(main(sys.argv[1]))
