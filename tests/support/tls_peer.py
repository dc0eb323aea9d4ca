"""One TLS connection that ends as it is told: with a closure alert (close_notify), or by a FIN alone.

tls_peer.py client PORT CA | server CERT KEY | speaker CERT KEY  then SEND END

A server waits for a request head, and replaces {accept} in SEND by the answer to its WebSocket key. Then SEND
(hex) is sent. A speaker is a server that does not wait. END is "notify", "fin", or
"none" to wait for the other end. Standard output: the port of a server, then a line of JSON with what has been
received and how the other end has ended: "notify", "fin" or "reset".
"""

import base64
import hashlib
import json
import re
import socket
import ssl
import sys

role, *arguments = sys.argv[1:]
send, end = bytes.fromhex(arguments[2]), arguments[3]
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

if role == "client":
    context = ssl.create_default_context(cafile=arguments[1])
    connection = socket.create_connection(("127.0.0.1", int(arguments[0])))
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
else:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments[0], arguments[1])
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    connection, _ = listener.accept()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
connection.settimeout(20)


def flush():
    data = outgoing.read()
    if data:
        connection.sendall(data)


def until_done(action):
    """Repeats an action of TLS until it needs no more bytes of the other end."""
    while True:
        try:
            result = action()
            flush()
            return result
        except ssl.SSLWantReadError:
            flush()
            data = connection.recv(65536)
            if data:
                incoming.write(data)
            else:
                incoming.write_eof()


received = b""
until_done(tls.do_handshake)
if role == "server":
    while b"\r\n\r\n" not in received:
        received += until_done(lambda: tls.read(65536))
    key = re.search(rb"sec-websocket-key: *(\S+)", received, re.I)[1]
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    send = send.replace(b"{accept}", base64.b64encode(digest))
    received = b""
tls.write(send)
if end == "notify":
    try:
        tls.unwrap()
    except ssl.SSLWantReadError:
        pass  # The alert has been written; that of the other end is awaited below.
flush()
if end != "none":
    connection.shutdown(socket.SHUT_WR)

ending = "notify"
try:
    while data := until_done(lambda: tls.read(65536)):
        received += data
except ssl.SSLZeroReturnError:
    pass
except ssl.SSLEOFError:
    ending = "fin"
except (ConnectionError, BrokenPipeError):
    ending = "reset"
print(json.dumps({"received": received.decode("latin-1"), "ending": ending}), flush=True)
