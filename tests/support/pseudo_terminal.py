"""Runs a command on a pseudo-terminal: pseudo_terminal.py STEPS COMMAND...

STEPS is a JSON list of [text to wait for, text to type]. All output is passed on; the exit code is that
of the command.
"""
import json
import os
import pty
import select
import sys
import time

steps = json.loads(sys.argv[1])
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])

output = b""
seen = 0
deadline = time.time() + 40
while time.time() < deadline:
    while steps and steps[0][0].encode() in output[seen:]:
        seen = output.index(steps[0][0].encode(), seen) + len(steps[0][0].encode())
        os.write(terminal, steps.pop(0)[1].encode())
    if not select.select([terminal], [], [], 0.1)[0]:
        continue
    try:
        chunk = os.read(terminal, 65536)
    except OSError:  # The command has ended.
        break
    if chunk == b"":
        break
    output += chunk
sys.stdout.buffer.write(output)
sys.stdout.flush()
if steps:
    sys.stderr.write(f"never came: {steps[0][0]!r}\n")
    os.kill(child, 9)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
